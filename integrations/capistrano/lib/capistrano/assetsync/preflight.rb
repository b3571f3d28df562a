# frozen_string_literal: true

require "capistrano/assetsync/leftovers"
require "capistrano/assetsync/settings"

module Capistrano
  class Assetsync < Plugin
    # What is looked at before anything is deployed.
    module Preflight
      # The first thing in a deploy: no release is created if this fails.
      def preflight
        return if @checked

        @checked = true
        check_program
        check_settings unless rolling_back? && !fetch(:assetsync_restore)
        refuse_recipes
        warn_of_hosts
        Leftovers.new(env.variables).warnings.each { |text| warn_user(text) }
      end

      # Checks that the program can be run.
      def check_program
        return if dry_run?

        version = program.version
        return if version.split(".").first(2) == VERSION.split(".").first(2)

        warn_user("#{fetch(:assetsync_program)} has version #{version}, and this gem was made for #{VERSION}")
      end

      private

      # assetsync says what it makes of the variables, without reaching for a host.
      def check_settings
        hosts = self.hosts
        return if hosts.empty? && buckets.empty?

        file = Arguments.new(variables, hosts)
        file.open do |path|
          faults = Settings.faults(program.answer(["config", file.stage, "--config", path, *settings, "--json"]))
          raise Failed, faults.join("; ") if faults.any?
        end
      rescue Program::NotFound
        raise unless dry_run?
      end

      def warn_of_hosts
        hosts.flat_map(&:missing_keys).uniq.each do |key|
          warn_user("there is no key #{key}, which ssh_options name; it is left out")
        end
        hosts.each { |host| warn_left_out(host) }
      end

      def warn_left_out(host)
        names = host.left_out
        return if names.empty?

        warn_user("#{host.label}: assetsync can't follow ssh_options #{names.join(', ')}; say it in ~/.ssh/config")
      end

      # First of all prerequisites, whoever has hooked something in.
      def hook_preflight
        %w[deploy deploy:starting].each do |name|
          Rake::Task[name].prerequisites.unshift("assetsync:preflight").uniq!
        end
      end
    end
  end
end
