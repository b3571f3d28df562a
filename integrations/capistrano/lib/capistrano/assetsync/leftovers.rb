# frozen_string_literal: true

require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Variables of capistrano-local-precompile that a deploy.rb still sets. Nothing reads them any more, so each is
    # named with what to write instead.
    class Leftovers
      DEFAULTS = {
        assets_dir: "public/assets", packs_dir: "public/packs", rsync_cmd: "rsync -av --delete", assets_role: "web"
      }.freeze

      ADVICE = {
        assets_dir: ->(value) { "set :assets_prefix, #{value.to_s.delete_prefix('public/').inspect}" },
        packs_dir: ->(value) { "append :assetsync_extra_dirs, #{value.to_s.inspect}" },
        precompile_env: ->(value) { "set :rails_env, #{value.to_s.inspect}" },
        assets_role: ->(value) { "set :assets_roles, #{Array(value).inspect}" },
        rsync_cmd: ->(_value) { "nothing: deletion is a matter of :assetsync_delete" }
      }.freeze

      def initialize(variables)
        @variables = variables
      end

      # One text for each variable whose value would make a difference.
      def warnings
        ADVICE.filter_map do |name, advice|
          value = @variables.peek(name)
          next if value.nil? || value.to_s == DEFAULTS[name].to_s

          "#{name} is capistrano-local-precompile's, and has no effect; write instead: #{advice.call(value)}"
        end
      end
    end
  end
end
