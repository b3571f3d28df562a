# frozen_string_literal: true

require "etc"
require "minitest/autorun"
require "stringio"
require "tmpdir"
require "rake"

# Capistrano's tasks are defined as they are in `cap`, by Rake's words at the top level.
extend Rake::DSL

require "capistrano/all"
require "capistrano/assetsync/plugin"

# Whoever runs the tests, ssh and Net::SSH look for files in the same home.
ENV["HOME"] = Etc.getpwuid.dir

module Helper
  # A server as `server NAME, PROPERTIES` defines it.
  def server(name, properties = {})
    Capistrano::Configuration::Server[name].tap do |server|
      server.port = properties[:port] if properties.key?(:port)
      server.with(properties)
    end
  end

  # A file in a directory of the test's own.
  def file(name, content = "")
    path = File.join(directory, name)
    FileUtils.mkdir_p(File.dirname(path))
    File.write(path, content)
    path
  end

  def directory
    @directory ||= Dir.mktmpdir("assetsync-test-")
  end

  def teardown
    FileUtils.remove_entry(@directory) if @directory
    super
  end
end

class AssetsyncTest < Minitest::Test
  include Helper
end
