# frozen_string_literal: true

plugin = self

namespace :assetsync do
  desc "Check that assetsync and its settings are good, and that all hosts can be reached"
  task :check do
    plugin.check
  end

  desc "Build assets and push them, as a deploy does"
  task :deploy do
    plugin.push(build: true)
  end

  desc "Push assets that are built already"
  task :push do
    plugin.push(build: false)
  end

  desc "Show which assets each host has: the live deploy, those that are kept, what was changed by hand"
  task :status do
    plugin.look
  end

  desc "Bring back the assets of an earlier deploy: assetsync:rollback[ID], or [N] deploys back"
  task :rollback, [:deploy] do |_task, args|
    plugin.roll_back(args[:deploy] || 1)
  end

  desc "Delete old assets that no release needs any more"
  task :prune do
    plugin.prune
  end

  task :check_program do
    plugin.check_program
  end

  task :set_up do
    plugin.set_up
  end
end
