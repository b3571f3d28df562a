//! Real configurations and what is made of them; hostile ones, of which nothing must come.

mod lists;
mod properties;
mod values;

use super::{Files, RubyFile, convert};
use crate::config::{ConfigFile, Deployment, Overrides, RestartHow};

macro_rules! fixture {
    ($folder:literal, $file:literal) => {
        include_str!(concat!("fixtures/", $folder, "/", $file))
    };
}

fn file(name: &str, text: &str) -> RubyFile {
    RubyFile { name: name.to_owned(), text: text.to_owned() }
}

fn files(capfile: &str, deploy: &str, stages: &[(&str, &str)]) -> Files {
    let stage = |(name, text): &(&str, &str)| {
        ((*name).to_owned(), file(&format!("config/deploy/{name}.rb"), text))
    };
    Files {
        capfile: (!capfile.is_empty()).then(|| file("Capfile", capfile)),
        deploy: Some(file("config/deploy.rb", deploy)),
        stages: stages.iter().map(stage).collect(),
        ruby_version: Some("3.3.6\n".to_owned()),
        environment: [("HERE".to_owned(), "there".to_owned())].into(),
    }
}

/// The file that is made, which must be `expected`, and the deployments that come of it.
fn made(files: &Files, expected: &str) -> Vec<Deployment> {
    let text = convert(files, None).to_string();
    assert_eq!(text, expected);
    let file = ConfigFile::parse("assetsync.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let deployment = |stage: &str| {
        let settings = file.resolve(Some(stage), &Overrides::default());
        let settings = settings.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(settings.warnings(), [], "{stage}");
        settings.deployment().unwrap_or_else(|error| panic!("{error}"))
    };
    file.stages().map(deployment).collect()
}

#[test]
fn the_recipe_with_rsync_and_a_clobbered_list() {
    let stages = [("production", fixture!("recipe", "production.rb"))];
    let files = files(fixture!("recipe", "Capfile"), fixture!("recipe", "deploy.rb"), &stages);
    let deployments = made(&files, fixture!("recipe", "expected.toml"));
    let [production] = deployments.as_slice() else { panic!("{deployments:?}") };
    assert_eq!(production.restart.how, RestartHow::Pumactl { phased: false });
    let host = &production.hosts[1];
    assert_eq!((host.ssh.user.as_deref(), host.ssh.port), (Some("deploy"), Some(2222)));
    let crate::command::Manager::Rbenv(rbenv) = &host.manager else { panic!("{:?}", host.manager) };
    assert!(rbenv.map_bins.contains(&"pumactl".to_owned()));
}

#[test]
fn two_stages_vite_and_puma_by_systemd() {
    let stages = [
        ("production", fixture!("systemd", "production.rb")),
        ("staging", fixture!("systemd", "staging.rb")),
    ];
    let files = files(fixture!("systemd", "Capfile"), fixture!("systemd", "deploy.rb"), &stages);
    let deployments = made(&files, fixture!("systemd", "expected.toml"));
    let [production, staging] = deployments.as_slice() else { panic!("{deployments:?}") };
    assert_eq!(production.restart.how, RestartHow::Systemd { phased: true });
    assert_eq!(production.hosts[0].deploy_to, "/srv/blog/production");
    assert_eq!(staging.hosts[0].systemd.unit, "puma_blog_staging");
    assert_eq!(staging.hosts[0].ssh.user.as_deref(), Some("staging"));
    assert_eq!(staging.assets.len(), 2);
}

#[test]
fn servers_by_role_rvm_and_passenger() {
    let stages = [("live", fixture!("roles", "live.rb"))];
    let files = files(fixture!("roles", "Capfile"), fixture!("roles", "deploy.rb"), &stages);
    let deployments = made(&files, fixture!("roles", "expected.toml"));
    let [live] = deployments.as_slice() else { panic!("{deployments:?}") };
    assert_eq!(live.restart.how, RestartHow::PassengerTouch);
    assert_eq!(live.hosts.len(), 3);
}

