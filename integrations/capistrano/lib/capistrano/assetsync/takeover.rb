# frozen_string_literal: true

require "capistrano/assetsync/place"
require "capistrano/assetsync/recipes"

module Capistrano
  class Assetsync < Plugin
    # Takes the place of capistrano-rails' tasks, and finds what others have put there or beside it.
    module Takeover
      BUILD = "deploy:assets:precompile"
      BACKUP = "deploy:assets:backup_manifest"

      private

      # They exist from the start, so that hooks can be added to them, whether or not capistrano-rails is loaded.
      def define_places
        places.each { |place| Rake::Task.define_task(place.name) }
      end

      # Takes all places, and tells of what went: who defines a task anew expects it to run.
      def take_places
        places.each do |place|
          dropped = place.take { |task| recipes.known?(task) }
          drops[place.name] = (drops.fetch(place.name, []) + dropped).uniq
        end
      end

      def report_drops
        drops.each do |name, dropped|
          next if name == BUILD

          dropped.each { |drop| warn_user(dropped_text(name, drop)) }
        end
        drops.delete_if { |name, _| name != BUILD }
      end

      def dropped_text(name, drop)
        unless drop.prerequisite
          return "#{drop.place} defines #{name} itself; assetsync takes its place. Delete that definition"
        end

        needed = drop.prerequisite
        "#{drop.place} makes #{needed} a prerequisite of #{name}; assetsync takes its place, and does not run " \
          "#{needed}. Delete that; if it must run, write before \"#{name}\", \"#{needed}\""
      end

      def drops
        @drops ||= {}
      end

      # As in capistrano-rails, the build is a task of its own, so what is hooked to it runs around our build.
      def places
        waits = -> { waits? }
        @places ||= [
          Place.new("deploy:compile_assets", waits: waits) { build_and_back_up },
          Place.new(BUILD, waits: waits) { push(build: true) },
          Place.new(BACKUP, waits: waits) { nil },
          Place.new("deploy:cleanup_assets") { prune if fetch(:keep_assets) && !deploying? },
          Place.new("deploy:rollback_assets") { restore_release }
        ]
      end

      def build_and_back_up
        [BUILD, BACKUP].each { |name| Rake::Task[name].invoke }
        clean_up if hooks_after_build?
      end

      # What was built stays for them.
      def hooks_after_build?
        [BUILD, BACKUP].any? { |name| Rake::Task[name].actions.size > 1 }
      end

      def waits?
        deploying? && !@now && moment.waits?
      end

      def recipes
        Recipes.new(places.map(&:name), directories, env.variables)
      end

      # Stops the deploy if it would build or send assets twice.
      def refuse_recipes
        take_places
        report_drops
        beside = [*replaced_builds, *recipes.found].reject { |one| allowed?(one.name) }
        return if beside.empty?
        return warn_user(beside_us(beside)) if rolling_back?

        raise Failed, beside_us(beside)
      end

      def replaced_builds
        drops.fetch(BUILD, []).map { |drop| Recipes::Found.new(BUILD, drop.place, nil) }
      end

      def allowed?(name)
        Array(fetch(:assetsync_allowed_tasks)).map(&:to_s).include?(name)
      end

      def beside_us(found)
        names = found.map(&:name).uniq
        ["a recipe of yours builds or sends assets in this deploy, and so does assetsync:",
         *found.map { |one| "  #{one}" },
         "Delete #{names.one? ? 'it' : 'them'}: assetsync does all of it. To deploy nevertheless:",
         "  set :assetsync_allowed_tasks, %w[#{names.join(' ')}]"].join("\n")
      end

      def rolling_back?
        Rake::Task["deploy:rollback"].already_invoked
      end
    end
  end
end
