# frozen_string_literal: true

require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Watches the lists of programs that run through a version manager or bundler. Plugins extend them before deploy.rb
    # is read, and a `set` there drops what they had added: then `pumactl` runs without rbenv, and fails with "bundle:
    # command not found".
    class MapBins
      LISTS = %i[rbenv_map_bins rvm_map_bins chruby_map_bins bundle_bins].freeze

      # `variables` are Capistrano's, `files` gives the paths of what users write, once a stage is set.
      def initialize(variables, files)
        @variables = variables
        @files = files
        @before = {}
      end

      # Remembers the lists as plugins have left them.
      def remember
        @before = LISTS.to_h { |name| [name, list(name)] }
      end

      # What to tell the user, one text for each list that has lost something.
      def warnings
        LISTS.filter_map do |name|
          lost = @before.fetch(name, []) - list(name)
          warning(name, lost) unless lost.empty? || removed_on_purpose?(name)
        end
      end

      private

      def list(name)
        Array(@variables.peek(name)).map(&:to_s).uniq
      end

      def warning(name, lost)
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
