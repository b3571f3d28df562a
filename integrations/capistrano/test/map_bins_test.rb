# frozen_string_literal: true

require "helper"

class MapBinsTest < AssetsyncTest
  # What is said of a deploy.rb, read after plugins have set and extended their lists.
  def warnings(deploy_rb)
    path = file("deploy.rb", deploy_rb)
    env = Capistrano::Configuration.new
    bins = Capistrano::Assetsync::MapBins.new(env.variables, -> { [path, file("production.rb")] })
    env.set(:rbenv_map_bins, %w[rake gem bundle ruby rails puma pumactl])
    env.set(:bundle_bins, %w[gem rake rails puma pumactl])
    bins.remember
    env.instance_eval(deploy_rb)
    bins.warnings.map { |text| text.sub("#{directory}/", "") }
  end

  def test_a_list_that_is_set_anew
    expected = "deploy.rb:2 sets rbenv_map_bins anew and so drops puma, pumactl, which a plugin needs; delete that line"
    assert_equal [expected], warnings("set :keep, 1\nset :rbenv_map_bins, %w{rake gem bundle ruby rails}\n")
  end

  def test_how_to_write_it
    expected = "deploy.rb:1 sets bundle_bins anew and so drops puma, pumactl, which a plugin needs; " \
               "write `append :bundle_bins, \"sidekiq\"` instead"
    assert_equal [expected], warnings("set(:bundle_bins, %w[gem rake rails sidekiq])\n")
  end

  def test_nothing_is_lost
    ["", "append :rbenv_map_bins, 'sidekiq'", "remove :rbenv_map_bins, 'puma'", "set :chruby_map_bins, %w[a]",
     "set :bundle_bins, fetch(:bundle_bins) + %w[sidekiq]", "append :rvm_map_bins, 'puma'"].each do |text|
      assert_empty warnings(text), text
    end
  end
end
