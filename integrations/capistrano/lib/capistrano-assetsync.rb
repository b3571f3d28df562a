# frozen_string_literal: true

# Bundler requires this file by the gem's name. What the gem does is loaded by the Capfile:
#
#   require "capistrano/assetsync"
