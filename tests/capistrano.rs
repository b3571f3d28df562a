//! The gem in `integrations/capistrano` under real Capistrano.

mod app;
mod init;
mod plan;
mod project;
mod recipes;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};

use assetsync_testbed::Sshd;
use assetsync_testbed::tree::{Snapshot, snapshot};

use self::project::{BASE, OTHERS, OURS, Project, names, printed, server, tasks};
use crate::support::{Machine, OrFail, Ran, assert_equal, assert_untouched, scratch, text};

/// The pasted recipe of many a deploy.rb. Only ssh's port and known hosts are added: the server is
/// a test's.
fn recipe(server: &Sshd) -> String {
    let ssh = format!(
        "ssh -p {} -o UserKnownHostsFile={} -i",
        server.port(),
        text(&server.known_hosts())
    );
    let recipe = r##"
        Rake::Task["deploy:compile_assets"].clear

        namespace :deploy do
          desc "Compile assets locally and rsync them to the web servers"
          task :compile_assets => [:set_rails_env] do
            run_locally do
              with rails_env: fetch(:stage) do
                execute "bundle exec rake assets:precompile"
              end
            end
            on release_roles(fetch(:assets_roles)), in: :parallel do |server|
              run_locally do
                if server.ssh_options[:keys]
                  execute %Q{rsync -av --rsh "SSH #{server.ssh_options[:keys].first}" --delete ./public/assets/ #{server.user}@#{server.hostname}:#{shared_path}/public/assets/}
                end
              end
            end
            run_locally { execute "rm -rf public/assets" }
          end

          after :finishing, "deploy:compile_assets"
        end
    "##;
    recipe.replace("SSH", &ssh)
}

#[test]
fn the_gem_has_the_version_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(
        root.join("integrations/capistrano/lib/capistrano/assetsync/version.rb"),
    )
    .or_fail();
    let version = format!("VERSION = \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
}

#[test]
fn the_recipe_and_the_gem_leave_equal_trees() {
    let (theirs, ours) = (Project::simple(), Project::simple());
    let capfile =
        format!("{BASE}require 'capistrano/bundler'\nrequire 'capistrano/rails/assets'\n");
    theirs.configure(&capfile, &recipe(&theirs.servers[0]));
    ours.configure(&format!("{capfile}{OURS}"), "set :assetsync_delete, 'mirror'\n");
    for version in ["1000000001", "1000000002"] {
        for project in [&theirs, &ours] {
            project.write("Gemfile", "gem 'rake'\n");
            project.commit(version);
            let mut cap = project.cap_on(&project.machine, &project.folder(), "production deploy");
            // SSHKit leaves out the variables of a command that is one text, so the recipe's
            // RAILS_ENV comes from outside.
            printed(&Ran(cap.env("RAILS_ENV", "production").output().or_fail()), "deploy");
            assert!(!project.built().exists(), "what was built goes from this machine");
            assert_eq!(project.live_version(), version);
        }
        assert_equal(&theirs.served(), &ours.served());
    }
    // As with the recipe, a rollback has no older assets to bring back.
    let shown = ours.cap("production deploy:rollback");
    assert!(!shown.contains("assetsync rollback"), "{shown}");
    // And the one line: the recipe's deploy.rb as it is, with the gem in the Capfile.
    ours.configure(&format!("{capfile}{OURS}"), &recipe(&ours.servers[0]));
    ours.commit("1000000003");
    let shown = ours.cap("production deploy");
    let place =
        "config/deploy.rb:11 defines deploy:compile_assets itself; assetsync takes its place";
    assert!(shown.contains(place), "{shown}");
    assert!(!shown.contains("rsync"), "{shown}");
    assert_eq!(
        tasks(&shown).iter().filter(|task| **task == "deploy:assets:precompile").count(),
        1,
        "{shown}"
    );
    assert_eq!(ours.live_version(), "1000000003");
}

#[test]
fn the_order_of_the_capfile_makes_no_difference() {
    let project = Project::simple();
    let capfiles = [
        format!("{BASE}{OTHERS}{OURS}"),
        format!("{BASE}{OURS}{OTHERS}"),
        format!("{BASE}require 'capistrano/rails/assets'\n{OURS}require 'capistrano/rbenv'\n"),
        format!("require 'capistrano/setup'\n{OURS}require 'capistrano/deploy'\n{OTHERS}"),
        format!("{BASE}{OURS}"),
        format!(
            "{BASE}{OURS}{OTHERS}{OURS}install_plugin Capistrano::Assetsync\ninstall_plugin Capistrano::Assetsync\n"
        ),
    ];
    // Where migrations hook in, and capistrano-rails has its assets compiled.
    let migrations = "task('shop:migrate') { on(roles(:app)) { execute :migrate } }\n\
        after 'deploy:updated', 'shop:migrate'\n";
    for capfile in capfiles.map(|capfile| format!("{capfile}{migrations}")) {
        project.configure(&capfile, "set :keep_assets, 2\nappend :linked_dirs, 'log'\n");
        let shown = project.cap("-n production deploy");
        let tasks = tasks(&shown);
        let at = |name: &str| {
            tasks.iter().position(|task| *task == name).unwrap_or_else(|| panic!("{name}: {shown}"))
        };
        assert_eq!(at("shop:migrate") + 1, at("deploy:assets:precompile"), "{capfile}{shown}");
        assert_eq!(
            at("deploy:assets:precompile") + 1,
            at("deploy:symlink:release"),
            "{capfile}{shown}"
        );
        assert_eq!(shown.matches("assetsync deploy production").count(), 1, "{capfile}{shown}");
        assert_eq!(
            shown.matches("shared/public/assets").count(),
            1,
            "linked once: {capfile}{shown}"
        );
        assert_eq!(shown.matches("shared/log").count(), 1, "the user's own stay: {capfile}{shown}");
        assert!(!shown.contains("WARN"), "{capfile}{shown}");
        assert!(!shown.contains("rake"), "nothing is built on the server: {capfile}{shown}");
    }
}

#[test]
fn the_moment_is_one_setting() {
    let project = Project::simple();
    let following = |setting: &str| {
        project.configure(&format!("{BASE}{OTHERS}{OURS}"), setting);
        let shown = project.cap("-n production deploy");
        let tasks: Vec<String> = tasks(&shown).into_iter().map(str::to_owned).collect();
        let at = tasks.iter().position(|task| task == "deploy:assets:precompile")?;
        Some((tasks[at - 1].clone(), tasks.get(at + 1).cloned()))
    };
    let default = following("");
    assert_eq!(default.and_then(|(_, next)| next).as_deref(), Some("deploy:symlink:release"));
    let recipes = following("set :assetsync_moment, 'after deploy:finishing'\n");
    assert_eq!(recipes.map(|(before, _)| before).as_deref(), Some("deploy:symlink:release"));
    assert_eq!(following("set :assetsync_moment, false\n"), None);
    project.configure(&format!("{BASE}{OURS}"), "set :assetsync_moment, 'whenever'\n");
    let ran = project.try_cap("-n production deploy");
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr().contains("assetsync_moment is \"whenever\""), "{}", ran.stderr());
}

