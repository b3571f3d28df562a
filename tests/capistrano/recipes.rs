//! Old recipes in the forms people have them: none of them runs beside the gem, and what is hooked
//! to a build still runs. All are dry runs, so no server is needed.

use super::plan::Plan;
use super::project::{BASE, OURS};

/// capistrano-rails' line in a Capfile.
const RAILS: &str = "require 'capistrano/rails/assets'\n";
/// How a Capfile loads a project's own tasks: after all of itself.
const IMPORT: &str = "Dir.glob('lib/capistrano/tasks/*.rake').each { |file| import file }\n";
/// A task that compiles and sends; `RECIPE` is printed if it runs.
const RECIPE: &str = "run_locally { execute :echo, 'RECIPE: precompile and rsync' }";
/// What a deploy with the gem runs.
const PUSH: &str = "assetsync deploy production";

/// The deploy stops before its first command, and names all of `names`.
#[track_caller]
fn assert_refused(plan: &Plan, names: &[&str]) {
    let (shown, code) = plan.run("-n production deploy");
    assert_eq!(code, Some(1), "{shown}");
    for name in names {
        assert!(shown.contains(&format!("  {name}")), "{name}: {shown}");
    }
    let allowed = "set :assetsync_allowed_tasks, %w[";
    assert!(shown.contains(allowed), "it says how to go on: {shown}");
    for never in ["RECIPE", "PRECOMPILE", PUSH, "mkdir"] {
        assert!(!shown.contains(never), "{never}: {shown}");
    }
}

/// The deploy goes on and pushes once; the recipe does not run, and is told of with `warning`.
#[track_caller]
fn assert_replaced(plan: &Plan, warning: &str) {
    let (shown, code) = plan.run("-n production deploy");
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches(PUSH).count(), 1, "{shown}");
    assert_eq!(shown.matches(warning).count(), 1, "{warning}: {shown}");
    assert!(!shown.contains("RECIPE"), "{shown}");
}

/// The deploy goes on, and prints these texts in this order.
#[track_caller]
fn assert_runs(plan: &Plan, texts: &[&str]) {
    let (shown, code) = plan.run("-n production deploy");
    assert_eq!(code, Some(0), "{shown}");
    let at = |text: &&str| shown.find(*text).unwrap_or_else(|| panic!("{text}: {shown}"));
    let places: Vec<usize> = texts.iter().map(at).collect();
    assert!(places.is_sorted(), "{texts:?}: {shown}");
    assert!(shown.matches(PUSH).count() <= 1, "{shown}");
}

#[test]
fn a_definition_of_compile_assets_is_replaced_whenever_it_was_made() {
    let own = format!("namespace(:deploy) {{ task(:compile_assets) {{ {RECIPE} }} }}\n");
    let hooked = format!("{own}after 'deploy:updated', 'deploy:compile_assets'\n");
    let itself = "defines deploy:compile_assets itself; assetsync takes its place";
    let place = |file: &str, line: usize| format!("{file}:{line} {itself}");
    assert_replaced(&Plan::new(&format!("{BASE}{OURS}"), &hooked), &place("config/deploy.rb", 4));
    assert_replaced(
        &Plan::new(&format!("{BASE}{RAILS}{OURS}"), &own),
        &place("config/deploy.rb", 4),
    );
    for (capfile, name) in [
        (format!("{BASE}{RAILS}{IMPORT}{OURS}"), "lib/capistrano/tasks/assets.rake"),
        (format!("{BASE}{OURS}{IMPORT}"), "lib/capistrano/tasks/assets.rake"),
        (format!("{BASE}load 'lib/assets.rake'\n{OURS}"), "lib/assets.rake"),
    ] {
        let plan = Plan::new(&capfile, "");
        plan.write(name, &hooked);
        assert_replaced(&plan, &place(name, 1));
    }
    // capistrano-rails has gone, and what its definition needed.
    let gone =
        format!("namespace(:deploy) {{ task(compile_assets: [:set_rails_env]) {{ {RECIPE} }} }}\n");
    assert_replaced(&Plan::new(&format!("{BASE}{OURS}"), &gone), &place("config/deploy.rb", 4));
    let more = format!("Rake::Task['deploy:compile_assets'].enhance {{ {RECIPE} }}\n");
    assert_replaced(
        &Plan::new(&format!("{BASE}{RAILS}{OURS}"), &more),
        &place("config/deploy.rb", 4),
    );
}

#[test]
fn prerequisites_of_a_definition_go_with_it() {
    let recipe = format!(
        "Rake::Task['deploy:compile_assets'].clear\nnamespace :deploy do\n  \
         task(:local) {{ {RECIPE} }}\n  task compile_assets: [:local]\nend\n"
    );
    let makes = "makes local a prerequisite of deploy:compile_assets";
    assert_replaced(
        &Plan::new(&format!("{BASE}{RAILS}{OURS}"), &recipe),
        &format!("config/deploy.rb:7 {makes}"),
    );
    let early = Plan::new(&format!("{BASE}{RAILS}load 'lib/assets.rake'\n{OURS}"), "");
    early.write("lib/assets.rake", &recipe);
    assert_replaced(&early, makes);
    let enhanced = format!(
        "task(:local) {{ {RECIPE} }}\nRake::Task['deploy:compile_assets'].enhance ['local']\n"
    );
    assert_replaced(&Plan::new(&format!("{BASE}{RAILS}{OURS}"), &enhanced), makes);
}

