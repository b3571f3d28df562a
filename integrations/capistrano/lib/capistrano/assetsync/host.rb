# frozen_string_literal: true

require "sshkit"
require "capistrano/assetsync/ssh_config"

module Capistrano
  class Assetsync < Plugin
    # A server as assetsync is told of it: reached as SSHKit reaches it.
    class Host
      # The role that all hosts have in the file of arguments: which servers get assets is decided here.
      ROLE = "assets"

      # `server` is Capistrano's; `common` are the `ssh_options` of all servers.
      def initialize(server, common = {})
        @server = server
        @common = common
      end

      def name
        @server.hostname
      end

      # Capistrano tells servers of one name apart by their ports.
      def label
        [name, @server.port].compact.join(":")
      end

      # What differs from the user's own ssh configuration, as the text of a file; nil if nothing does.
      def ssh_config
        config.to_s
      end

      # The names of options in `ssh_options` that assetsync can't follow.
      def left_out
        config.left_out
      end

      # Keys that `ssh_options` name and that can't be read.
      def missing_keys
        keys_named.reject { |key| File.readable?(key) }
      end

      # The host's table; `ssh_config` is the path of the written file, if there is one.
      def to_h(ssh_config = nil)
        {
          address: name,
          roles: [ROLE],
          user: @server.user || options[:user],
          port: options[:port]&.to_i,
          identities: identities,
          config: ssh_config
        }
      end

      # What Net::SSH is given. `Server#netssh_options` would say the same, but remembers what it said before SSHKit has
      # told the server of the common options.
      def options
        @options ||= [own, @common, @server.ssh_options, @server.fetch(:ssh_options)].compact.reduce(:merge)
      end

      private

      def own
        own = { user: @server.user, port: @server.port, password: @server.password }.compact
        @server.keys.any? ? own.merge(keys: @server.keys) : own
      end

      def config
        @config ||= SshConfig.new(name, options)
      end

      # Net::SSH passes over keys that are not there, and so do we; the rest is up to the agent, and to the user's own
      # configuration.
      def identities
        keys = keys_named - missing_keys
        keys unless keys.empty?
      end

      def keys_named
        Array(options[:keys]).map { |key| File.expand_path(key.to_s) }
      end
    end
  end
end