#[test]
fn replacing_a_list_warns_and_the_build_still_uses_the_version_manager() {
    let project = Project::simple();
    let warning = "config/deploy.rb:6 sets rbenv_map_bins anew and so drops puma, pumactl, which a plugin needs";
    for capfile in [format!("{BASE}{OTHERS}{OURS}"), format!("{BASE}{OURS}{OTHERS}")] {
        project.configure(&capfile, "set :rbenv_map_bins, %w{rake gem bundle ruby rails}\n");
        let shown = project.cap("-n production deploy:check");
        assert_eq!(shown.matches(warning).count(), 1, "{shown}");
        project
            .configure(&capfile, "append :rbenv_map_bins, 'sidekiq'\nappend :assets_roles, :app\n");
        assert!(!project.cap("-n production deploy:check").contains("anew"));
    }
    project.configure(
        &format!("{BASE}{OTHERS}{OURS}"),
        "set :bundle_bins, %w{puma}\nappend :rvm_map_bins, 'puma'\n",
    );
    project.write("Gemfile", "gem 'rake'\n");
    let shown = project.cap("production assetsync:deploy");
    assert!(shown.contains("bundle exec rake assets:precompile"), "{shown}");
}

#[test]
fn a_dry_run_changes_nothing() {
    let project = Project::simple();
    project.commit("1000000001");
    project.cap("production deploy");
    let there = snapshot(&project.app()).or_fail();
    let here = |project: &Project| {
        fs::remove_dir_all(project.folder().join("log")).or_fail();
        snapshot(&project.folder()).or_fail()
    };
    let before: Snapshot = here(&project);
    for words in [
        "deploy",
        "deploy:rollback_assets",
        "assetsync:push",
        "assetsync:rollback",
        "assetsync:check",
        "assetsync:prune",
    ] {
        let shown = project.cap(&format!("--dry-run production {words}"));
        assert!(shown.contains("assetsync "), "{words}: {shown}");
        assert_untouched(&there, &project.app());
    }
    here(&project);
    assert_untouched(&before, &project.folder());
}

