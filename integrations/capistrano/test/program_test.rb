# frozen_string_literal: true

require "helper"
require "set"

class ProgramTest < AssetsyncTest
  Program = Capistrano::Assetsync::Program

  def run_shell(script, &block)
    Program.new("/bin/sh").run(["-c", script], &block)
  end

  def heard(script)
    heard = []
    status = run_shell(script) { |event| heard << event }
    [status, heard]
  end

  def test_events_lines_and_statuses
    assert_equal [0, [{ "event" => "phase" }]], heard(%q(echo '{"event":"phase"}'))
    assert_equal [3, ["not json", "[1]"]], heard("echo not json; echo '[1]'; exit 3")
    assert_equal [0, ["oops"]], heard("echo oops >&2")
    assert_equal 137, heard("kill -9 $$").first
  end

  def test_output_is_utf8_whatever_the_locale
    external = Encoding.default_external
    silently { Encoding.default_external = Encoding::US_ASCII }
    status, heard = heard("echo '{\"line\":\"\u00E9\"}'; echo \u00E9 >&2")
    # Which of the two outputs is heard first is left open.
    assert_equal [0, Set[{ "line" => "\u00E9" }, "\u00E9"]], [status, heard.to_set]
  ensure
    silently { Encoding.default_external = external }
  end

  def silently
    verbose = $VERBOSE
    $VERBOSE = nil
    yield
  ensure
    $VERBOSE = verbose
  end

  def test_much_on_both_outputs_does_not_block
    script = "i=0; while [ $i -lt 2000 ]; do echo #{'x' * 200}; echo #{'y' * 200} >&2; i=$((i+1)); done"
    status, heard = heard(script)
    assert_equal [0, 4000], [status, heard.size]
  end

  def test_no_shell_reads_the_arguments
    out = file("out")
    Program.new("/bin/sh").run(["-c", 'printf %s "$1" > "$2"', "sh", "a b; $(echo no) `no` 'x'", out]) { flunk }
    assert_equal "a b; $(echo no) `no` 'x'", File.read(out)
  end

  def test_whoever_ends_it_early_ends_the_program
    pid = nil
    assert_raises(Interrupt) do
      run_shell("echo $$; exec sleep 600") do |line|
        pid = line.to_i
        raise Interrupt
      end
    end
    assert_raises(Errno::ESRCH) { Process.kill(0, pid) }
  end

  def test_a_program_that_is_not_there
    [-> { Program.new("/no/such").run(%w[x]) { flunk } }, -> { Program.new("/no/such").version }].each do |call|
      error = assert_raises(Program::NotFound, &call)
      assert_match(%r{/no/such can't be run: .*set :assetsync_program}, error.message)
    end
  end
end
