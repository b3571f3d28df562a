# frozen_string_literal: true

require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Watches the lists of programs that run through a version manager or bundler. Plugins append to them while their
    # defaults are loaded; a plugin that is loaded later, or a `set` in deploy.rb, drops what they had appended: then
    # `pumactl` runs without rbenv, and fails with "bundle: command not found".
    class MapBins
      MANAGERS = %i[rbenv_map_bins rvm_map_bins chruby_map_bins].freeze
      LISTS = [*MANAGERS, :bundle_bins].freeze

      # What capistrano3-puma 6 and 7 append to a manager's list only if that is there already.
      PUMA = %w[puma pumactl].freeze

      # `env` is Capistrano's configuration, `files` gives the paths of what users write, once a stage is set.
      def initialize(env, files)
        @env = env
        @files = files
        @appended = Hash.new { |lists, name| lists[name] = [] }
        @assigned = {}
        @before = nil
      end

      # Notes from now on what is appended.
      def watch
        bins = self
        @env.extend(Module.new do
          define_method(:append) do |key, *values|
            bins.appended(key, values)
            super(key, *values)
          end
          define_method(:set) do |key, value = nil, &block|
            bins.assigned(key, value)
            super(key, value, &block)
          end
        end)
      end

      def appended(name, values)
        @appended[name].concat(values.flatten.map(&:to_s)) if @before.nil? && LISTS.include?(name)
      end

      # Older plugins extend the list itself and assign it.
      def assigned(name, value)
        return unless LISTS.include?(name) && value.is_a?(Array)

        before = @assigned.fetch(name, [])
        @assigned[name] = value.map(&:to_s)
        appended(name, @assigned[name] - before) if before.any? && (before - @assigned[name]).empty?
      end

      # Remembers the lists as plugins have left them.
      def remember
        @before = LISTS.to_h { |name| [name, list(name)] }
        return if (PUMA - @appended[:bundle_bins]).any?

        MANAGERS.each { |name| @appended[name] |= PUMA if @before[name].any? }
      end

      # What to tell the user, one text for each list that has lost something.
      def warnings
        LISTS.filter_map do |name|
          lost = @appended[name].uniq - list(name)
          next if lost.empty? || removed_on_purpose?(name)

          (lost - @before[name]).any? ? order(name, lost) : replaced(name, lost)
        end
      end

      private

      def list(name)
        Array(@env.variables.peek(name)).map(&:to_s).uniq
      end

      def order(name, lost)
        plugin = name == :bundle_bins ? "bundler" : name.to_s.delete_suffix("_map_bins")
        "the Capfile loads capistrano/#{plugin} after a plugin that appends #{lost.join(', ')} to #{name}, " \
          "and so drops #{lost.one? ? 'it' : 'them'}; require capistrano/#{plugin} before that plugin"
      end

      def replaced(name, lost)
        added = list(name) - @before.fetch(name)
        advice = added.empty? ? "delete that line" : "write `append :#{name}, #{quoted(added)}` instead"
        "#{place('set', name) || 'Something'} sets #{name} anew and so drops #{lost.join(', ')}, " \
          "which a plugin needs; #{advice}"
      end

      def quoted(names)
        names.map { |name| "\"#{name}\"" }.join(", ")
      end

      # `remove` means it.
      def removed_on_purpose?(name)
        place("remove", name) && !place("set", name)
      end

      # File and line of the last statement that calls `verb` on a list. Capistrano's own record of places names its own
      # files, depending on the version of Ruby.
      def place(verb, name)
        statement = /^\s*#{verb}[\s(]\s*:#{name}\b/
        @files.call.reverse_each do |file|
          lines = File.file?(file) ? File.readlines(file) : []
          at = lines.rindex { |line| line.scrub.match?(statement) }
          return "#{file}:#{at + 1}" if at
        end
        nil
      end
    end
  end
end
