# frozen_string_literal: true

require "rake"
require "capistrano/assetsync/origins"

module Capistrano
  class Assetsync < Plugin
    # When in a deploy assets are built and pushed.
    class Moment
      DEFAULT = "before deploy:publishing"

      # The task that capistrano-rails hooks its build to, and that of its build.
      RAILS = "deploy:updated"
      BUILD = "deploy:compile_assets"

      # The setting is neither false nor "before TASK" nor "after TASK".
      Unknown = Class.new(StandardError)

      attr_reader :task

      # Without a setting, assets are pushed only where somebody invokes assetsync:deploy or deploy:compile_assets.
      def self.parse(setting)
        return new(nil, nil) unless setting

        side, task = setting.to_s.match(/\A(before|after)\s+(\S+)\z/)&.captures
        raise Unknown, "assetsync_moment is #{setting.inspect}; write \"#{DEFAULT}\" or \"after TASK\"" unless task

        new(side.to_sym, task.include?(":") ? task : "deploy:#{task}")
      end

      def initialize(side, task)
        @side = side
        @task = task
      end

      # Has the block run at the moment, once, whoever else invokes the task it is given before that.
      def hook(dsl, &block)
        return if @task.nil? || Rake::Task.task_defined?("assetsync:moment")

        Rake::Task.define_task("assetsync:moment") { block.call(BUILD) }
        dsl.public_send(@side, @task, "assetsync:moment")
      end

      # Whether it is still to come; where there is none, whoever invokes the task means it.
      def waits?
        !@task.nil? && !Rake::Task[@task].already_invoked
      end

      # Takes away capistrano-rails' own hook, which is not one of the user's: the first of its kind.
      def release_rails
        return if $LOADED_FEATURES.none? { |file| file.end_with?("/capistrano/rails/assets.rb") }

        task = Rake::Task[RAILS]
        hook = task.actions.find { |one| Origins.kind(one) == :hook && Origins.hooked(one) == BUILD }
        task.actions.delete(hook)
      end
    end
  end
end
