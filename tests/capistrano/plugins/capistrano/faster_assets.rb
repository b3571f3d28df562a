# frozen_string_literal: true

# As capistrano-faster-assets 1.1.0 takes the place of capistrano-rails' build.
Rake::Task["deploy:assets:precompile"].clear_actions

namespace :deploy do
  namespace :assets do
    task :precompile do
      on(roles(fetch(:assets_roles))) { execute(:rake, "assets:precompile") }
    end
  end
end
