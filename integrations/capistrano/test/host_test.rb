# frozen_string_literal: true

require "helper"

class HostTest < AssetsyncTest
  Host = Capistrano::Assetsync::Host

  # What SSHKit gives Net::SSH when it connects, which must be what assetsync is told.
  def of_sshkit(server, common)
    server.ssh_options = common.merge(server.ssh_options || {})
    server.netssh_options
  end

  def rows
    common = { port: 2200, user: "common", keys: ["/common"], forward_agent: false }
    [
      [-> { server("web1") }, {}],
      [-> { server("deploy@web1:2222") }, {}],
      [-> { server("web1", user: "deploy", port: 22) }, common],
      [-> { server("web1", ssh_options: { user: "own", keys: %w[/own], port: 7 }) }, common],
      [-> { server("web1", keys: %w[/server]) }, { user: "common" }],
      [-> { server("web1", user: "a", ssh_options: { user: "b" }) }, {}]
    ]
  end

  def test_options_are_those_of_sshkit
    rows.each do |make, common|
      expected = of_sshkit(make.call, common)
      found = Host.new(make.call, common).options
      %i[user port keys].each { |name| assert_equal [expected[name]], [found[name]], expected.inspect }
    end
  end

  def test_the_servers_user_goes_first_as_in_net_ssh
    host = Host.new(server("web1", user: "a", ssh_options: { user: "b" }))
    assert_equal "a", host.to_h[:user]
  end

  def test_the_table
    key = file("id")
    host = Host.new(server("web1", user: "deploy", port: "2222", ssh_options: { keys: [key, "#{key}.none"] }))
    expected = {
      address: "web1", roles: ["assets"], user: "deploy", port: 2222, identities: [key], config: "/x/ssh_config"
    }
    assert_equal expected, host.to_h("/x/ssh_config")
    assert_equal "web1:2222", host.label
  end

  def test_keys_that_are_nowhere_are_left_out
    host = Host.new(server("web1", ssh_options: { keys: %w[~/none/id] }))
    assert_nil host.to_h[:identities]
    assert_equal [File.expand_path("~/none/id")], host.missing_keys
    assert_nil Host.new(server("web1")).to_h[:identities]
  end
end
