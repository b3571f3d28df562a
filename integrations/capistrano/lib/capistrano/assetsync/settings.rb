# frozen_string_literal: true

require "json"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Faults in settings, told by the names of Capistrano's variables: nobody has written the file of arguments.
    module Settings
      VARIABLES = {
        "build.command" => "assetsync_build_command",
        "build.cleanup" => "assetsync_cleanup",
        "build.environment.RAILS_ENV" => "rails_env",
        "build.environment.RAILS_GROUPS" => "rails_assets_groups",
        "assets.delete" => "assetsync_delete",
        "assets.retention.keep" => "assetsync_keep",
        "assets.retention.max_age" => "assetsync_max_age",
        "assets.entry_points" => "assets_manifests",
        "assets.source" => "assets_prefix"
      }.freeze

      # Variables by the beginnings of keys.
      GROUPS = {
        "build.environment." => "assetsync_build_environment",
        "assets.set" => "assetsync_extra_dirs",
        "assets.rails." => "assets_prefix",
        "buckets." => "assetsync_buckets",
        "stages." => "server"
      }.freeze

      # Top-level settings have the variables' own names.
      SAME = %w[application deploy_to shared_path current_path].freeze

      module_function

      # From the lines that `assetsync config --json` prints.
      def faults(lines)
        events = lines.filter_map { |line| parse(line) }
        errors = events.flat_map { |event| event["errors"] || [] }
        errors.map { |error| [named(error["message"].to_s), error["hint"]].compact.join(": ") }
      end

      def parse(line)
        event = JSON.parse(line)
        event if event.is_a?(Hash) && event["ok"] == false
      rescue JSON::ParserError
        nil
      end

      # assetsync quotes a setting's name.
      def named(message)
        message.gsub(/'([a-z][\w.]*)'/) { |quoted| variable(Regexp.last_match(1)) || quoted }
      end

      # Where a variable has several settings, both are named.
      def variable(key)
        key = key.sub(/\Astages\.\w+\.(?=buckets\.)/, "")
        return ":#{VARIABLES.fetch(key, key)}" if VARIABLES.key?(key) || SAME.include?(key)
        return unless key.include?(".")

        group = GROUPS.find { |beginning, _| key.start_with?(beginning) }
        ":#{group ? group.last : 'assetsync_settings'} '#{key}'"
      end
    end
  end
end
