# frozen_string_literal: true

require "rake"
require "capistrano/all"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Where the parts of a task are written: its actions, its prerequisites, and the hooks that Capistrano adds.
    module Origins
      # Our own files, Rake's, and the one with Capistrano's `before` and `after`.
      OURS = "#{File.expand_path('..', __dir__)}/"
      RAKE = "#{File.dirname(Rake::TaskManager.instance_method(:define_task).source_location.first)}/"
      HOOKS = Capistrano::TaskEnhancements.instance_method(:after).source_location.first

      # A prerequisite's place, and whether `before` added it.
      Prerequisite = Struct.new(:place, :hook)

      # Rake keeps no note of who adds a prerequisite or an action. From the moment the gem is required, this does.
      module Recorder
        def enhance(deps = nil, &block)
          Origins.note(self, deps, block)
          super(deps, &block)
        end
      end

      @hooks = {}.compare_by_identity
      @prerequisites = {}.compare_by_identity

      class << self
        def note(task, deps, block)
          frames = caller_locations(2)
          origin = Prerequisite.new(place_of(frames), frames.any? { |frame| before?(frame) })
          @hooks[block] = origin.place if block && kind(block) == :hook
          noted = @prerequisites[task] ||= {}
          Array(deps).each { |name| noted[name.to_s] = origin }
        end

        # Who has written an action: `:ours`, `:rails` (capistrano-rails), `:capistrano`, `:hook` (what `after` adds) or
        # `:foreign`.
        def kind(action)
          file = File.expand_path(action.source_location.to_a.first.to_s)
          return :hook if file == HOOKS
          return :rails if rails_files.include?(file)
          return :capistrano if file.start_with?("#{File.dirname(HOOKS, 2)}/")

          file.start_with?(OURS) ? :ours : :foreign
        end

        # What is known of a prerequisite; nil if it was added before the gem was required.
        def prerequisite(task, name)
          @prerequisites.fetch(task, {})[name.to_s]
        end

        # The name of the task that a hook invokes.
        def hooked(hook)
          hook.binding.local_variable_get(:post_task).to_s
        end

        # Where the `after` of a hook is written; nil if that was before the gem was required.
        def hook_place(hook)
          @hooks[hook]
        end

        # File and line, below the project or the gems if it is there.
        def place(action)
          shown(*action.source_location)
        end

        # Where a task is written: where its first action of somebody else is.
        def place_of_task(task)
          action = task.actions.find { |one| kind(one) != :hook }
          action && place(action)
        end

        private

        def before?(frame)
          frame.path == HOOKS && frame.base_label == "before"
        end

        def place_of(frames)
          frame = frames.find { |one| !one.path.start_with?(RAKE) && one.path != HOOKS && one.path != __FILE__ }
          frame && shown(frame.path, frame.lineno)
        end

        def shown(file, line)
          "#{file.delete_prefix("#{Dir.pwd}/").delete_prefix('./').sub(%r{\A/.*/gems/}, '')}:#{line}"
        end

        # capistrano-rails' own file, whatever a project's files are called.
        def rails_files
          required = $LOADED_FEATURES.select { |file| file.end_with?("/capistrano/rails/assets.rb") }
          required.map { |file| File.expand_path("../tasks/assets.rake", File.dirname(file)) }
        end
      end

      Rake::Task.prepend(Recorder)
    end
  end
end
