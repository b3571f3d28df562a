# frozen_string_literal: true

# As capistrano-bundler defines it, without bundler:install.

namespace :bundler do
  task :map_bins do
    fetch(:bundle_bins).each do |command|
      SSHKit.config.command_map.prefix[command.to_sym].push("bundle exec")
    end
  end
end

Capistrano::DSL.stages.each { |stage| after stage, "bundler:map_bins" }

namespace :load do
  task :defaults do
    set :bundle_bins, %w[gem rake rails]
    set :bundle_roles, :all
  end
end
