# frozen_string_literal: true

require "helper"
require "json"

class ReportTest < AssetsyncTest
  Report = Capistrano::Assetsync::Report

  # What is shown of a run, by SSHKit's own formatter; and the report.
  def shown(events, status: 0, arguments: %w[deploy production])
    io = StringIO.new
    report = Report.new(SSHKit::Formatter::Pretty.new(io), arguments)
    report.start
    events.each { |event| report.note(event) }
    report.finish(status)
    [io.string.gsub(/\e\[[\d;]*m|\[\h{8}\] /, ""), report]
  end

  def setup
    super
    SSHKit.config.output_verbosity = :debug
  end

  def event(name, **rest)
    rest.transform_keys(&:to_s).merge("event" => name)
  end

  BUILD = "bundle exec rake assets:precompile"

  def good
    [
      event("phase", phase: "build"), event("running", host: nil, command: BUILD),
      event("output", host: nil, line: "Writing app.js"), event("ran", host: nil, command: BUILD, seconds: 1.5),
      event("staged", destination: "web1", files_sent: 1, bytes_sent: 1_234), event("progress", done: 1),
      event("same_directory", destination: "web2", same_as: "web1"),
      event("notice", destination: "web1", message: "by SFTP"), event("pruned", destination: "web1", paths: 2),
      event("cleaned_up", path: "public/assets"), event("done", destination: "web1", ok: true),
      event("rollout", ok: true, deploy: "20261122T051233Z-5f3a9c01")
    ]
  end

  def test_a_deploy
    text, report = shown(good)
    lines = [
      "Running assetsync deploy production", "Running #{BUILD}", "Writing app.js", "web1: 1 file sent, 1.2 kB",
      "web2: same directory as web1; published once", "WARN web1: by SFTP", "web1: 2 old paths deleted", "deleted public/assets on this machine",
      "deploy 20261122T051233Z-5f3a9c01 is live"
    ]
    places = lines.map { |line| text.index(line) or flunk("#{line} is not in:\n#{text}") }
    assert_equal places.sort, places
    assert_equal 2, text.scan("with exit status 0 (successful)").size
    assert_equal "20261122T051233Z-5f3a9c01", report.deploy
  end

  def test_a_build_that_fails
    failed = event("rollout", ok: false, deploy: "", error: "The build failed: it ended with 1")
    text, report = shown(good.first(3) << failed, status: 1)
    assert_equal 2, text.scan("with exit status 1 (failed)").size
    assert_nil report.deploy
    assert_equal "The build failed: it ended with 1", report.error
  end

  def test_a_host_that_fails
    events = [event("failed", destination: "web2", error: "no room"),
              event("rollout", ok: false, error: "1 of 2 failed, so nothing is published")]
    text, report = shown(events, status: 1)
    assert_match(/ERROR web2: no room/, text)
    assert_equal "1 of 2 failed, so nothing is published; web2: no room", report.error
  end

  def test_what_only_standard_error_says
    text, report = shown(["error: 'deploy_to' is empty"], status: 2)
    assert_includes text, "error: 'deploy_to' is empty"
    assert_equal "error: 'deploy_to' is empty", report.error
    assert_equal "it gave no reason", shown([], status: 1).last.error
  end

  def test_what_hosts_have
    deploy = { deploy: "20261122T051233Z-5f3a9c01", published: 0, user: "anna", host: "laptop", files: 2, missing: 1 }
    changed = [{ path: "a.js", how: "changed" }]
    status = { destination: "web1", ok: true, live: deploy, kept: [deploy], changed: changed, free_bytes: 50_000_000 }
    events = [event("status", **status), event("status", destination: "web2", ok: false, error: "gone")]
    text, = shown(events.map { |event| JSON.parse(JSON.generate(event)) }, arguments: %w[status production], status: 1)
    [
      "web1: deploy 20261122T051233Z-5f3a9c01 is live, 50.0 MB free", "a.js drifted: changed", "ERROR web2: gone",
      "20261122T051233Z-5f3a9c01 1970-01-01 00:00 UTC by anna@laptop, 2 files, 1 file missing"
    ].each { |line| assert_includes text, line }
  end

  def test_text_of_others_does_not_drive_the_terminal
    said = "a\e[2J\u202eb\u{e0041}\rc\u2028 \ttab \u26a0\ufe0f"
    escaped = "a\\u{1b}[2J\\u{202e}b\\u{e0041}\\u{d}c\\u{2028} \ttab \u26a0\ufe0f"
    deploy = { "deploy" => "20261122T051233Z-5f3a9c01", "user" => said, "host" => "laptop" }
    events = [
      event("running", host: nil, command: "x #{said}"), event("output", host: nil, line: said),
      event("notice", message: said), event("failed", destination: said, error: said),
      event("status", destination: "web1", ok: true, live: nil, kept: [deploy], changed: [{ "path" => said }]),
      event("cleaned_up", path: said), event("rollout", ok: false, error: said), "stderr \xff\xe2\x80 #{said}".b
    ]
    io = StringIO.new
    report = Report.new(SSHKit::Formatter::SimpleText.new(io), %w[deploy production])
    events.each { |event| report.note(event) }
    text = io.string.gsub(/\e\[[\d;]*m/, "")
    refute_match(Capistrano::Assetsync::Words::UNSAFE, text)
    refute_match(Capistrano::Assetsync::Words::UNSAFE, report.error)
    assert_includes text, "stderr \\xff\\xe2\\x80 #{escaped}"
    assert_includes text, "by #{escaped}@laptop"
  end

  def test_pruning_brings_nothing
    text, report = shown(good.last(1), arguments: %w[prune production])
    assert_nil report.deploy
    refute_includes text, "is live"
  end
end
