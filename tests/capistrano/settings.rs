//! Settings, keys and the state of the checkout: what is wrong is said first, and what is only odd
//! does not stop a deploy.

use std::fs;
use std::process::Command;

use assetsync_testbed::s3::{KEY, S3Kind, S3Server, SECRET, ask};

use super::plan::Plan;
use super::project::{BASE, OTHERS, OURS, Project, names, printed};
use crate::support::{OrFail, Ran, text};

#[test]
fn faults_in_settings_come_before_the_deploy_and_name_variables() {
    let project = Project::simple();
    let rows = [
        ("set :assetsync_delete, 'sometimes'\n", ":assetsync_delete can't be 'sometimes'"),
        ("set :assetsync_max_age, 'a while'\n", ":assetsync_max_age"),
        ("set :assetsync_keep, 'many'\n", ":assetsync_keep"),
        ("set :deploy_to, '~'\n", ":deploy_to"),
        ("set :assetsync_buckets, ['s3://x']\n", ":assetsync_buckets 'buckets.url' can't be used"),
        ("set :assetsync_settings, { 'assets.exlude' => %w[*.map] }\n", "assets.exlude"),
    ];
    for (setting, fault) in rows {
        project.configure(&format!("{BASE}{OURS}"), setting);
        let ran = project.try_cap("production deploy");
        let shown = ran.stderr();
        assert_eq!(ran.code(), Some(1), "{shown}");
        assert!(shown.contains(fault), "{fault}: {shown}");
        assert!(!shown.contains("arguments.toml"), "{shown}");
        assert!(!project.app().exists(), "nothing is deployed: {shown}");
    }
}

#[test]
fn a_key_that_is_missing_is_left_out() {
    let project = Project::simple();
    let key = text(&project.servers[0].client_key());
    let stage = project.stage("");
    let with = |keys: &str| {
        let stage = stage.replace(&format!("keys: ['{key}']"), &format!("keys: [{keys}]"));
        project.write("config/deploy/production.rb", &stage);
    };
    with(&format!("'~/.ssh/nothere', '{key}'"));
    let shown = project.cap("production deploy");
    let missing = project.machine.home().join(".ssh/nothere");
    let warning = format!("there is no key {}", text(&missing));
    assert_eq!(shown.matches(&warning).count(), 1, "{shown}");
    assert!(shown.contains("is live"), "{shown}");
    // The key is with an agent, as with `ssh -A`.
    with("'~/.ssh/nothere'");
    let plain = project.cap_on(&project.machine, &project.folder(), "production assetsync:deploy");
    let mut agent = Command::new("ssh-agent");
    agent.args(["sh", "-c", "ssh-add -q \"$KEY\" && exec cap production assetsync:deploy"]);
    agent.current_dir(project.folder()).env("KEY", &key);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => agent.env(name, value),
            None => agent.env_remove(name),
        };
    }
    let shown = printed(&Ran(agent.output().or_fail()), "with an agent");
    assert!(shown.contains("is live"), "{shown}");
}

#[test]
fn the_home_is_that_of_net_ssh() {
    let project = Project::simple();
    let server = &project.servers[0];
    let ssh = project.machine.home().join(".ssh");
    fs::create_dir_all(&ssh).or_fail();
    let config = format!(
        "Host shop-web\n  HostName 127.0.0.1\n  Port {}\n  User {}\n",
        server.port(),
        server.user()
    );
    fs::write(ssh.join("config"), config).or_fail();
    fs::copy(server.client_key(), ssh.join("id_ed25519")).or_fail();
    fs::copy(server.known_hosts(), ssh.join("known_hosts")).or_fail();
    project.write("config/deploy/production.rb", "server 'shop-web', roles: %w[app web]\n");
    let shown = project.cap("production deploy");
    assert!(shown.contains("is live"), "{shown}");
}

#[test]
fn another_commit_than_the_one_checked_out_is_noticed() {
    let project = Project::simple();
    let capfile = format!("{BASE}{OURS}");
    project.configure(&capfile, "");
    project.commit("1000000001");
    assert!(!project.cap("production deploy").contains("another state"));
    project.write("version", "1000000002");
    let shown = project.cap("production deploy");
    assert!(shown.contains("not committed: version"), "{shown}");
    project.git(&["commit", "-q", "-a", "-m", "not pushed"]);
    let shown = project.cap("production deploy");
    assert!(shown.contains("is checked out, and"), "{shown}");
    project.configure(&capfile, "set :assetsync_checkout, 'refuse'\n");
    let live = project.live_manifest();
    let ran = project.try_cap("production deploy");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(ran.stderr().contains("is checked out, and"), "{}", ran.stderr());
    assert_eq!(project.live_manifest(), live);
    project.configure(&capfile, "set :assetsync_checkout, false\n");
    assert!(!project.cap("production deploy").contains("is checked out"));
}

