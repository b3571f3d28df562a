# frozen_string_literal: true

require "capistrano/assetsync/plugin"

# One line in the Capfile is enough. A second `install_plugin Capistrano::Assetsync` changes nothing.
install_plugin Capistrano::Assetsync
