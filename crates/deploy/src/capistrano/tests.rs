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
    }
}

/// The file that is made, which must be `expected`, and the deployments that come of it.
fn made(files: &Files, expected: &str) -> Vec<Deployment> {
    let text = convert(files).to_string();
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
    let deployments = made(&files, fixture!("odd", "expected.toml"));
    let [only] = deployments.as_slice() else { panic!("{deployments:?}") };
    let addresses: Vec<&str> = only.hosts.iter().map(|host| host.address.as_str()).collect();
    assert_eq!(addresses, ["main.example.com", "dup.example.com"]);
}

#[test]
fn no_secret_is_copied() {
    for text in [fixture!("systemd", "expected.toml"), fixture!("odd", "expected.toml")] {
        for secret in ["abcdef0123456789", "hunter"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
