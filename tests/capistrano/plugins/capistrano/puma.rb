# frozen_string_literal: true

require "capistrano/plugin"

module Capistrano
  # As capistrano3-puma defines its defaults: it extends lists that are there already.
  class Puma < Capistrano::Plugin
    def set_defaults
      set_if_empty :puma_role, :web

      append :chruby_map_bins, "puma", "pumactl" if fetch(:chruby_map_bins)
      append :rbenv_map_bins, "puma", "pumactl" if fetch(:rbenv_map_bins)
      append :rvm_map_bins, "puma", "pumactl" if fetch(:rvm_map_bins)

      append :bundle_bins, "puma", "pumactl"
    end
  end
end
