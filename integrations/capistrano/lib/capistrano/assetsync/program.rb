# frozen_string_literal: true

require "json"
require "open3"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Runs the `assetsync` command without a shell, and hands on what it says while it runs.
    class Program
      # There is no such program.
      NotFound = Class.new(StandardError)

      # The program in the gem for this platform.
      BROUGHT = File.expand_path("../../../libexec/assetsync", __dir__)

      # What is run unless the variable says otherwise: the program in this gem, or in the gem without one, the one on
      # the PATH.
      def self.default
        File.executable?(BROUGHT) ? BROUGHT : "assetsync"
      end

      def initialize(path)
        @path = path.to_s
      end

      # The version it says it has.
      def version
        out, status = Open3.capture2e(@path, "--version")
        raise NotFound, "`#{@path} --version` failed: #{out.strip}" unless status.success?

        out[/\d+\.\d+\.\d+\S*/].to_s
      rescue SystemCallError => e
        raise NotFound, not_found(e)
      end

      # The lines it prints when run with `arguments`, however it ends.
      def answer(arguments)
        out, = Open3.capture2(@path, *arguments, err: File::NULL)
        out.force_encoding(Encoding::UTF_8).scrub.lines
      rescue SystemCallError => e
        raise NotFound, not_found(e)
      end

      # Runs it with `arguments` and yields each event as a hash, and each line it wrote to standard error as text, as
      # they come. Returns the exit status; if a signal ended it, 128 and the signal's number as a shell says.
      def run(arguments, &block)
        Open3.popen3(@path, *arguments, in: File::NULL) do |stdin, stdout, stderr, ending|
          stdin.close
          follow(stdout, stderr, ending, &block)
          status = ending.value
          status.exitstatus || (128 + status.termsig.to_i)
        end
      rescue Errno::ENOENT, Errno::EACCES => e
        raise NotFound, not_found(e)
      end

      private

      # Whatever ends this early, as Ctrl-C does, ends the program as well; it then leaves all hosts as they were.
      def follow(stdout, stderr, ending)
        lines = Queue.new
        readers = { events: stdout, errors: stderr }.map { |kind, io| reader(kind, io, lines) }
        readers.size.times do
          while (kind, line = lines.pop)
            yield(kind == :events ? event(line) : line)
          end
        end
        finished = true
      ensure
        stop(ending) unless finished
        readers&.each(&:join)
      end

      # An empty entry says that nothing more comes. What assetsync writes is UTF-8, whatever the locale.
      def reader(kind, io, lines)
        io.set_encoding(Encoding::UTF_8)
        Thread.new do
          io.each_line { |line| lines << [kind, line.scrub.chomp] }
        ensure
          lines << nil
        end
      end

      def event(line)
        event = JSON.parse(line)
        event.is_a?(Hash) ? event : line
      rescue JSON::ParserError
        line
      end

      def stop(ending)
        Process.kill(:TERM, ending.pid)
        ending.value
      rescue Errno::ESRCH
        # It has ended by itself.
      end

      def not_found(error)
        "#{@path} can't be run: #{error.message}. Install assetsync on the machine that deploys, or the gem for its " \
          "platform (#{Gem::Platform.local}), which has it inside, or set :assetsync_program to its path"
      end
    end
  end
end
