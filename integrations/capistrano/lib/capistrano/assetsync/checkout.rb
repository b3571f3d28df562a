# frozen_string_literal: true

require "open3"
require "capistrano/plugin"

module Capistrano
  class Assetsync < Plugin
    # What is checked out where assets are built. Servers get what is in the repository, so another commit here, or
    # files that were changed and not committed, make assets that do not belong to the release.
    class Checkout
      def initialize(directory = Dir.pwd)
        @directory = directory
      end

      # How it differs from `revision`, the commit that is deployed, if that is known.
      def differences(revision)
        head = git("rev-parse", "HEAD")
        return [] unless head

        [other_commit(head, revision), changed_files].compact
      end

      private

      def other_commit(head, revision)
        revision = revision.to_s.strip
        return if !revision.match?(/\A\h{7,64}\z/) || head.start_with?(revision)

        "#{head[0, 10]} is checked out, and #{revision[0, 10]} is deployed"
      end

      def changed_files
        changed = git("status", "--porcelain", "--untracked-files=no").to_s.lines.map { |line| line[3..].to_s.strip }
        return if changed.empty?

        more = changed.size > 3 ? " and #{changed.size - 3} more" : ""
        "not committed: #{changed.first(3).join(', ')}#{more}"
      end

      # What git prints; nil if this is no repository, or there is no git.
      def git(*arguments)
        out, _error, status = Open3.capture3("git", "-C", @directory, *arguments)
        out.chomp if status.success?
      rescue SystemCallError
        nil
      end
    end
  end
end
