# frozen_string_literal: true

require "rake"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # A task of capistrano-rails whose place is taken.
    class Place
      attr_reader :name

      # `waits` says whether the task is to do nothing yet when it is invoked.
      def initialize(name, waits: nil, &action)
        @name = name
        @waits = waits
        @action = proc { action.call }
      end

      # Makes our action the task's first and only one. Hooks after it are actions too and come again, as they stand
      # behind the one that goes.
      def take
        task = Rake::Task.define_task(@name)
        hooks = task.actions.select { |action| hook?(action) }
        task.clear_actions
        [@action, *hooks].each { |action| task.enhance(&action) }
        defer(task) if @waits
      end

      # Where the action that stands in our place comes from; nil if ours is there.
      def foreign_location
        actions = Rake::Task[@name].actions
        return if actions.include?(@action)

        own = actions.find { |action| !hook?(action) }
        own ? own.source_location.join(":") : "deploy.rb"
      end

      private

      # Whether an action is what Capistrano's `after` adds.
      def hook?(action)
        action.source_location.to_a.first.to_s.end_with?("capistrano/dsl/task_enhancements.rb")
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
