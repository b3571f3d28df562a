# frozen_string_literal: true

require "capistrano/assetsync/origins"

module Capistrano
  class Assetsync < Plugin
    # A task of capistrano-rails whose place is taken.
    class Place
      # capistrano-rails' own prerequisite of its tasks.
      RAILS = "set_rails_env"

      # What was dropped: where it is written, and the prerequisite if it is one.
      Drop = Struct.new(:place, :prerequisite)

      attr_reader :name

      # `waits` says whether the task is to do nothing yet when it is invoked.
      def initialize(name, waits: nil, &action)
        @name = name
        @waits = waits
        @action = proc { action.call }
      end

      # Makes our action the task's only one, and gives what it drops: actions and prerequisites of others. What
      # Capistrano's `before` and `after` have hooked to the task stays. The block tells whether a prerequisite of
      # unknown origin belongs to a recipe.
      def take(&recipe)
        task = Rake::Task.define_task(@name)
        foreign = of_kind(task, :foreign)
        dropped = foreign.map { |action| Drop.new(Origins.place(action)) }
        dropped += drop_prerequisites(task, foreign.any?, &recipe)
        reset(task, of_kind(task, :hook))
        dropped.uniq
      end

      private

      def of_kind(task, kind)
        task.actions.select { |action| !action.equal?(@action) && Origins.kind(action) == kind }
      end

      def reset(task, hooks)
        task.actions.replace([@action, *hooks])
        defer(task) if @waits
      end

      # `task compile_assets: [...]` is part of a definition, and goes with it.
      def drop_prerequisites(task, redefined, &recipe)
        lost = task.prerequisites.reject { |name| keep?(task, name.to_s, redefined, &recipe) }
        task.prerequisites.replace(task.prerequisites - lost)
        lost.map(&:to_s).reject { |name| name == RAILS }.map { |name| Drop.new(prerequisite_place(task, name), name) }
      end

      def keep?(task, name, redefined)
        found = Rake.application.lookup(name, task.scope)
        return !found.nil? if name == RAILS

        origin = Origins.prerequisite(task, name)
        return origin.hook if origin

        !redefined && !(found && block_given? && yield(found))
      end

      def prerequisite_place(task, name)
        origin = Origins.prerequisite(task, name)
        found = Rake.application.lookup(name, task.scope)
        origin&.place || (found && Origins.place_of_task(found)) || "a file"
      end

      # capistrano-rails invokes the task after deploy:updated. Until the moment has come that is as if nobody had, and
      # hooks of the task wait with it.
      def defer(task)
        waits = @waits
        task.define_singleton_method(:invoke) { |*args| super(*args) unless waits.call }
      end
    end
  end
end
