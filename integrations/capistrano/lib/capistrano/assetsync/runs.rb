# frozen_string_literal: true

require "capistrano/assetsync/arguments"
require "capistrano/assetsync/program"
require "capistrano/assetsync/report"

module Capistrano
  class Assetsync < Plugin
    # assetsync has failed; the message says why.
    Failed = Class.new(StandardError)

    # From Capistrano's variables and servers to a run of assetsync.
    module Runs
      private

      # Runs a command of assetsync on the stage; gives the report, or nil if there was nothing to do it with.
      def run(verb, *arguments)
        hosts = self.hosts
        return if switched_off?
        if hosts.empty? && buckets.empty?
          return warn_user("no server has a role of :assets_roles, so no assets go anywhere")
        end
        return show_dry_run(verb, *arguments) if dry_run?

        file = Arguments.new(variables, hosts)
        file.open do |path|
          call([verb, file.stage, *arguments], ["--config", path, "--project", Dir.pwd, *settings, "--json"])
        end
      end

      # Only the first part of the arguments is worth showing.
      def call(shown, hidden)
        report = Report.new(SSHKit.config.output, shown)
        report.start
        status = program.run(shown + hidden) { |event| report.note(event) }
        report.finish(status)
        raise Failed, "assetsync #{shown.first} failed: #{report.error}" unless status.zero?

        report
      end

      # Shows what would be run, as SSHKit does in a dry run.
      def show_dry_run(verb, *arguments)
        places = [*hosts.map(&:label), *bucket_urls].join(", ")
        line = ["assetsync", verb, fetch(:stage), *arguments, "# on", places].join(" ")
        SSHKit::Backend::Printer.new(SSHKit::Host.new(:local)) { execute line }.run
        nil
      end

      def settings
        fetch(:assetsync_settings).flat_map { |key, value| ["--set", "#{key}=#{Array(value).join(',')}"] }
      end

      def program
        Program.new(fetch(:assetsync_program))
      end

      # As in capistrano-rails: without roles no server gets assets, and nothing is built.
      def switched_off?
        Array(fetch(:assets_roles)).empty?
      end

      # The servers that get assets, less those that HOSTS and ROLES leave out.
      def servers
        env.filter(all_servers)
      end

      def all_servers
        return [] if switched_off?

        release_roles(*[*Array(fetch(:assets_roles)), *Array(fetch(:assetsync_manifest_roles))].uniq)
      end

      # Whoever names HOSTS or ROLES means these alone.
      def buckets
        return [] if switched_off? || servers.size < all_servers.size

        given = fetch(:assetsync_buckets)
        given.is_a?(Hash) ? [given] : Array(given)
      end

      def bucket_urls
        buckets.map { |bucket| bucket.is_a?(Hash) ? bucket.transform_keys(&:to_s)["url"] : bucket }
      end

      def hosts
        common = SSHKit::Backend::Netssh.config.ssh_options.merge(fetch(:ssh_options) || {})
        servers.map { |server| Host.new(server, common) }
      end

      def builds?
        command = fetch(:assetsync_build_command)
        command && !command.to_s.strip.empty?
      end

      # Directories of assets, below the project here and below shared_path there.
      def directories
        ["public/#{fetch(:assets_prefix)}", *Array(fetch(:assetsync_extra_dirs))].map { |dir| dir.to_s.chomp("/") }.uniq
      end

      def variables
        paths = { deploy_to: deploy_to, shared_path: shared_path, current_path: current_path, directories: directories }
        paths.merge(build_variables).merge(
          stage: fetch(:stage),
          application: fetch(:application),
          manifests: fetch(:assets_manifests),
          keep: fetch(:assetsync_keep),
          max_age: fetch(:assetsync_max_age),
          delete: fetch(:assetsync_delete),
          buckets: buckets
        )
      end

      def build_variables
        {
          build_command: builds? ? fetch(:assetsync_build_command) : nil,
          build_environment: default_environment.merge(fetch(:assetsync_build_environment)),
          rails_env: fetch(:rails_env) || fetch(:stage),
          rails_groups: fetch(:rails_assets_groups),
          cleanup: fetch(:assetsync_cleanup) && !hooks_after_build?
        }
      end

      # SSHKit gives these to local commands, too. Those that a shell on the server completes are for the server, and so
      # are the ones that capistrano-rbenv adds.
      def default_environment
        variables = (fetch(:default_env) || {}).transform_keys { |name| name.is_a?(Symbol) ? name.to_s.upcase : name }
        variables.reject { |name, value| name.start_with?("RBENV_") || value.to_s.match?(/[$~`]/) }
      end

      # A warning in the colours and at the level that the user has chosen.
      def warn_user(text)
        SSHKit.config.output.warn("assetsync: #{text}")
        nil
      end
    end
  end
end
