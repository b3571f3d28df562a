# Prints what the real SSHKit makes of commands: an array of cases as JSON on stdin, one JSON string a line on stdout.
# The plugins for Capistrano are not in Debian; what they tell SSHKit is one call for each name on their lists.
require "json"
require "sshkit"

def configure(manager, bundle_bins)
  map = SSHKit.config.command_map
  bundle_bins.each { |bin| map.prefix[bin].push("bundle exec") }
  return unless manager

  manager["environment"].each { |name, value| SSHKit.config.default_env[name.to_sym] = value }
  manager["replaced"].each { |name, path| map[name.to_sym] = path }
  manager["bins"].each { |bin| map.prefix[bin].unshift(manager["prefix"]) }
end

def line(wanted)
  SSHKit.reset_configuration!
  SSHKit.config.default_env = wanted["default_env"].to_h.transform_keys(&:to_sym)
  SSHKit.config.umask = wanted["umask"]
  configure(wanted["manager"], wanted["bundle_bins"])
  options = { in: wanted["in"], user: wanted["user"], group: wanted["group"] }.compact
  options[:env] = wanted["env"].to_h.transform_keys(&:to_sym)
  SSHKit::Command.new(wanted["command"], *wanted["args"], options).to_command
end

JSON.parse($stdin.read).each { |wanted| puts JSON.generate(line(wanted)) }
