# frozen_string_literal: true

require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # The version of the gem, which is that of the `assetsync` it was made with.
    VERSION = "0.2.0"
  end
end
