# frozen_string_literal: true

require "helper"
require "net/ssh/proxy/http"
require "open3"

class SshConfigTest < AssetsyncTest
  SshConfig = Capistrano::Assetsync::SshConfig

  def config(options)
    SshConfig.new("web1.example.com", { config: false }.merge(options))
  end

  # What ssh itself makes of the file, for the host and for another one.
  def read_by_ssh(config, host)
    path = file("ssh_config", config.to_s)
    out, status = Open3.capture2e("ssh", "-G", "-F", path, host)
    assert status.success?, out
    out.lines(chomp: true)
  end

  def assert_said(expected, options)
    config = config(options)
    assert_includes read_by_ssh(config, "web1.example.com"), expected
    refute_includes read_by_ssh(config, "bastion.example.com"), expected
  end

  def test_nothing_to_say
    assert_nil SshConfig.new("web1", { user: "deploy", port: 22, keys: ["~/.ssh/id"], forward_agent: true }).to_s
  end

  def test_options_as_ssh_reads_them
    rows = {
      "identitiesonly yes" => { keys_only: true },
      "identityagent none" => { use_agent: false },
      "userknownhostsfile /a/known hosts" => { user_known_hosts_file: "/a/known hosts" },
      "globalknownhostsfile /a /b" => { global_known_hosts_file: %w[/a /b] },
      "hostkeyalias shop" => { host_key_alias: "shop" },
      "hostname 10.0.0.7" => { host_name: "10.0.0.7" },
      "bindaddress 127.0.0.1" => { bind_address: "127.0.0.1" },
      "certificatefile /a/id-cert.pub" => { keycerts: ["/a/id-cert.pub"] },
      "stricthostkeychecking accept-new" => { verify_host_key: :accept_new },
      "stricthostkeychecking false" => { verify_host_key: :never }
    }
    rows.each { |expected, options| assert_said expected, options }
  end

  def test_gateways
    command = Net::SSH::Proxy::Command.new("ssh -q gate@bastion.example.com -W %h:%p")
    assert_said "proxycommand ssh -q gate@bastion.example.com -W %h:%p", proxy: command
    jump = Net::SSH::Proxy::Jump.new("gate@bastion.example.com:2222,inner.example.com")
    assert_said "proxyjump gate@bastion.example.com:2222,inner.example.com", proxy: jump
  end

  def test_the_users_own_files_come_after
    own = file("own", "Host web1.example.com\n  Port 2200\n  HostKeyAlias other\n")
    lines = read_by_ssh(config(config: own, host_key_alias: "shop"), "web1.example.com")
    assert_includes lines, "port 2200"
    assert_includes lines, "hostkeyalias shop"
    assert_equal "", config(config: false).to_s
  end

  def in_home(home)
    old = ENV.fetch("HOME", nil)
    ENV["HOME"] = home
    yield
  ensure
    ENV["HOME"] = old
  end

  def test_another_home_than_that_of_the_password_file
    file(".ssh/config", "Host web1.example.com\n  Port 2200\n")
    key = file(".ssh/id_ed25519")
    in_home(directory) do
      lines = read_by_ssh(SshConfig.new("web1.example.com", {}), "web1.example.com")
      assert_includes lines, "port 2200"
      assert_includes lines, "userknownhostsfile #{directory}/.ssh/known_hosts #{directory}/.ssh/known_hosts2"
      assert_includes lines, "identityfile #{key}"
      named = read_by_ssh(SshConfig.new("web1.example.com", { keys: ["/k"] }), "web1.example.com")
      refute_includes named, "identityfile #{key}"
    end
  end

  def test_what_would_be_more_than_one_value_is_refused
    jump = ->(hosts) { { proxy: Net::SSH::Proxy::Jump.new(hosts) } }
    [
      { host_key_alias: "a\nProxyCommand touch /tmp/x" }, { host_key_alias: 'a" b' }, { user_known_hosts_file: "" },
      { proxy: Net::SSH::Proxy::Command.new("ssh a\nHost *") }, jump.call("a -oX=y"), jump.call("-oProxyCommand=x")
    ].each { |options| assert_raises(SshConfig::Unwritable, options.inspect) { config(options).to_s } }
  end

  def test_what_can_not_be_followed_is_named
    proxy = Net::SSH::Proxy::HTTP.new("proxy.example.com")
    options = { password: "secret", encryption: "aes256-ctr", proxy: proxy, auth_methods: %w[password], timeout: 5 }
    assert_equal %i[auth_methods encryption password proxy], config(options).left_out.sort
    assert_empty config(keys: ["x"], forward_agent: false, auth_methods: %w[publickey], passphrase: nil).left_out
  end
end
