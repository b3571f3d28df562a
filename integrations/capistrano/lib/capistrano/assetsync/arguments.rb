# frozen_string_literal: true

require "fileutils"
require "tmpdir"
require "capistrano/assetsync/host"
require "capistrano/assetsync/toml"

module Capistrano
  class Assetsync < Plugin
    # The file of arguments that assetsync is given, and the ssh configurations it names. They are readable by their
    # owner only, and are deleted when the block ends.
    class Arguments
      FILE = "arguments.toml"

      # Manifests that assetsync knows to be manifests anyway, by the patterns capistrano-rails has for them.
      KNOWN_MANIFESTS = %w[.sprockets-manifest* manifest*.* .manifest.json manifest*.json].freeze

      # `values` are Capistrano's variables under the names below; `hosts` are Host objects.
      def initialize(values, hosts)
        @values = values
        @hosts = hosts
      end

      # The stage's name in the file.
      def stage
        @values.fetch(:stage).to_s.gsub(/[^A-Za-z0-9_-]/, "_")
      end

      # Writes the files and yields the path of the main one.
      def open
        Dir.mktmpdir("capistrano-assetsync-") do |directory|
          path = File.join(directory, FILE)
          write(path, to_toml(write_ssh_configs(directory)))
          yield path
        end
      end

      # The text of the file; `ssh_configs` are paths by host.
      def to_toml(ssh_configs = {})
        hosts = @hosts.map { |host| ["[[stages.#{stage}.hosts]]", host.to_h(ssh_configs[host])] }
        Toml.dump([["", top], ["[build]", build], *environment, ["[assets]", assets], *sets, *hosts, *buckets])
      end

      private

      def top
        {
          application: @values[:application]&.to_s,
          deploy_to: server_path(:deploy_to),
          shared_path: server_path(:shared_path),
          current_path: server_path(:current_path)
        }
      end

      # A path below the home directory is written without it: assetsync starts there, and no shell reads the path.
      def server_path(name)
        @values[name]&.to_s&.delete_prefix("~/")
      end

      def build
        { command: @values[:build_command]&.to_s, cleanup: @values[:cleanup] ? true : false }
      end

      def environment
        groups = Array(@values[:rails_groups]).join(",")
        variables = { "RAILS_ENV" => @values[:rails_env]&.to_s }
        variables["RAILS_GROUPS"] = groups unless groups.empty?
        variables.merge!(@values[:build_environment].to_h { |name, value| [name.to_s, value&.to_s] })
        [["[build.environment]", variables]]
      end

      def assets
        {
          roles: [Host::ROLE],
          source: (directories.first if directories.one?),
          delete: @values[:delete]&.to_s,
          %i[retention keep] => number(@values[:keep]),
          %i[retention max_age] => @values[:max_age]&.to_s,
          %i[entry_points append] => manifests
        }
      end

      # Text that is no number stays what it is, for assetsync to name.
      def number(value)
        value.is_a?(String) ? Integer(value, 10, exception: false) || value : value
      end

      # Several directories are sets of their own, published together.
      def sets
        return [] if directories.one?

        directories.each_with_index.map do |directory, at|
          ["[assets.#{at.zero? ? 'rails' : "set#{at + 1}"}]", { source: directory }]
        end
      end

      # Each is a URL, or a hash of a bucket's settings as in assetsync.toml. If there are several
      # directories, a bucket gets public/assets.
      def buckets
        Array(@values[:buckets]).map do |bucket|
          given = bucket.is_a?(Hash) ? bucket.transform_keys(&:to_s) : { "url" => bucket }
          given = { "assets" => "rails" }.merge(given) unless directories.one?
          ["[[stages.#{stage}.buckets]]", given]
        end
      end

      def directories
        @values.fetch(:directories).map { |directory| directory.to_s.chomp("/") }.uniq
      end

      # The names of manifests below public that assetsync doesn't know.
      def manifests
        paths = Array(@values[:manifests]).map(&:to_s).select { |path| path.include?("public/") }
        names = paths.map { |path| File.basename(path) } - KNOWN_MANIFESTS
        names unless names.empty?
      end

      def write_ssh_configs(directory)
        texts = @hosts.to_h { |host| [host, host.ssh_config] }.compact
        texts.each_with_index.to_h do |(host, text), at|
          path = File.join(directory, "ssh_config-#{at + 1}")
          write(path, text)
          [host, path]
        end
      end

      # Anything that was there before is no file of ours, so it must be new.
      def write(path, text)
        File.open(path, File::WRONLY | File::CREAT | File::EXCL, 0o600) { |file| file.write(text) }
      end
    end
  end
end
