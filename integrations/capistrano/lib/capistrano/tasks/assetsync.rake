# frozen_string_literal: true

plugin = self

namespace :assetsync do
  desc "Check the assetsync command, its settings, and the connection to all hosts"
  task :check do
    plugin.check
  end

  desc "Build and push assets, as in a deploy"
  task :deploy do
    plugin.deploy_now
  end

  desc "Push the existing build"
  task :push do
    plugin.push(build: false)
  end

  desc "Show for each host the live deploy, kept deploys, and files changed outside of deploys"
  task :status do
    plugin.look
  end

  desc "Restore the assets of an earlier deploy: assetsync:rollback[ID], or [N] deploys back"
  task :rollback, [:deploy] do |_task, args|
    plugin.roll_back(args[:deploy] || 1)
  end

  desc "Delete old assets that no kept release needs"
  task :prune do
    plugin.prune
  end

  task :preflight do
    plugin.preflight
  end

  task :set_up do
    plugin.set_up
  end
end
