# frozen_string_literal: true

require "sshkit"
require "capistrano/assetsync/words"

module Capistrano
  class Assetsync < Plugin
    # Shows a run of assetsync as Capistrano shows commands: through SSHKit's formatter, whichever the user has chosen.
    class Report
      include Words

      # The deploy's id; nil if none was begun.
      attr_reader :deploy

      # `output` is SSHKit's formatter, `arguments` are those worth showing, the verb first.
      def initialize(output, arguments)
        @output = output
        @main = command(["assetsync", *arguments].join(" "), nil)
        @brings_assets = arguments.first != "prune"
        @inner = nil
        @errors = []
        @said = []
        @verdict = nil
      end

      def start
        begin_command(@main)
      end

      # Takes note of an event (a hash) or a line of text.
      def note(event)
        event = shown(event)
        return say_error(event) if event.is_a?(String)

        handler = "note_#{event['event']}"
        send(handler, event) if respond_to?(handler, true)
      end

      def finish(status)
        end_inner(status)
        end_command(@main, status)
      end

      # How much of what it said is repeated as the reason: its headline and its end.
      SAID = 8

      # Why it failed, in one line.
      def error
        reasons = [@verdict, *@errors].compact.uniq
        reasons = [*@said.first, *@said.drop(1).last(SAID)] if reasons.empty?
        reasons.empty? ? "it gave no reason" : reasons.join("; ")
      end

      private

      def note_running(event)
        end_inner(0)
        @inner = command(event["command"], event["host"])
        begin_command(@inner)
      end

      def note_output(event)
        @output.log_command_data(@inner || @main, :stdout, "#{event['line']}\n")
      end

      def note_ran(_event)
        end_inner(0)
      end

      def note_staged(event)
        return unless @brings_assets

        sent = counted(event["files_sent"], "file")
        say "#{event['destination']}: #{sent} sent, #{size(event['bytes_sent'])}"
      end

      def note_same_directory(event)
        say "#{event['destination']}: same directory as #{event['same_as']}; published once"
      end

      def note_pruned(event)
        say "#{event['destination']}: #{counted(event['paths'], 'old path')} deleted"
      end

      def note_cleaned_up(event)
        say "deleted #{event['path']} on this machine"
      end

      def note_notice(event)
        @output.warn([event["destination"], event["message"]].compact.join(": "))
      end

      def note_failed(event)
        text = "#{event['destination']}: #{event['error']}"
        @errors << text
        @output.error(text)
      end

      def note_status(event)
        return note_failed(event) unless event["ok"]

        live = event["live"]
        standing = live ? "deploy #{live['deploy']} is live" : "no deploy yet"
        free = event["free_bytes"] && ", #{size(event['free_bytes'])} free"
        say "#{event['destination']}: #{standing}#{free}"
        note_kept(event)
      end

      def note_kept(event)
        place = event["destination"]
        (event["kept"] || []).each { |kept| say "#{place}:   #{kept_line(kept)}" }
        (event["changed"] || []).each { |file| say "#{place}:   #{file['path']} drifted: #{file['how']}" }
      end

      def kept_line(kept)
        missing = kept["missing"].to_i
        lost = missing.zero? ? "" : ", #{counted(missing, 'file')} missing"
        origin = "#{time(kept['published'])} by #{kept['user']}@#{kept['host']}"
        "#{kept['deploy']} #{origin}, #{counted(kept['files'], 'file')}#{lost}"
      end

      def note_rollout(event)
        @verdict = event["error"]
        return unless event["ok"] && @brings_assets

        @deploy = event["deploy"].to_s
        say "deploy #{@deploy} is live"
      end

      def say(text)
        @output.log_command_data(@main, :stdout, "#{text}\n")
      end

      def say_error(text)
        @said << text unless text.strip.empty?
        @output.log_command_data(@main, :stderr, "#{text}\n")
      end

      def end_inner(status)
        end_command(@inner, status) if @inner
        @inner = nil
      end

      def command(line, host)
        host = host ? SSHKit::Host.new(hostname: host) : SSHKit::Host.new(:local)
        SSHKit::Command.new(line, host: host, raise_on_non_zero_exit: false)
      end

      def begin_command(command)
        @output.log_command_start(command)
        command.started = true
      end

      def end_command(command, status)
        command.exit_status = status
        @output.log_command_exit(command)
      end
    end
  end
end
