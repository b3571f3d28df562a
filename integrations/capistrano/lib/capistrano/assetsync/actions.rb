# frozen_string_literal: true

require "shellwords"
require "capistrano/assetsync/runs"
require "capistrano/assetsync/version"

module Capistrano
  class Assetsync < Plugin
    # What the tasks do.
    module Actions
      include Runs

      # The file in a release that names the deploy of assets that belongs to it, as REVISION names the commit.
      RECORD = "ASSETSYNC_DEPLOY"

      # What assetsync calls a deploy.
      DEPLOY_ID = /\A\d{8}T\d{6}Z-\h{8}\z/.freeze

      # Builds and pushes, or only pushes what is built.
      def push(build:)
        skips = build && !builds?
        remember(run(build ? "deploy" : "push", *("--skip-build" if skips)))
      end

      # Shows what each host has.
      def look
        run("status")
      end

      # Looks at all that a deploy needs.
      def check
        check_program
        hosts.each { |host| warn_left_out(host) }
        look
      end

      # Brings back the assets of `deploy`, an id or a number of deploys to go back.
      def roll_back(deploy)
        remember(run("rollback", deploy.to_s))
      end

      # Brings back the assets of the release that is being rolled back to.
      def restore_release
        return unless fetch(:assetsync_restore)
        return show_dry_run("rollback", "# the deploy in #{record_path}") if dry_run?

        recorded = recorded_deploys
        deploys = recorded.values.compact.uniq
        raise Failed, differing(recorded) if deploys.size > 1

        deploys.empty? ? warn_user(no_record) : restore(deploys.first)
      end

      # Deletes old assets that retention lets go.
      def prune
        run("prune")
      end

      # Checks that the program can be run, before anything is deployed.
      def check_program
        return if dry_run?

        version = program.version
        return if version.split(".").first(2) == VERSION.split(".").first(2)

        warn_user("#{fetch(:assetsync_program)} has version #{version}, and this gem was made for #{VERSION}")
      end

      # Gives files the release's time, as capistrano-rails does.
      def normalize_timestamps
        directories = Array(fetch(:normalize_asset_timestamps)).map { |directory| directory.to_s.shellescape }
        return if directories.empty?

        time = asset_timestamp
        path = release_path
        on release_roles(fetch(:assets_roles)) do
          within(path) { execute :find, *directories, "-exec touch -t #{time} {} ';'; true" }
        end
      end

      private

      def restore(deploy)
        roll_back(deploy)
      rescue Failed => e
        raise Failed, "#{e.message}. To roll back the release without its assets: set :assetsync_restore, false"
      end

      # Writes the deploy's id into the release on every host that got it. Another machine that rolls back finds it
      # there, and it goes when the release goes.
      def remember(report)
        deploy = report&.deploy
        return unless deploy
        raise Failed, "assetsync named a deploy #{deploy.inspect}, which is no id" unless deploy.match?(DEPLOY_ID)

        release = escaped(release_path)
        path = escaped(record_path)
        on servers do
          execute :echo, deploy, ">", path if test("[ -d #{release} ]")
        end
      end

      def record_path
        release_path.join(RECORD)
      end

      # As SSHKit does it: the home directory stays one.
      def escaped(path)
        SSHKit::Command.shellescape_except_tilde(path.to_s)
      end

      # What the release says on each host; nil where it says nothing.
      def recorded_deploys
        path = escaped(record_path)
        found = Queue.new
        on servers do |server|
          text = test("[ -f #{path} ]") ? capture(:cat, path) : ""
          found << [Host.new(server).label, text[DEPLOY_ID]]
        end
        Array.new(found.size) { found.pop }.to_h
      end

      def differing(recorded)
        pairs = recorded.map { |host, deploy| "#{host} #{deploy || 'none'}" }.join(", ")
        "Hosts have different assets for release #{release_path.basename}: #{pairs}. " \
          "Roll back host by host, with HOSTS=..."
      end

      def no_record
        "release #{release_path.basename} has no #{RECORD}, so it was deployed without assetsync; " \
          "assets are left as they are"
      end

      def warn_left_out(host)
        names = host.left_out
        return if names.empty?

        warn_user("#{host.label}: assetsync can't follow ssh_options #{names.join(', ')}; say it in ~/.ssh/config")
      end
    end
  end
end