#[test]
fn a_rollback_brings_back_the_assets_of_its_release_from_any_machine() {
    let project = Project::simple();
    let mut records = Vec::new();
    for version in ["1000000001", "1000000002", "1000000003"] {
        project.commit(version);
        let shown = project.cap("production deploy");
        let sent = if records.is_empty() { "3 files sent" } else { "2 files sent" };
        assert!(shown.contains(sent), "{shown}");
        assert_eq!(project.live_version(), version);
        records.push(project.recorded());
    }
    assert_eq!(names(&project.served()).len(), 5, "visitors of older pages find their files");

    // Another machine, which has never built or pushed anything.
    let elsewhere = scratch();
    let clone = elsewhere.path().join("shop");
    project.git(&["clone", "-q", &text(&project.repository()), &text(&clone)]);
    let machine = Machine::new();
    for version in ["1000000002", "1000000001"] {
        let ran = project.cap_on(&machine, &clone, "production deploy:rollback").output().or_fail();
        let shown = printed(&Ran(ran), "rollback");
        assert!(shown.contains("assetsync rollback production"), "{shown}");
        assert!(!shown.contains("precompile"), "nothing is built: {shown}");
        assert_eq!(project.live_version(), version);
        assert!(
            !records.contains(&project.recorded()),
            "the release has the deploy that brought its assets back"
        );
    }

    let status = project.cap("production assetsync:status");
    assert!(status.contains(&format!("deploy {} is live", project.recorded())), "{status}");
    project.cap(&format!("production assetsync:rollback[{}]", records[1]));
    assert_eq!(project.live_version(), "1000000002");
}

#[test]
fn a_rollback_to_assets_that_are_gone_fails_before_it_changes_the_release() {
    let project = Project::simple();
    let capfile = format!("{BASE}{OURS}");
    let keep_none = "set :assetsync_keep, 0\nset :assetsync_max_age, '0s'\n";
    project.configure(&capfile, keep_none);
    for version in ["1000000001", "1000000002"] {
        project.commit(version);
        project.cap("production deploy");
    }
    let current = fs::read_link(project.app().join("current")).or_fail();
    // A machine that has pushed nothing can't send them again either.
    let mut cap = project.cap_on(&Machine::new(), &project.folder(), "production deploy:rollback");
    let ran = Ran(cap.output().or_fail());
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(ran.stderr().contains("set :assetsync_restore, false"), "{}", ran.stderr());
    assert_eq!(fs::read_link(project.app().join("current")).or_fail(), current);
    assert_eq!(project.live_version(), "1000000002");

    project.configure(&capfile, &format!("{keep_none}set :assetsync_restore, false\n"));
    project.cap("production deploy:rollback");
    assert_ne!(fs::read_link(project.app().join("current")).or_fail(), current);
    assert_eq!(project.live_version(), "1000000002");
}

