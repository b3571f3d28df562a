# frozen_string_literal: true

# As capistrano-bundler 2.1.1 defines it; bundler:install does nothing.

namespace :bundler do
  task :install

  task :map_bins do
    fetch(:bundle_bins).each do |command|
      SSHKit.config.command_map.prefix[command.to_sym].push("bundle exec")
    end
  end
end

Capistrano::DSL.stages.each { |stage| after stage, "bundler:map_bins" }

before "deploy:updated", "bundler:install"
before "deploy:reverted", "bundler:install"

namespace :load do
  task :defaults do
    set :bundle_bins, %w[gem rake rails]
    set :bundle_roles, :all
  end
end
