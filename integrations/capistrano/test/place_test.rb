# frozen_string_literal: true

require "helper"

class PlaceTest < AssetsyncTest
  include Rake::DSL
  include Capistrano::TaskEnhancements

  Moment = Capistrano::Assetsync::Moment
  Place = Capistrano::Assetsync::Place

  def setup
    super
    @application = Rake.application
    start_anew
  end

  def start_anew
    Rake.application = Rake::Application.new
    @done = []
  end

  def teardown
    Rake.application = @application
    super
  end

  def note(name)
    task(name) { @done << name }
  end

  def invoke(name)
    Rake::Task[name].invoke
  end

  # The place of a line of this file, from wherever the tests run.
  def here(line)
    "#{Pathname.new(__FILE__).expand_path.relative_path_from(Pathname.pwd)}:#{line}"
  end

  def test_the_action_changes_and_hooks_stay
    note "before"
    note "after"
    task("compile") { @done << "theirs" }
    before "compile", "before"
    after "compile", "after"
    assert_equal [here(__LINE__ - 3)], ours.take.map(&:place)
    invoke "compile"
    assert_equal %w[before ours after], @done
  end

  def ours
    @ours ||= Place.new("compile") { @done << "ours" }
  end

  def test_a_task_that_was_not_there
    assert_empty ours.take
    invoke "compile"
    assert_equal %w[ours], @done
  end

  def test_a_later_definition_is_noticed
    ours.take
    assert_empty ours.take
    Rake::Task["compile"].clear
    note "compile"
    assert_match(/place_test\.rb:\d+\z/, ours.take.first.place)
    note "compile"
    assert_match(/place_test\.rb:\d+\z/, ours.take.first.place)
    invoke "compile"
    assert_equal %w[ours], @done
  end

  def test_prerequisites_of_a_definition_go_and_rails_own_stays_where_it_is
    note "local"
    task "compile" => %w[local set_rails_env]
    assert_equal [Place::Drop.new(here(__LINE__ - 1), "local")], ours.take
    note "set_rails_env"
    task "compile" => %w[set_rails_env]
    assert_empty ours.take
    invoke "compile"
    assert_equal %w[set_rails_env ours], @done
  end

  # The gem sees no `before` that was there before it was required.
  def test_prerequisites_of_unknown_origin
    %w[npm rsync].each { |name| note name }
    Rake::Task.define_task("compile").prerequisites.push("npm", "rsync")
    assert_equal %w[rsync], ours.take { |task| task.name == "rsync" }.map(&:prerequisite)
    invoke "compile"
    assert_equal %w[npm ours], @done
  end

  def test_nothing_happens_before_the_moment
    %w[publishing updated].each { |name| note name }
    waits = true
    Place.new("compile", waits: -> { waits }) { @done << "ours" }.take
    after "updated", "compile"
    invoke "updated"
    waits = false
    invoke "compile"
    assert_equal %w[updated ours], @done
  end

  def hooked(setting)
    note "deploy:publishing"
    note "deploy:finishing"
    moment = Moment.parse(setting)
    moment.hook(self) { |task| @done << task }
    %w[deploy:publishing deploy:finishing].each { |name| invoke name }
    @done
  end

  def test_moments
    ours = "deploy:compile_assets"
    rows = {
      Moment::DEFAULT => [ours, "deploy:publishing", "deploy:finishing"],
      "after deploy:finishing" => ["deploy:publishing", "deploy:finishing", ours],
      "after finishing" => ["deploy:publishing", "deploy:finishing", ours],
      false => ["deploy:publishing", "deploy:finishing"]
    }
    rows.each do |setting, expected|
      start_anew
      assert_equal expected, hooked(setting), setting.inspect
    end
  end

  def test_what_is_no_moment
    ["deploy:publishing", "during deploy:publishing", "before", true].each do |setting|
      assert_raises(Moment::Unknown, setting.inspect) { Moment.parse(setting) }
    end
  end
end