#[test]
fn a_recipe_beside_compile_assets_stops_the_deploy() {
    let task = format!("namespace(:my) {{ task(:local) {{ {RECIPE} }} }}\n");
    let after = |name: &str| format!("{task}after '{name}', 'my:local'\n");
    let rows = [
        (after("deploy:updated"), "my:local (config/deploy.rb:4, hooked in at config/deploy.rb:5)"),
        (after("deploy:updating"), "my:local (config/deploy.rb:4"),
        (after("deploy:symlink:release"), "my:local (config/deploy.rb:4"),
        (after("deploy:compile_assets"), "my:local (config/deploy.rb:4"),
        (format!("{task}before 'deploy:updated', 'my:local'\n"), "my:local (config/deploy.rb:4"),
        (format!("{task}before :deploy, 'my:local'\n"), "my:local (config/deploy.rb:4"),
        (format!("{task}before 'deploy:starting', 'my:local'\n"), "my:local"),
        (format!("after('deploy:updating', 'x') {{ {RECIPE} }}\n"), "x (config/deploy.rb:4)"),
        (format!("{task}Rake::Task['deploy:updated'].enhance ['my:local']\n"), "my:local"),
        (format!("{task}namespace(:deploy) {{ task updated: 'my:local' }}\n"), "my:local"),
        (format!("namespace(:deploy) {{ task(:updated) {{ {RECIPE} }} }}\n"), "deploy:updated"),
        (
            format!("{task}task(:go) {{ invoke 'my:local' }}\nafter 'deploy:updated', 'go'\n"),
            "my:local (config/deploy.rb:4, hooked in at config/deploy.rb:5)",
        ),
    ];
    for (deploy, found) in rows {
        assert_refused(&Plan::new(&format!("{BASE}{OURS}"), &deploy), &[found]);
    }
    let plan = Plan::new(&format!("{BASE}{OURS}{IMPORT}"), "");
    plan.write("lib/capistrano/tasks/assets.rake", &after("deploy:updating"));
    assert_refused(&plan, &["my:local (lib/capistrano/tasks/assets.rake:1"]);
}

#[test]
fn a_recipe_is_known_by_what_its_code_says() {
    let rows = [
        "run_locally { execute \"bundle exec rake assets:precompile\" }",
        "system 'RAILS_ENV=production bundle exec rake assets:precompile'",
        "`bundle exec rake assets:precompile`",
        "on(roles(:web)) { within(release_path) { execute :rake, 'assets:precompile' } }",
        "run_locally { execute :rsync, '-a', '--delete', './public/assets/', \"x:#{shared_path}/public/assets\" }",
        "on(roles(:web)) { upload! 'public/assets', release_path.join('public'), recursive: true }",
        "run_locally { execute \"scp -r public/packs x:\" }",
        "run_locally { execute fetch(:sync_command) }",
        "sync_all",
    ];
    let before = "set :sync_command, 'rsync -a public/assets/ x:'\n\
        def sync_all\n  run_locally { execute 'rsync -a public/assets/ x:' }\nend\n";
    for code in rows {
        let deploy =
            format!("{before}task(:mine) {{ {code} }}\nafter 'deploy:published', 'mine'\n");
        assert_refused(
            &Plan::new(&format!("{BASE}{OURS}"), &deploy),
            &["mine (config/deploy.rb:8"],
        );
    }
    // None of these builds or sends assets; comments do not count.
    let others = "task(:a) { on(roles(:app)) { upload! 'config/master.key', shared_path } }\n\
        task(:b) { run_locally { execute :echo, 'rsync -a docs/ x:' } }\n\
        task(:c) { on(release_roles(fetch(:assets_roles))) { upload! 'x', 'y' } } # rake assets:precompile\n\
        task(:d) { run_locally { execute :echo, 'npm ci' } }\n\
        task(:never) { run_locally { execute 'rake assets:precompile' } }\n\
        %w[a b c d].each { |name| after 'deploy:published', name }\n";
    assert_runs(&Plan::new(&format!("{BASE}{OURS}"), others), &[PUSH, "npm ci"]);
}

