# frozen_string_literal: true

require "helper"

class SettingsTest < AssetsyncTest
  Settings = Capistrano::Assetsync::Settings

  def fault(message, hint = nil)
    event = { "ok" => false, "errors" => [{ "severity" => "error", "message" => message, "hint" => hint }] }
    Settings.faults(["not json", "[]", JSON.generate(event)]).first
  end

  def test_settings_have_the_names_of_variables
    rows = {
      "'assets.delete' can't be 'foo'" => ":assetsync_delete can't be 'foo'",
      "'assets.retention.keep' is no number" => ":assetsync_keep is no number",
      "'deploy_to' begins with '~' or '$'" => ":deploy_to begins with '~' or '$'",
      "'build.environment.NODE' is empty" => ":assetsync_build_environment 'build.environment.NODE' is empty",
      "'assets.set2.source' is absolute" => ":assetsync_extra_dirs 'assets.set2.source' is absolute",
      "'stages.production.buckets.url' is missing" => ":assetsync_buckets 'buckets.url' is missing",
      "'buckets.url' can't be used" => ":assetsync_buckets 'buckets.url' can't be used",
      "unknown setting 'assets.exlude'" => "unknown setting :assetsync_settings 'assets.exlude'"
    }
    rows.each { |message, expected| assert_equal expected, fault(message) }
    assert_equal ":application is empty: name it", fault("'application' is empty", "name it")
  end

  def test_what_is_fine
    assert_empty Settings.faults([JSON.generate("ok" => true), "text"])
  end
end

class LeftoversTest < AssetsyncTest
  def warnings(values)
    variables = Capistrano::Configuration::Variables.new(values)
    Capistrano::Assetsync::Leftovers.new(variables).warnings
  end

  def test_each_variable_is_named_with_its_replacement
    rows = {
      { assets_dir: "public/built" } => 'set :assets_prefix, "built"',
      { packs_dir: "public/vite" } => 'append :assetsync_extra_dirs, "public/vite"',
      { precompile_env: :staging } => 'set :rails_env, "staging"',
      { assets_role: :cdn } => "set :assets_roles, [:cdn]",
      { rsync_cmd: "rsync -a" } => ":assetsync_delete"
    }
    rows.each do |values, advice|
      warned = warnings(values)
      assert_equal 1, warned.size
      assert_includes warned.first, values.keys.first.to_s
      assert_includes warned.first, advice
    end
  end

  def test_defaults_of_the_plugin_say_nothing
    assert_empty warnings(assets_dir: "public/assets", packs_dir: "public/packs", assets_role: "web")
    assert_empty warnings({})
  end
end

class CheckoutTest < AssetsyncTest
  def git(*arguments)
    system("git", "-C", directory, "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments, exception: true)
  end

  def differences(revision)
    Capistrano::Assetsync::Checkout.new(directory).differences(revision)
  end

  def test_what_is_checked_out
    assert_empty differences("0" * 40), "it is no repository"
    git("init", "-q")
    file("a", "1")
    git("add", "a")
    git("commit", "-q", "-m", "1")
    head = `git -C #{directory} rev-parse HEAD`.chomp
    assert_empty differences(head)
    assert_empty differences(head[0, 10])
    assert_empty differences(nil), "the revision is unknown"
    assert_match(/is checked out, and 0000000000 is deployed/, differences("0" * 40).first)
    file("new", "untracked")
    assert_empty differences(head)
    file("a", "2")
    assert_equal ["not committed: a"], differences(head)
  end
end
