# frozen_string_literal: true

require "capistrano/plugin"

module Capistrano
  # As capistrano3-puma 6.2.0 and 7.1.0 define their defaults: they extend lists that are there already. 3.1.1 to 5.2.0
  # extend them whether or not they are there, which the gem's own tests have.
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
