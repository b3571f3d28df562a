# frozen_string_literal: true

require "json"
require "pathname"
require "capistrano/assetsync/server_path"

module Capistrano
  class Assetsync < Plugin
    # The manifests that capistrano-rails' deploy:assets:backup_manifest has copied into a release.
    class ManifestBackup
      include ServerPath

      DIRECTORY = "assets_manifest_backup"

      # Patterns of capistrano-rails 1.7, for where it is not loaded.
      PATTERNS = %w[.sprockets-manifest* manifest*.* .manifest.json].freeze

      # `patterns` are those of assets_manifests, below the release.
      def initialize(release, patterns, prefix)
        @backup = release.join(DIRECTORY)
        @assets = release.join("public", prefix)
        names = patterns.map { |path| Pathname(path.to_s) }.select { |path| path.dirname == @assets }
        @patterns = names.empty? ? PATTERNS : names.map { |path| path.basename.to_s }
        @faults = Queue.new
      end

      # Why some server can't be given its manifests back.
      def faults
        Array.new(@faults.size) { @faults.pop }.each { |fault| @faults << fault }
      end

      # Looks whether a server has the manifests, and all files that they name; changes nothing.
      def check(backend, server)
        manifests = backed_up(backend)
        return @faults << "and #{server} has no manifest in #{DIRECTORY}" if manifests.empty?

        there = names(backend, @assets)
        named = manifests.flat_map { |name| assets_of(backend.capture(:cat, escaped(@backup.join(name)))) }
        missing = named - there
        @faults << "and #{missing.size} of its assets are gone from #{server}, as #{missing.first}" if missing.any?
      end

      # Puts the manifests back, and takes newer ones away: of several, the application reads the first.
      def restore(backend)
        manifests = backed_up(backend)
        newer = names(backend, @assets).select { |name| manifest?(name) } - manifests
        manifests.each { |name| replace(backend, name) }
        newer.each { |name| backend.execute(:rm, escaped(@assets.join(name))) }
      end

      private

      def backed_up(backend)
        names(backend, @backup).select { |name| manifest?(name) }
      end

      # The paths of files below a directory.
      def names(backend, directory)
        path = escaped(directory)
        return [] unless backend.test("[ -d #{path} ]")

        backend.capture("cd #{path} && find . -type f").lines.map { |line| line.strip.delete_prefix("./") }
      end

      def manifest?(name)
        @patterns.any? { |pattern| File.fnmatch(pattern, name, File::FNM_DOTMATCH | File::FNM_PATHNAME) }
      end

      # What Sprockets' and Propshaft's manifests name.
      def assets_of(text)
        manifest = JSON.parse(text)
        assets = manifest["assets"] || manifest
        assets.values.map { |asset| asset.is_a?(Hash) ? asset["digested_path"] : asset }.grep(String)
      rescue JSON::ParserError
        []
      end

      # In one step, so that nobody reads half of it.
      def replace(backend, name)
        target = @assets.join(name)
        new = @assets.join(".#{name}.assetsync-new")
        backend.execute(:cp, "-p", escaped(@backup.join(name)), escaped(new))
        backend.execute(:mv, "-f", escaped(new), escaped(target))
      end
    end
  end
end
