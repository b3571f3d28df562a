# frozen_string_literal: true

require "fileutils"
require "capistrano/assetsync/checkout"

module Capistrano
  class Assetsync < Plugin
    # What belongs to a build on this machine, before and after it.
    module Building
      private

      # Servers get what is in the repository, and assets are built from what is here.
      def look_at_checkout
        mode = fetch(:assetsync_checkout).to_s
        return if dry_run? || mode == "false" || !deploying?

        differences = Checkout.new.differences(fetch(:current_revision))
        return if differences.empty?

        text = "assets are built from another state than the release: #{differences.join('; ')}"
        raise Failed, "#{text}. Deploy what is checked out, or set :assetsync_checkout, \"warn\"" if mode == "refuse"

        warn_user(text)
      end

      # assetsync does that itself, where nothing else needs the files after it.
      def clean_up
        return if dry_run? || !builds? || !fetch(:assetsync_cleanup)

        built = directories.select { |directory| File.directory?(directory) }
        inside = built.select { |directory| File.realpath(directory).start_with?("#{File.realpath(Dir.pwd)}/") }
        inside.each { |directory| FileUtils.rm_rf(directory, secure: true) }
      end
    end
  end
end
