# As capistrano3-puma writes it into shared: a cluster that restarts one worker after another.
current, shared = %w[current shared].map { |name| File.join(ENV.fetch("DEPLOY_TO"), name) }

directory current
rackup File.join(current, "config.ru")
environment "production"
pidfile File.join(shared, "tmp/pids/puma.pid")
state_path File.join(shared, "tmp/pids/puma.state")
bind "unix://#{File.join(shared, "tmp/sockets/puma.sock")}"
activate_control_app "unix://#{File.join(shared, "tmp/sockets/pumactl.sock")}", no_token: true
workers 2
threads 1, 4
prune_bundler
on_restart { ENV["BUNDLE_GEMFILE"] = File.join(current, "Gemfile") }
