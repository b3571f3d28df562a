# frozen_string_literal: true

require "shellwords"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # Paths on servers, in commands.
    module ServerPath
      module_function

      # As SSHKit does it from 1.19.1 on: the home directory stays one.
      def escaped(path)
        path.to_s.shellescape.sub(/\A\\~/, "~")
      end
    end
  end
end
