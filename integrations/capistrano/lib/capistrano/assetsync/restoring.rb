# frozen_string_literal: true

require "capistrano/assetsync/manifest_backup"

module Capistrano
  class Assetsync < Plugin
    # The assets of a release that is rolled back to.
    module Restoring
      # The file in a release that names the deploy of assets that belongs to it, as REVISION names the commit.
      RECORD = "ASSETSYNC_DEPLOY"

      # What assetsync calls a deploy.
      DEPLOY_ID = /\A\d{8}T\d{6}Z-\h{8}\z/.freeze

      WITHOUT_ASSETS = "To roll back the release without its assets: set :assetsync_restore, false"

      # Brings back the assets of the release that is being rolled back to.
      def restore_release
        return if switched_off? || !fetch(:assetsync_restore)
        return show_dry_run("rollback", "# the deploy in #{record_path}") if dry_run?

        recorded = recorded_deploys
        deploys = recorded.values.compact.uniq
        raise Failed, differing(recorded) if deploys.size > 1

        deploys.empty? ? restore_backup : restore(deploys.first)
      end

      private

      def restore(deploy)
        roll_back(deploy)
      rescue Failed => e
        raise Failed, "#{e.message}. #{WITHOUT_ASSETS}"
      end

      # The release was made before the gem was there. capistrano-rails has copied its manifest into it, on servers with
      # :assets_roles only.
      def restore_backup
        servers = env.filter(release_roles(*Array(fetch(:assets_roles))))
        backup = ManifestBackup.new(release_path, Array(fetch(:assets_manifests)), fetch(:assets_prefix))
        on(servers) { |server| backup.check(self, server) }
        refuse_without(backup.faults)
        on(servers) { backup.restore(self) }
        warn_user("#{no_record}; the manifest that capistrano-rails kept in it is restored")
      end

      def refuse_without(faults)
        raise Failed, "#{no_record}, #{faults.join('; ')}. #{WITHOUT_ASSETS}" if faults.any?
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
        "release #{release_path.basename} has no #{RECORD}, so it was deployed without assetsync"
      end
    end
  end
end
