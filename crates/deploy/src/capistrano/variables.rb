# Prints what Capistrano makes of the project in the current directory, as JSON. It loads the Capfile, and what `cap STAGE`
# loads for each stage, and runs no task: no server is connected to. The arguments are the names of variables.

require "json"

# Whatever the configuration prints is not the answer.
ANSWER = $stdout.dup
$stdout.reopen($stderr)

begin
  require "bundler"
  Bundler.setup if Bundler.default_gemfile.file?
rescue LoadError, StandardError
  # The gems that are installed have to do.
end

def answer(object)
  ANSWER.write(JSON.generate(object))
  ANSWER.flush
  exit!(0)
end

begin
  require "capistrano/all"
  require "capistrano/plugin"
rescue LoadError
  answer({ "missing" => true })
end

# A plugin that is not installed here.
class Missing < Capistrano::Plugin
  def self.const_missing(name)
    const_set(name, Class.new(Missing))
  end
end
Capistrano.define_singleton_method(:const_missing) { |name| const_set(name, Class.new(Missing)) }

LOADED = []
ABSENT = []

# What the Capfile and deploy.rb call themselves.
main = self
main.define_singleton_method(:require) do |name|
  LOADED << name.to_s
  super(name)
rescue LoadError => e
  raise unless e.path == name.to_s
  ABSENT << name.to_s
  false
end
main.define_singleton_method(:install_plugin) do |plugin, *rest, **options|
  LOADED << plugin.to_s
  super(plugin, *rest, **options) unless plugin.is_a?(Class) && plugin <= Missing
end
main.define_singleton_method(:lock) { |*| nil }
SSHKit::Coordinator.prepend(Module.new { def each(*) end })

# Tasks of plugins that are not installed are there, and do nothing.
module Stand
  def [](name, *)
    super
  rescue RuntimeError
    raise if ABSENT.empty?
    define_task(name)
  end
end
Rake::Task.singleton_class.prepend(Stand)

# The parts of an answer; a module, as the DSL has methods of the same names.
module Answer
  module_function

  # Numbers, booleans and texts as JSON has them, and hashes as pairs; other objects only Ruby knows.
  def plain(value)
    case value
    when nil, true, false, Integer then value
    when String, Symbol, Pathname then value.to_s.dup.force_encoding("UTF-8").scrub
    when Array then value.map { |item| plain(item) }
    when Hash then { "pairs" => value.map { |name, item| [name.to_s, plain(item)] } }
    else { "unknown" => "is a #{value.class}" }
    end
  end

  def variable(env, name)
    return { "unknown" => "is asked for in each deploy" } if env.is_question?(name)

    plain(env.fetch(name))
  rescue StandardError, ScriptError => e
    { "unknown" => "can't be evaluated: #{e.message.lines.first.to_s.strip}" }
  end

  def server(host)
    options = host.ssh_options || {}
    options = options.merge(keys: host.keys) if options[:keys].nil? && Array(host.keys).any?
    { "address" => host.hostname, "user" => plain(host.user), "port" => plain(host.port), "roles" => host.roles.map(&:to_s),
      "no_release" => host.fetch(:no_release) ? true : false, "ssh_options" => plain(options) }
  end

  LISTS = %i[rbenv_map_bins rvm_map_bins chruby_map_bins bundle_bins].freeze

  # How plugins have left the lists, where `set` replaces one, and what `remove` takes.
  def watch_lists(env)
    seen = { "initial" => {}, "set_at" => {}, "removed" => Hash.new { |lists, name| lists[name] = [] } }
    Rake::Task["load:defaults"].enhance do
      LISTS.each { |name| seen["initial"][name] = Array(env.fetch(name)).map(&:to_s) if env.fetch(name) }
      env.define_singleton_method(:set) do |name, *rest, &block|
        frame = caller_locations.find { |one| one.path.start_with?("config/", "#{Dir.pwd}/") }
        seen["set_at"][name] = "#{frame.path.delete_prefix("#{Dir.pwd}/")}:#{frame.lineno}" if frame && LISTS.include?(name)
        super(name, *rest, &block)
      end
      env.define_singleton_method(:append) { |name, *items| variables.set(name, Array(fetch(name)).concat(items)) }
      env.define_singleton_method(:remove) do |name, *items|
        seen["removed"][name].concat(items.map(&:to_s))
        variables.set(name, Array(fetch(name)) - items)
      end
    end
    seen
  end

  def plugins
    LOADED.select { |name| name.start_with?("capistrano/", "rvm1/", "Capistrano::") }.uniq
  end

  # Only what `cap STAGE` does itself: hooks of the stage's task connect to servers.
  def load_stage(stage)
    task = Rake::Task[stage]
    action = task.actions.find { |one| one.source_location.first.end_with?("capistrano/setup.rb") }
    action.call(task, Rake::TaskArguments.new([], []))
  end

  def stage(stage, names)
    env = Capistrano::Configuration.env
    lists = watch_lists(env)
    load_stage(stage)
    set = names.select { |name| env.keys.include?(name) }
    { "name" => stage, "variables" => set.to_h { |name| [name, variable(env, name)] },
      "servers" => env.roles_for([:all]).map { |host| server(host) }, "plugins" => plugins, "absent" => ABSENT.uniq }.merge(lists)
  rescue StandardError, ScriptError, SystemExit => e
    { "name" => stage, "error" => e.message.lines.first.to_s.strip }
  end

  # Each stage has a process of its own: what one sets does not reach the next.
  def in_fork
    reader, writer = IO.pipe
    pid = fork do
      writer.write(JSON.generate(yield))
      writer.close
      exit!(0)
    end
    writer.close
    text = reader.read
    Process.wait(pid)
    JSON.parse(text)
  end
end

begin
  Rake.application = Capistrano::Application.new
  Rake.application.init("cap", [])
  Rake.application.raw_load_rakefile
  names = ARGV.map(&:to_sym)
  answer({ "stages" => main.stages.map { |stage| Answer.in_fork { Answer.stage(stage, names) } } })
rescue StandardError, ScriptError, SystemExit => e
  answer({ "error" => e.message.lines.first.to_s.strip })
end
