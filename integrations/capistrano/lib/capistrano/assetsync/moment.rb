# frozen_string_literal: true

require "rake"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # When in a deploy assets are built and pushed.
    class Moment
      DEFAULT = "before deploy:publishing"

      # The setting is neither false nor "before TASK" nor "after TASK".
      Unknown = Class.new(StandardError)

      # Without a setting, assets are pushed only where somebody invokes assetsync:deploy.
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

        Rake::Task.define_task("assetsync:moment") { block.call("deploy:compile_assets") }
        dsl.public_send(@side, @task, "assetsync:moment")
      end

      # Whether it is still to come; where there is none, it never comes.
      def waits?
        @task.nil? || !Rake::Task[@task].already_invoked
      end
    end
  end
end
