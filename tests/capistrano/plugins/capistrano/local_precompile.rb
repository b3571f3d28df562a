# frozen_string_literal: true

# As capistrano-local-precompile 1.2.0 defines it. The tasks only say that they run.

namespace :load do
  task :defaults do
    set :assets_dir,       "public/assets"
    set :packs_dir,        "public/packs"
    set :rsync_cmd,        "rsync -av --delete"
    set :assets_role,      "web"

    after "bundler:install", "deploy:assets:prepare"
    after "deploy:assets:prepare", "deploy:assets:rsync"
    after "deploy:assets:rsync", "deploy:assets:cleanup"
  end
end

namespace :deploy do
  namespace :assets do
    %i[cleanup prepare rsync].each do |name|
      task(name) { run_locally { execute :echo, "LOCAL-PRECOMPILE", name } }
    end
  end
end