#[test]
fn a_release_from_before_the_gem_gets_its_manifest_back() {
    let project = Project::simple();
    let rails = format!("{BASE}require 'capistrano/rails/assets'\n");
    project.configure(&rails, "");
    project.commit("1000000001");
    let shown = project.cap("production deploy");
    assert!(shown.contains("rake assets:precompile"), "it is built on the server: {shown}");
    let manifest = project.live_manifest();
    project.configure(&format!("{rails}{OURS}"), "");
    project.commit("1000000002");
    project.cap("production deploy");
    assert_ne!(project.live_manifest(), manifest);

    let shown = project.cap("production deploy:rollback");
    assert!(shown.contains("has no ASSETSYNC_DEPLOY"), "{shown}");
    assert!(!shown.contains("precompile"), "nothing is built: {shown}");
    assert_eq!(project.live_manifest(), manifest);
    assert_eq!(project.live_version(), "1000000001");
    project.commit("1000000003");
    project.cap("production deploy");
    assert_eq!(project.live_version(), "1000000003");
}

#[test]
fn a_release_from_before_the_gem_without_its_assets_fails_before_anything_changes() {
    let project = Project::simple();
    let rails = format!("{BASE}require 'capistrano/rails/assets'\n");
    project.configure(&rails, "");
    project.commit("1000000001");
    project.cap("production deploy");
    let first = fs::read_link(project.app().join("current")).or_fail();
    project.configure(&format!("{rails}{OURS}"), "");
    project.commit("1000000002");
    project.cap("production deploy");
    let current = fs::read_link(project.app().join("current")).or_fail();
    let served = snapshot(&project.served()).or_fail();
    let refused = |reason: &str| {
        // Capistrano takes the release that was changed last for the newest.
        let mut cap =
            project.cap_on(&project.machine, &project.folder(), "production deploy:rollback");
        cap.env("ROLLBACK_RELEASE", first.file_name().expect("a release"));
        let ran = Ran(cap.output().or_fail());
        assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
        assert!(ran.stderr().contains(reason), "{}", ran.stderr());
        assert!(ran.stderr().contains("set :assetsync_restore, false"), "{}", ran.stderr());
        assert_eq!(fs::read_link(project.app().join("current")).or_fail(), current);
    };
    let backup = first.join("assets_manifest_backup");
    let hidden = first.join("hidden");
    fs::rename(&backup, &hidden).or_fail();
    refused("has no manifest in assets_manifest_backup");
    fs::rename(&hidden, &backup).or_fail();
    assert_untouched(&served, &project.served());
    let manifest = names(&backup).remove(0);
    let text = fs::read_to_string(backup.join(&manifest)).or_fail();
    fs::write(backup.join(&manifest), text.replace("app-", "gone-")).or_fail();
    refused("of its assets are gone");
    assert_untouched(&served, &project.served());
}

#[test]
fn a_host_that_fails_makes_cap_fail_and_nothing_is_published() {
    // The account on the second server comes to run nothing of ours while there is a file
    // named `full`.
    let refuses =
        "case $SSH_ORIGINAL_COMMAND in *assetsync:*|*sftp*) test ! -e full || exit 9 ;; esac";
    let bad = Sshd::builder().in_home().prelude(refuses).start().or_fail();
    let project = Project::new(vec![server(), bad]);
    // Both are this machine, so the application is below each one's home.
    let deploy_to = "set :deploy_to, '~/app'\n";
    project.configure(&format!("{BASE}{OTHERS}{OURS}"), deploy_to);
    project.commit("1000000001");
    project.cap("production deploy");
    let homes: Vec<PathBuf> = project.servers.iter().map(Sshd::home).collect();
    let served = |home: &PathBuf| snapshot(&home.join("app/shared/public/assets")).or_fail();
    let current = |home: &PathBuf| fs::read_link(home.join("app/current")).or_fail();
    let before: Vec<_> = homes.iter().map(|home| (served(home), current(home))).collect();

    project.commit("1000000002");
    let mut cap = project.cap_on(&project.machine, &project.folder(), "production deploy");
    let ran = Ran(cap.env("TOUCH", homes[1].join("full")).output().or_fail());
    let all = format!("{}{}", ran.stdout(), ran.stderr());
    assert_eq!(ran.code(), Some(1), "{all}");
    assert!(all.contains("1 of 2 failed, so nothing is published"), "{all}");
    assert!(all.contains(&format!("127.0.0.1:{}: ", project.servers[1].port())), "{all}");
    for (home, (assets, link)) in homes.iter().zip(&before) {
        assert_untouched(assets, &home.join("app/shared/public/assets"));
        assert_eq!(current(home), *link, "the release is not published either");
    }
    assert_eq!(names(&project.built()).len(), 3, "what was built stays for another try");

    fs::remove_file(homes[1].join("full")).or_fail();
    project.cap("production assetsync:push");
    for home in &homes {
        assert_eq!(names(&home.join("app/shared/public/assets")).len(), 4);
    }
}