#[test]
fn another_build_stops_the_deploy() {
    let own = format!(
        "namespace(:deploy) {{ namespace(:assets) {{ task(:precompile) {{ {RECIPE} }} }} }}\n\
         after 'deploy:updated', 'deploy:assets:precompile'\n"
    );
    let found = "deploy:assets:precompile (config/deploy.rb:";
    assert_refused(&Plan::new(&format!("{BASE}{OURS}"), &own), &[found]);
    let cleared = format!("Rake::Task['deploy:assets:precompile'].clear_actions\n{own}");
    assert_refused(&Plan::new(&format!("{BASE}{RAILS}{OURS}"), &cleared), &[found]);
    let rails = "namespace(:assets) { task(:precompile) { run_locally { execute :echo, 'X' } } }\n\
        after 'deploy:updated', 'assets:precompile'\n";
    assert_refused(&Plan::new(&format!("{BASE}{OURS}"), rails), &["assets:precompile (config"]);
    let faster = format!("{BASE}{RAILS}require 'capistrano/faster_assets'\n{OURS}");
    assert_refused(&Plan::new(&faster, ""), &["deploy:assets:precompile ("]);
    for order in [
        format!(
            "{BASE}require 'capistrano/bundler'\nrequire 'capistrano/local_precompile'\n{OURS}"
        ),
        format!(
            "{BASE}{OURS}require 'capistrano/bundler'\nrequire 'capistrano/local_precompile'\n"
        ),
    ] {
        let names = ["deploy:assets:prepare", "deploy:assets:rsync", "deploy:assets:cleanup"];
        let plan = Plan::new(&order, "");
        assert_refused(&plan, &names);
        let (checked, code) = plan.run("-n production assetsync:check");
        assert_eq!(code, Some(1), "{checked}");
        assert!(checked.contains("deploy:assets:prepare"), "{checked}");
    }
}

#[test]
fn whoever_allows_a_task_goes_on_with_it() {
    let task = format!("task(:local) {{ {RECIPE} }}\nafter 'deploy:updated', 'local'\n");
    let allowed = format!("{task}set :assetsync_allowed_tasks, %w[local]\n");
    assert_runs(&Plan::new(&format!("{BASE}{OURS}"), &allowed), &["RECIPE", PUSH]);
    // A rollback is not held up.
    let plan = Plan::new(&format!("{BASE}{OURS}"), &task);
    let (shown, _) = plan.run("-n production deploy:rollback");
    assert!(shown.contains("WARN"), "{shown}");
    assert!(!shown.contains("Assetsync::Failed"), "{shown}");
}

#[test]
fn hooks_of_a_build_run_around_it() {
    let task =
        |name: &str| format!("task(:{name}) {{ run_locally {{ execute :echo, 'RAN-{name}' }} }}\n");
    let tasks: String = ["a", "b", "c", "d", "e", "f"].iter().map(|name| task(name)).collect();
    let hooks = "before 'deploy:compile_assets', 'a'\n\
        before 'deploy:assets:precompile', 'b'\nafter 'deploy:assets:precompile', 'c'\n\
        before 'deploy:assets:backup_manifest', 'd'\nafter 'deploy:assets:backup_manifest', 'e'\n\
        after 'deploy:compile_assets', 'f'\n";
    let order =
        ["RAN-a", "RAN-b", PUSH, "RAN-c", "RAN-d", "RAN-e", "RAN-f", "deploy:symlink:release"];
    for capfile in
        [format!("{BASE}{RAILS}{OURS}"), format!("{BASE}{OURS}{RAILS}"), format!("{BASE}{OURS}")]
    {
        assert_runs(&Plan::new(&capfile, &format!("{tasks}{hooks}")), &order);
        let plan = Plan::new(&format!("{capfile}{IMPORT}"), "");
        plan.write("lib/capistrano/tasks/hooks.rake", &format!("{tasks}{hooks}"));
        assert_runs(&plan, &order);
    }
    // A hook on the build itself is no second build.
    let twice = "after 'deploy:updated', 'deploy:assets:precompile'\n";
    assert_runs(&Plan::new(&format!("{BASE}{RAILS}{OURS}"), twice), &[PUSH]);
}

#[test]
fn without_a_moment_whoever_invokes_it_means_it() {
    let no_moment = "set :assetsync_moment, false\n";
    let rows = [
        ("after 'deploy:updated', 'deploy:compile_assets'\n", 1),
        ("after('deploy:updated', 'x') { invoke 'deploy:compile_assets' }\n", 1),
        ("after('deploy:updated', 'x') { invoke 'assetsync:deploy' }\n", 1),
        ("", 0),
    ];
    for capfile in
        [format!("{BASE}{RAILS}{OURS}"), format!("{BASE}{OURS}{RAILS}"), format!("{BASE}{OURS}")]
    {
        for (deploy, pushes) in rows {
            let plan = Plan::new(&capfile, &format!("{no_moment}{deploy}"));
            let (shown, code) = plan.run("-n production deploy");
            assert_eq!(code, Some(0), "{shown}");
            assert_eq!(shown.matches(PUSH).count(), pushes, "{deploy}: {shown}");
        }
    }
    let early = "after('deploy:updated', 'x') { invoke 'assetsync:deploy' }\ntask(:y) { run_locally { execute :echo, 'LATER' } }\nafter 'deploy:updated', 'y'\n";
    assert_runs(&Plan::new(&format!("{BASE}{OURS}"), early), &[PUSH, "LATER"]);
}
