# frozen_string_literal: true

require "capistrano/assetsync/literals"
require "capistrano/assetsync/origins"

module Capistrano
  class Assetsync < Plugin
    # Tasks of others that a deploy would run and that build or send assets as well: an rsync recipe that is still
    # there, in whatever form, or capistrano-local-precompile. They are found by what Rake knows of the deploy
    # (prerequisites, hooks, invocations), and known by what their code says.
    class Recipes
      # A task; where it is written; where it is hooked into the deploy.
      Found = Struct.new(:name, :place, :hooked_at) do
        def to_s
          hooked_at && hooked_at != place ? "#{name} (#{place}, hooked in at #{hooked_at})" : "#{name} (#{place})"
        end
      end

      ROOTS = %w[deploy deploy:starting deploy:started deploy:updating deploy:updated deploy:publishing
                 deploy:published deploy:finishing deploy:finished
                 deploy:compile_assets deploy:assets:precompile deploy:assets:backup_manifest].freeze

      # Known by their names, as their code varies: Rails' own, and those of capistrano-local-precompile 1.2.
      NAMES = /\A(?:.+:)?assets:precompile\z|\Adeploy:assets:(?:prepare|rsync|cleanup)\z/.freeze

      BUILDS = /precompile/i.freeze
      SENDS = /\b(?:rsync|scp|sftp)/i.freeze
      UPLOADS = %i[upload! rsync scp].freeze
      ASSETS = /assets|packs/i.freeze
      INVOKES = %i[invoke invoke! execute []].freeze

      # Names that tell nothing of what a task does: they only say for which servers.
      ROLES = %w[assets_roles assets_role].freeze

      # `owned` are the names of tasks whose actions are ours; `directories` are those of assets; `variables` are
      # Capistrano's.
      def initialize(owned, directories, variables)
        @owned = owned
        @directories = directories
        @variables = variables
      end

      # What a deploy would run beside us.
      def found
        @seen = {}
        @found = []
        ROOTS.each { |name| visit(task(name), nil) }
        @found
      end

      # Whether an action builds or sends assets.
      def recipe?(action)
        literals = Literals.new(action)
        texts = telling(literals)
        texts.grep(BUILDS).any? || (sends?(literals, texts) && texts.any? { |text| of_assets?(text) })
      end

      # Whether a task is one of a recipe, by its name or what it does.
      def known?(task)
        task.name.match?(NAMES) || task.actions.any? { |one| Origins.kind(one) == :foreign && recipe?(one) }
      end

      private

      def task(name)
        Rake::Task[name] if Rake::Task.task_defined?(name)
      end

      # Texts that say what is done, and not for which servers, or by which other task.
      def telling(literals)
        texts = literals.texts.reject { |text| ROLES.include?(text) || invokable?(text) }
        texts + texts.flat_map { |text| value(text) }
      end

      def sends?(literals, texts)
        texts.grep(SENDS).any? || (literals.calls & UPLOADS).any?
      end

      def of_assets?(text)
        text.match?(ASSETS) || @directories.any? { |directory| text.include?(directory) }
      end

      # A command may stand in a variable. Nothing is run to learn its value.
      def value(name)
        Array(@variables.fetch_for(name.to_sym, nil)).grep(String)
      end

      # The task of that name, as Rake finds it. The user may mean another: beside `deploy`, `assets:precompile` is
      # capistrano-rails' task, and ours.
      def named(name, task)
        [Rake.application.lookup(name, task.scope), task(name)].compact.uniq
      end

      # Rails' build runs on servers by that very name.
      def invokable?(name)
        name != "assets:precompile" && Rake::Task.task_defined?(name)
      end

      def visit(task, hooked_at)
        return if task.nil? || @seen.key?(task.name)

        @seen[task.name] = true
        visit_prerequisites(task)
        note(task, hooked_at)
        task.actions.each { |action| visit_action(task, action) }
      end

      def visit_prerequisites(task)
        task.prerequisites.each do |name|
          origin = Origins.prerequisite(task, name)
          named(name.to_s, task).each { |found| visit(found, origin&.place) }
        end
      end

      def note(task, hooked_at)
        return if @owned.include?(task.name)

        foreign = task.actions.select { |action| Origins.kind(action) == :foreign }
        found = foreign.find { |action| task.name.match?(NAMES) || recipe?(action) }
        @found << Found.new(task.name, Origins.place(found), hooked_at) if found
      end

      def visit_action(task, action)
        case Origins.kind(action)
        when :hook then named(Origins.hooked(action), task).each { |found| visit(found, Origins.hook_place(action)) }
        when :foreign, :capistrano then visit_invoked(action)
        end
      end

      # A name between quotes is taken for a task that is invoked, if there is one of that name.
      def visit_invoked(action)
        literals = Literals.new(action)
        return if (literals.calls & INVOKES).empty?

        names = literals.texts.select { |text| text.include?(":") || literals.calls.include?(:invoke) }
        names.each { |name| visit(task(name), Origins.place(action)) }
      end
    end
  end
end