#[test]
fn servers_behind_a_gateway() {
    let gateway = server();
    let project = Project::simple();
    let config = text(gateway.ssh_config());
    let ways = [
        format!(
            "config: false, proxy: Net::SSH::Proxy::Command.new('ssh -F {config} testbed -W %h:%p')"
        ),
        format!("config: '{config}', proxy: Net::SSH::Proxy::Jump.new('testbed')"),
    ];
    project.configure(&format!("{BASE}require 'net/ssh/proxy/jump'\n{OURS}"), "");
    let logins = || gateway.log().matches("Accepted publickey").count();
    for way in ways {
        project.write("config/deploy/production.rb", &project.stage(&format!(", {way}")));
        project.cap("production assetsync:deploy");
        // This one is assetsync alone.
        let before = logins();
        let shown = project.cap("production assetsync:status");
        assert!(shown.contains("is live"), "{shown}");
        assert!(logins() > before, "{way}: {}", gateway.log());
    }
}

#[test]
fn odd_settings_arrive_as_they_are() {
    let project = Project::simple();
    let odd = r#"set :assetsync_build_environment, { "ODD" => %q(a "b" 'c' $HOME `d` \ é # tab	end) }
        set :rails_env, "staging"
        set :rails_assets_groups, "assets"
        set :assetsync_extra_dirs, %w[public/vite]
        set :assetsync_settings, { "assets.exclude" => %w[*.map *.tmp] }
    "#;
    project.configure(&format!("{BASE}{OURS}"), odd);
    for name in ["main.js", "main.js.map", "x.tmp"] {
        project.write(&format!("public/vite/{name}"), name);
    }
    let shown = project.cap("production assetsync:deploy");
    assert_eq!(names(&project.app().join("shared/public/vite")), ["main.js"], "{shown}");
    let app = names(&project.served())
        .into_iter()
        .find(|name| name.starts_with("app-"))
        .expect("it was pushed");
    let app = fs::read_to_string(project.served().join(app)).or_fail();
    assert!(app.contains(r#""staging", "assets""#), "{app}");
    assert!(app.ends_with("a \"b\" 'c' $HOME `d` \\ é # tab\tend"), "{app}");
}

#[test]
fn servers_by_role_and_what_is_left_to_the_user() {
    let project = Project::new(vec![server(), server()]);
    project.configure(
        &format!("{BASE}{OURS}"),
        "set :deploy_to, '~/app'\nset :assetsync_build_command, false\n",
    );
    let stage = project.stage(", password: 'none'").replacen("%w[app web]", "%w[db]", 1);
    let stage = stage.replace("%w[app web]", "%w[app]");
    project.write("config/deploy/production.rb", &stage);
    project.write("public/assets/app.js", "built before");
    let shown = project.cap("production assetsync:deploy");
    assert!(shown.contains("assetsync deploy production --skip-build"), "{shown}");
    assert!(!project.servers[0].home().join("app").exists(), "it has no role that gets assets");
    let served = project.servers[1].home().join("app/shared/public/assets/app.js");
    assert!(served.exists(), "the application there reads the manifest");
    let checked = project.cap("production assetsync:check");
    assert!(checked.contains("can't follow ssh_options password"), "{checked}");

    project.write("config/deploy/production.rb", &stage.replace("%w[app]", "%w[db]"));
    assert!(
        project.cap("production assetsync:push").contains("no server has a role of :assets_roles")
    );

    project.configure(&format!("{BASE}{OURS}"), "set :assetsync_program, '/no/such/assetsync'\n");
    let ran = project.try_cap("production deploy");
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr().contains("/no/such/assetsync can't be run"), "{}", ran.stderr());
}