#[test]
fn no_roles_mean_no_assets_and_default_env_reaches_the_build() {
    let project = Project::simple();
    project.configure(&format!("{BASE}{OURS}"), "set :assets_roles, []\n");
    let shown = project.cap("production deploy");
    assert!(!shown.contains("precompile") && !project.built().exists(), "{shown}");
    assert_eq!(names(&project.served()), [""; 0]);
    project.cap("production deploy:rollback_assets");

    let environment =
        "set :default_env, { 'odd' => 'lower', odd: 'FROM-ENV', path: '/opt:$PATH' }\n";
    project.configure(&format!("{BASE}{OTHERS}{OURS}"), environment);
    project.cap("production deploy");
    let app = names(&project.served()).into_iter().find(|name| name.starts_with("app-"));
    let app = fs::read_to_string(project.served().join(app.expect("it is served"))).or_fail();
    assert!(app.ends_with("FROM-ENV"), "{app}");
}

#[test]
fn files_for_hooks_after_the_build_are_there() {
    let project = Project::simple();
    let hook = "task(:maps) { run_locally { execute :ls, 'public/assets' } }\n\
        after 'deploy:assets:precompile', 'maps'\n";
    project.configure(&format!("{BASE}require 'capistrano/rails/assets'\n{OURS}"), hook);
    let shown = project.cap("production deploy");
    assert!(shown.contains("same-0000"), "{shown}");
    assert!(!project.built().exists(), "and are deleted afterwards");
}

#[test]
fn lists_of_programs() {
    let puma = "require 'capistrano/puma'\ninstall_plugin Capistrano::Puma\n";
    let rbenv = "require 'capistrano/rbenv'\n";
    let bundler = "require 'capistrano/bundler'\n";
    let order = "the Capfile loads capistrano/rbenv after a plugin that appends puma, pumactl";
    for (capfile, deploy, expected) in [
        (format!("{BASE}{bundler}{puma}{rbenv}{OURS}"), "", true),
        (format!("{BASE}{OURS}{bundler}{puma}{rbenv}"), "", true),
        (
            format!("{BASE}{OURS}{bundler}{puma}{rbenv}"),
            "set :assetsync_list_warnings, false\n",
            false,
        ),
        (format!("{BASE}{rbenv}{bundler}{puma}{OURS}"), "", false),
        (format!("{BASE}{rbenv}{bundler}{OURS}"), "set :rbenv_map_bins, %w[rake bundle]\n", false),
    ] {
        let (shown, _) = Plan::new(&capfile, deploy).run("-n production deploy:check");
        assert_eq!(shown.contains(order), expected, "{capfile}{shown}");
        assert_eq!(shown.contains("WARN"), expected, "{capfile}{shown}");
    }
}

#[test]
fn variables_of_local_precompile_are_named() {
    let deploy = "set :packs_dir, 'public/vite'\nset :precompile_env, 'staging'\n";
    let (shown, code) = Plan::new(&format!("{BASE}{OURS}"), deploy).run("-n production deploy");
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("append :assetsync_extra_dirs, \"public/vite\""), "{shown}");
    assert!(shown.contains("set :rails_env, \"staging\""), "{shown}");
}

#[test]
fn buckets_get_the_assets_together_with_the_servers() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let project = Project::simple();
    let bucket = format!("{{ url: 's3://assets/shop', endpoint: '{}' }}", server.endpoint());
    let buckets = format!("set :assetsync_buckets, [{bucket}]\n");
    project.configure(&format!("{BASE}{OURS}"), &buckets);
    let cap = |words: &str| {
        let mut cap = project.cap_on(&project.machine, &project.folder(), words);
        cap.envs([("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
        printed(&Ran(cap.output().or_fail()), words)
    };
    let shown = cap("production deploy");
    assert!(shown.contains("s3://assets/shop: 3 files sent"), "{shown}");
    for name in names(&project.served()) {
        let object = ask(server.port, "GET", &format!("/assets/shop/{name}"), b"").or_fail();
        assert_eq!(object.body, fs::read(project.served().join(&name)).or_fail(), "{name}");
    }
    let shown = cap("production assetsync:status");
    assert!(shown.contains("s3://assets/shop: deploy"), "{shown}");
    let shown = cap("-n production assetsync:push");
    assert!(shown.contains(", s3://assets/shop"), "{shown}");
}
