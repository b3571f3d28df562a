# Lies in shared, as capistrano3-puma writes it there. Without preload_app!, so that each worker reads the manifest of
# assets when it starts, and a phased restart brings the new one.
shared = __dir__
current = File.expand_path("../current", shared)

directory current
rackup File.join(current, "config.ru")
environment "production"
pidfile File.join(shared, "tmp/pids/puma.pid")
state_path File.join(shared, "tmp/pids/puma.state")
bind "unix://#{File.join(shared, "tmp/sockets/puma.sock")}"
activate_control_app "unix://#{File.join(shared, "tmp/sockets/pumactl.sock")}"
workers 2
threads 1, 4
