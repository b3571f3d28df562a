# frozen_string_literal: true

require "capistrano/plugin"
require "capistrano/assetsync/actions"
require "capistrano/assetsync/building"
require "capistrano/assetsync/map_bins"
require "capistrano/assetsync/moment"
require "capistrano/assetsync/preflight"
require "capistrano/assetsync/takeover"
require "capistrano/assetsync/version"

module Capistrano
  # Compiles assets on the machine that deploys and pushes them by `assetsync`, in place of `deploy:compile_assets`.
  class Assetsync < Plugin
    include Actions
    include Building
    include Preflight
    include Takeover

    def set_defaults
      return if @again

      set_if_empty :assets_roles, [:web]
      set_if_empty :assets_prefix, "assets"
      set_if_empty :assetsync_program, -> { Program.default }
      set_if_empty :assetsync_moment, Moment::DEFAULT
      set_if_empty :assetsync_manifest_roles, [:app]
      set_if_empty :assetsync_extra_dirs, []
      set_if_empty :assetsync_buckets, []
      set_if_empty :assetsync_settings, {}
      set_check_defaults
      set_build_defaults
      set_retention_defaults
      take_over
    end

    # The first thing that Capistrano asks of a plugin. Whoever is installed again has nothing to do any more.
    def define_tasks
      @again = Rake::Task.task_defined?("assetsync:deploy")
      return if @again

      eval_rakefile File.expand_path("../tasks/assetsync.rake", __dir__)
      define_places
      map_bins.watch
    end

    def register_hooks
      return if @again

      Capistrano::DSL.stages.each { |stage| after stage, "assetsync:set_up" }
    end

    # What is known only once deploy.rb and the stage's file are read.
    def set_up
      append_linked_dirs
      map_bins.warnings.each { |text| warn_user(text) } if fetch(:assetsync_list_warnings)
      take_places
      report_drops
      moment.release_rails unless moment.task
      moment.hook(self) { |task| invoke_at_moment(task) }
      hook_preflight
    end

    private

    def set_check_defaults
      set_if_empty :assetsync_allowed_tasks, []
      set_if_empty :assetsync_list_warnings, true
      set_if_empty :assetsync_checkout, "warn"
    end

    def set_build_defaults
      set_if_empty :assetsync_build_command, "rake assets:precompile"
      set_if_empty :assetsync_build_environment, {}
      set_if_empty :assetsync_cleanup, true
    end

    # Releases that are kept can be rolled back to, so their assets are kept too.
    def set_retention_defaults
      set_if_empty :assetsync_keep, -> { fetch(:keep_assets) || fetch(:keep_releases) }
      set_if_empty :assetsync_max_age, "7d"
      set_if_empty :assetsync_delete, "retain"
      set_if_empty :assetsync_restore, -> { fetch(:assetsync_delete).to_s != "mirror" }
    end

    # The tasks of capistrano-rails get other actions. By now the whole Capfile has been read, so the order of its lines
    # makes no difference.
    def take_over
      take_places
      after "deploy:reverted", "deploy:rollback_assets"
      Rake::Task["load:defaults"].enhance { map_bins.remember }
      return if Rake::Task.task_defined?("deploy:normalize_assets")

      Rake::Task.define_task("deploy:normalize_assets") { normalize_timestamps }
      after "deploy:updated", "deploy:normalize_assets"
    end

    def moment
      @moment ||= Moment.parse(fetch(:assetsync_moment))
    end

    # A rollback publishes as well, and brings its assets back by itself.
    def invoke_at_moment(task)
      Rake::Task[task].invoke unless Rake::Task["deploy:reverting"].already_invoked
    end

    def map_bins
      files = -> { [deploy_config_path, stage_config_path.join("#{fetch(:stage)}.rb")] }
      @map_bins ||= MapBins.new(env, files)
    end

    def append_linked_dirs
      linked = Array(fetch(:linked_dirs)).map { |directory| directory.to_s.chomp("/") }
      return if linked.include?("public")

      missing = directories - linked
      append :linked_dirs, *missing if missing.any?
    end
  end
end
