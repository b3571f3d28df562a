# frozen_string_literal: true

require "helper"

class MapBinsTest < AssetsyncTest
  # What is said of a deploy.rb, read after plugins have set and extended their lists.
  def warnings(deploy_rb, plugins = PLUGINS)
    path = file("deploy.rb", deploy_rb)
    env = Capistrano::Configuration.new
    bins = Capistrano::Assetsync::MapBins.new(env, -> { [path, file("production.rb")] })
    bins.watch
    env.instance_eval(plugins)
    bins.remember
    env.instance_eval(deploy_rb)
    bins.warnings.map { |text| text.sub("#{directory}/", "") }
  end

  RBENV = "set :rbenv_map_bins, %w[rake gem bundle ruby rails]\n"
  BUNDLER = "set :bundle_bins, %w[gem rake rails]\n"
  # capistrano3-puma 3 to 5, 6 and 7, and 1.2.
  PUMA3 = "append :rbenv_map_bins, 'puma', 'pumactl'\nappend :bundle_bins, 'puma', 'pumactl'\n"
  PUMA7 = PUMA3.sub("'pumactl'", "'pumactl' if fetch(:rbenv_map_bins)").freeze
  PUMA1 = "set :rbenv_map_bins, fetch(:rbenv_map_bins).to_a.concat(%w[puma pumactl])\n"
  PLUGINS = "#{RBENV}#{BUNDLER}#{PUMA7}"

  def test_a_list_that_is_set_anew
    expected = "deploy.rb:2 sets rbenv_map_bins anew and so drops puma, pumactl, which a plugin needs; delete that line"
    assert_equal [expected], warnings("set :keep, 1\nset :rbenv_map_bins, %w{rake gem bundle ruby rails}\n")
  end

  def test_how_to_write_it
    expected = "deploy.rb:1 sets bundle_bins anew and so drops puma, pumactl, which a plugin needs; " \
               "write `append :bundle_bins, \"sidekiq\"` instead"
    assert_equal [expected], warnings("set(:bundle_bins, %w[gem rake rails sidekiq])\n")
  end

  def test_entries_that_no_plugin_appended_may_go
    assert_empty warnings("set :rbenv_map_bins, %w[bundle puma pumactl]\nset :bundle_bins, %w[rake puma pumactl]")
    assert_empty warnings("set :rbenv_map_bins, %w[bundle]", RBENV)
  end

  def test_a_manager_after_puma_in_the_capfile
    expected = "the Capfile loads capistrano/rbenv after a plugin that appends puma, pumactl to rbenv_map_bins, " \
               "and so drops them; require capistrano/rbenv before that plugin"
    [PUMA3, PUMA7].each do |puma|
      assert_equal [expected], warnings("", "#{BUNDLER}#{puma}#{RBENV}")
      assert_empty warnings("append :rbenv_map_bins, 'puma', 'pumactl'", "#{BUNDLER}#{puma}#{RBENV}")
      assert_empty warnings("", "#{RBENV}#{BUNDLER}#{puma}")
    end
    assert_empty warnings("", "#{BUNDLER}#{PUMA3}")
  end

  def test_a_plugin_that_assigns_a_longer_list
    warned = warnings("set :rbenv_map_bins, %w[bundle]", "#{RBENV}#{PUMA1}")
    assert_includes warned.join, "drops puma, pumactl"
  end

  def test_nothing_is_lost
    ["", "append :rbenv_map_bins, 'sidekiq'", "remove :rbenv_map_bins, 'puma'", "set :chruby_map_bins, %w[a]",
     "set :bundle_bins, fetch(:bundle_bins) + %w[sidekiq]", "append :rvm_map_bins, 'puma'"].each do |text|
      assert_empty warnings(text), text
    end
  end
end
