# config/deploy.rb of a Rails application that Mina deploys.
require "mina/rails"
require "mina/git"

set :application_name, "shop"
set :domain, "web1.example.com"
set :user, "deploy"
set :deploy_to, "/var/www/shop"
set :repository, "git@example.com:shop.git"
set :branch, "main"

desc "Compiles the assets here and brings them to the shared directory of every host"
task :assets do
  run :local do
    comment "Deploying assets"
    command "assetsync deploy production"
  end
end

task :deploy do
  # First, so that a release never names assets that are not there yet. If it fails, nothing is deployed.
  invoke :assets

  deploy do
    invoke :"git:clone"
    invoke :"deploy:link_shared_paths"
    invoke :"bundle:install"
    invoke :"rails:db_migrate"
    # In place of invoke :"rails:assets_precompile".
    invoke :"deploy:cleanup"

    on :launch do
      in_path fetch(:current_path) do
        command "mkdir -p tmp && touch tmp/restart.txt"
      end
    end
  end
end