#[test]
fn ruby_of_all_kinds() {
    let files = files("", fixture!("odd", "deploy.rb"), &[]);
    let text = convert(&files, None).to_string();
    assert_eq!(text, fixture!("odd", "expected.toml"));
    // A path that is set in branches is not known, and not guessed.
    let file = ConfigFile::parse("assetsync.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let settings = file.resolve(Some("production"), &Overrides::default());
    let settings = settings.unwrap_or_else(|error| panic!("{error}"));
    let missing = settings.deployment().map(drop).expect_err("there is no deploy_to");
    assert!(missing.to_string().contains("deploy_to"), "{missing}");
}

/// The values of settings that come of a configuration.
fn lines(deploy: &str, stage: &str) -> Vec<String> {
    let text = convert(&files("", deploy, &[("production", stage)]), None).to_string();
    let is_value = |line: &&str| !line.starts_with('#') && !line.is_empty();
    text.lines().filter(is_value).map(str::to_owned).collect()
}

/// Found by fuzzing.
#[test]
fn control_characters_in_names_do_not_end_in_a_file_that_can_not_be_read() {
    let text = "set :ssh_options, { '\u{3}\0a' => 'b' }\nset :default_env, { '\u{7}' => 'c' }\n";
    let made = convert(&files("", text, &[("production", "server 'web1'\n")]), None).to_string();
    assert!(made.contains("not taken"), "{made}");
    assert!(ConfigFile::parse("assetsync.toml", &made).is_ok(), "{made}");
}

#[test]
fn what_is_left_out_and_what_is_told() {
    let host = "server 'web1', roles: %w[web]\n";
    let unknown = lines("set :application, 'a'\nset :deploy_to, \"/srv/#{`id`}\"\n", host);
    assert!(!unknown.iter().any(|line| line.starts_with("deploy_to")), "{unknown:?}");
    let unset = lines("set :application, 'a'\nset :keep_releases, 7\n", host);
    for line in ["deploy_to = \"/var/www/a\"", "retention.keep = 7"] {
        assert!(unset.iter().any(|one| one == line), "{line}: {unset:?}");
    }
    assert!(lines("", host).iter().all(|line| !line.contains("application")));

    let text = convert(&files("", "", &[("production", "server 'web1', user: 'a'\n")]), None);
    assert!(text.to_string().contains("#   web1 has no roles: it is left out\n"));
    let options = "set :ssh_options, { config: false, verify_host_key: :never, forward_agent: true, timeout: 5 }";
    let text = convert(&files("", options, &[("production", host)]), None).to_string();
    assert!(
        text.contains("# ssh_options config, forward_agent and verify_host_key: not taken;"),
        "{text}"
    );
    let env = "set :default_env, { 'NODE_ENV' => 'test', path: '/opt:$PATH' }";
    let text = convert(&files("", env, &[("production", host)]), None).to_string();
    assert!(text.contains("environment.NODE_ENV = \"test\""), "{text}");
    assert_eq!(text.matches("/opt:$PATH").count(), 1, "it is for hosts: {text}");
}

#[test]
fn capistrano_2_is_told() {
    let capfile = "load 'deploy' if respond_to?(:namespace)\nload 'config/deploy'\n";
    let deploy = "set :application, 'a'\nset :deploy_to, '/srv/a'\nrole :web, 'web1'\n";
    let text = convert(&files(capfile, deploy, &[]), None).to_string();
    assert!(text.contains("This is a configuration of Capistrano 2"), "{text}");
    assert!(!text.contains("/srv/a"), "{text}");
}

#[test]
fn what_capistrano_answers_goes_first() {
    let json = r#"{"stages": [{"name": "production", "plugins": ["capistrano/rbenv"], "absent": ["capistrano/puma"],
        "variables": {"application": "shop", "deploy_to": "/srv/asked", "keep_assets": {"unknown": "is a Float"},
            "ssh_options": {"pairs": [["keys", ["~/.ssh/id"]], ["proxy", {"unknown": "is a Jump"}]]}},
        "servers": [{"address": "web1", "user": "a", "port": 7, "roles": ["web"], "no_release": false, "ssh_options": null}]},
        {"name": "staging", "error": "it raised"}]}"#;
    let answer = super::answer::read(json).expect("an answer");
    let stages =
        [("production", "set :deploy_to, '/read'"), ("staging", "set :deploy_to, '/staging'")];
    let text = convert(&files("x", "set :application, 'read'", &stages), Some(&answer)).to_string();
    for line in [
        "deploy_to = \"/srv/asked\"",
        "deploy_to = \"/staging\"",
        "    { address = \"web1\", user = \"a\", port = 7, roles = [\"web\"] },",
        "ssh.identities = [\"~/.ssh/id\"]",
        "#   stage staging: it raised",
        "#   keep_assets: is a Float",
        "#   capistrano/puma: is not installed here; what it sets is not known",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(text.contains("as Capistrano loads them"), "{text}");
    assert!(super::answer::read("{\"missing\": true}").is_none());
    assert!(super::answer::read("warning: not JSON").is_none());
}

#[test]
fn no_secret_is_copied() {
    for text in [fixture!("systemd", "expected.toml"), fixture!("odd", "expected.toml")] {
        for secret in ["abcdef0123456789", "hunter"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
