# frozen_string_literal: true

require "etc"
require "net/ssh"
require "net/ssh/proxy/command"
require "net/ssh/proxy/jump"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # What `ssh_options` say that is more than a user, a port and keys, as a file for `ssh -F`.
    #
    # The first value that ssh finds counts, so what Capistrano was told stands before the user's own files. It is for
    # this one host only: a jump host is reached by the same file, and must not be told to jump as well.
    class SshConfig
      # An option that can't be written into the file.
      Unwritable = Class.new(StandardError)

      # Net::SSH's options that are one word or one path there.
      NAMES = {
        host_name: "HostName",
        host_key_alias: "HostKeyAlias",
        bind_address: "BindAddress",
        identity_agent: "IdentityAgent",
        keycerts: "CertificateFile",
        user_known_hosts_file: "UserKnownHostsFile",
        global_known_hosts_file: "GlobalKnownHostsFile"
      }.freeze

      HOST_KEY_RULES = {
        always: "yes", secure: "yes", accept_new: "accept-new", never: "no", false => "no"
      }.freeze

      # What Net::SSH and ssh look for in `~/.ssh`.
      KNOWN_HOSTS = %w[known_hosts known_hosts2].freeze
      KEYS = %w[id_ed25519 id_rsa id_ecdsa id_dsa].freeze

      # Carried over, here or as settings.
      CARRIED = (NAMES.keys + %i[user port keys keys_only use_agent proxy config verify_host_key]).freeze

      # Options that make no difference to a push, or are Net::SSH's own business.
      WITHOUT_EFFECT = %i[
        forward_agent timeout keepalive keepalive_interval keepalive_maxcount logger verbose non_interactive
        password_prompt number_of_password_prompts known_hosts check_host_ip max_pkt_size max_win_size
        rekey_limit rekey_packet_limit rekey_blocks_limit send_env set_env properties auth_methods paranoid
        remote_user minimum_dh_bits
        append_all_supported_algorithms compression compression_level fingerprint_hash languages
      ].freeze

      # `host` is its name, `options` what Net::SSH would be given for it.
      def initialize(host, options)
        @host = host
        @options = options
      end

      # The names of options that assetsync can't follow.
      def left_out
        names = @options.compact.keys - CARRIED - WITHOUT_EFFECT
        names << :proxy if proxy && !proxy.is_a?(Net::SSH::Proxy::Command)
        names << :auth_methods unless key_allowed?
        names
      end

      # The file's text; nil if the user's own files say it all.
      def to_s
        lines = own_lines
        return if lines.empty? && own_files?

        "#{block(@host, lines)}#{includes}#{block('*', home_lines)}"
      end

      private

      def proxy
        @options[:proxy]
      end

      def key_allowed?
        methods = @options[:auth_methods]
        methods.nil? || Array(methods).map(&:to_s).include?("publickey")
      end

      def own_lines
        [*named_lines, *key_lines, *proxy_lines, *host_key_lines]
      end

      def named_lines
        NAMES.flat_map do |option, name|
          values = Array(@options[option]).map { |value| quoted(option, value) }
          next [] if values.empty?

          option == :keycerts ? values.map { |value| "#{name} #{value}" } : ["#{name} #{values.join(' ')}"]
        end
      end

      def key_lines
        lines = []
        lines << "IdentitiesOnly yes" if @options[:keys_only]
        lines << "IdentityAgent none" if @options[:use_agent] == false
        lines
      end

      def proxy_lines
        case proxy
        when Net::SSH::Proxy::Jump then ["ProxyJump #{plain(:proxy, proxy.jump_proxies, jump: true)}"]
        when Net::SSH::Proxy::Command then ["ProxyCommand #{plain(:proxy, proxy.command_line_template)}"]
        else []
        end
      end

      def host_key_lines
        rule = HOST_KEY_RULES[@options[:verify_host_key]]
        rule ? ["StrictHostKeyChecking #{rule}"] : []
      end

      def block(pattern, lines)
        return "" if lines.empty?

        ["Host #{pattern}", *lines.map { |line| "    #{line}" }, ""].join("\n")
      end

      # The files that Net::SSH would read, as far as they are there.
      def includes
        files = files_to_read.map { |file| File.expand_path(file) }.select { |file| File.file?(file) }
        block("*", files.map { |file| "Include #{quoted(:config, file)}" })
      end

      def files_to_read
        case (config = @options.fetch(:config, true))
        when true, nil then Net::SSH::Config.default_files.uniq
        when false then []
        else Array(config)
        end
      end

      # Whether ssh reads what Net::SSH does anyway; a project's own `.ssh/config` is read by Net::SSH alone.
      def own_files?
        [true, nil].include?(@options[:config]) && own_home? && !File.file?(File.join(Dir.pwd, ".ssh/config"))
      end

      # ssh asks the password file where its user is at home, Net::SSH the variable HOME.
      def own_home?
        home = Etc.getpwuid&.dir
        home.nil? || File.expand_path("~") == File.expand_path(home)
      end

      # The files that are looked for in the home directory if nothing else is said.
      def home_lines
        return [] if own_home?

        hosts = KNOWN_HOSTS.map { |file| quoted(:user_known_hosts_file, "~/.ssh/#{file}") }
        ["UserKnownHostsFile #{hosts.join(' ')}", *home_keys.map { |file| "IdentityFile #{quoted(:keys, file)}" }]
      end

      def home_keys
        return [] if Array(@options[:keys]).any? || @options[:keys_only]

        KEYS.map { |file| File.expand_path("~/.ssh/#{file}") }.select { |file| File.file?(file) }
      end

      def quoted(option, value)
        text = value.to_s
        text = File.expand_path(text) if text.start_with?("~/")
        raise Unwritable, "#{option} #{text.inspect} can't be written into an ssh configuration" if
          text.empty? || text.match?(/["\\[:cntrl:]]/)

        %("#{text}")
      end

      # ssh takes the rest of the line as it is.
      def plain(option, value, jump: false)
        text = value.to_s.strip
        raise Unwritable, "#{option} #{text.inspect} can't be written into an ssh configuration" if
          text.empty? || text.match?(/[[:cntrl:]]/) || (jump && text.match?(/\A-|["\s]/))

        text
      end
    end
  end
end
