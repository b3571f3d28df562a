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

  def test_the_action_changes_and_hooks_stay
    note "before"
    note "after"
    task("compile" => "before") { @done << "rails" }
    after "compile", "after"
    Place.new("compile") { @done << "ours" }.take
    invoke "compile"
    assert_equal %w[before ours after], @done
  end

  def test_a_task_that_was_not_there
    Place.new("compile") { @done << "ours" }.take
    invoke "compile"
    assert_equal %w[ours], @done
  end

  def test_a_later_definition_is_noticed
    place = Place.new("compile") { @done << "ours" }
    place.take
    assert_nil place.foreign_location
    Rake::Task["compile"].clear
    note "compile"
    assert_match(/place_test\.rb:\d+\z/, place.foreign_location)
    place.take
    invoke "compile"
    assert_equal %w[ours], @done
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
