# frozen_string_literal: true

require "shellwords"
require "capistrano/assetsync/restoring"
require "capistrano/assetsync/runs"
require "capistrano/assetsync/server_path"
require "capistrano/assetsync/version"

module Capistrano
  class Assetsync < Plugin
    # What the tasks do.
    module Actions
      include Restoring
      include Runs
      include ServerPath

      # Builds and pushes, or only pushes what is built.
      def push(build:)
        return if switched_off?

        skips = build && !builds?
        look_at_checkout if build && !skips
        remember(run(build ? "deploy" : "push", *("--skip-build" if skips)))
      end

      # Builds and pushes at once, whatever the moment; hooks of the build run.
      def deploy_now
        @now = true
        Rake::Task["deploy:compile_assets"].invoke
      end

      # Shows what each host has.
      def look
        run("status")
      end

      # Looks at all that a deploy needs.
      def check
        preflight
        look
      end

      # Brings back the assets of `deploy`, an id or a number of deploys to go back.
      def roll_back(deploy)
        remember(run("rollback", deploy.to_s))
      end

      # Deletes old assets that retention lets go.
      def prune
        run("prune")
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
    end
  end
end
