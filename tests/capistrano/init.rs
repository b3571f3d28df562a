//! `assetsync init` on Capistrano projects: what Capistrano itself says where it is installed, and
//! what can be read where it is not.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{OrFail, Ran, scratch};

/// What a Capfile begins with here; plugins of others are not installed.
const CAPFILE: &str = "require 'capistrano/setup'\nrequire 'capistrano/deploy'\n";
/// A server of a stage.
const SERVER: &str = "server 'web1.example', user: 'deploy', roles: %w[app web db]\n";

fn project(capfile: &str, deploy: &str, stage: &str) -> TempDir {
    let folder = scratch();
    for (name, text) in
        [("Capfile", capfile), ("config/deploy.rb", deploy), ("config/deploy/production.rb", stage)]
    {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).or_fail();
        fs::write(path, text).or_fail();
    }
    folder
}

/// What `init` writes; without Ruby, `PATH` has no programs at all.
fn written(folder: &Path, has_ruby: bool, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assetsync"));
    command.args(["init", "--force"]).current_dir(folder).envs(variables.iter().copied());
    if !has_ruby {
        command.env("PATH", folder.join("nothing"));
    }
    let ran = Ran(command.output().or_fail());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    fs::read_to_string(folder.join("assetsync.toml")).or_fail()
}

/// Whether a comment says so, however it is wrapped.
fn says(text: &str, words: &str) -> bool {
    text.replace("\n# ", " ").contains(words)
}

/// Both ways give these lines.
#[track_caller]
fn assert_lines(folder: &TempDir, lines: &[&str]) {
    for has_ruby in [true, false] {
        let text = written(folder.path(), has_ruby, &[]);
        for line in lines {
            assert!(text.lines().any(|one| one == *line), "ruby {has_ruby}, {line}: {text}");
        }
        assert_eq!(says(&text, "as Capistrano loads them"), has_ruby, "{text}");
    }
}

#[test]
fn settings_of_the_capfile_and_of_the_environment() {
    let capfile = format!(
        "{CAPFILE}require 'capistrano/rbenv'\nset :rbenv_type, :system\nset :rbenv_ruby, '2.4.4'\n"
    );
    let deploy = "set :application, 'shop'\n\
        set :deploy_to, ENV[\"CAP_DEPLOY_TO\"] || \"/srv/www/#{fetch(:application)}\"\n\
        set :keep_releases, ENV.fetch('KEEP', 4).to_i\n";
    let simple = deploy.replace(".to_i", "");
    let folder = project(&capfile, &simple, SERVER);
    let host = "    { address = \"web1.example\", user = \"deploy\", roles = [\"app\", \"web\", \"db\"] },";
    assert_lines(
        &folder,
        &[
            "deploy_to = \"/srv/www/shop\"",
            "ruby = \"2.4.4\"",
            "path = \"/usr/local/rbenv\"",
            "retention.keep = 4",
            host,
        ],
    );
    for has_ruby in [true, false] {
        let text = written(folder.path(), has_ruby, &[("CAP_DEPLOY_TO", "/opt/shop")]);
        assert!(text.contains("deploy_to = \"/opt/shop\"\n"), "{text}");
    }
}

#[test]
fn files_that_the_capfile_names() {
    let capfile = "set :deploy_config_path, 'cap/main.rb'\nset :stage_config_path, 'cap/stages'\n";
    let folder = project(&format!("{capfile}{CAPFILE}"), "set :application, 'no'\n", "");
    for (name, text) in
        [("cap/main.rb", "set :application, 'yes'\n"), ("cap/stages/live.rb", SERVER)]
    {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).or_fail();
        fs::write(path, text).or_fail();
    }
    assert_lines(&folder, &["application = \"yes\"", "[stages.live]"]);
}

#[test]
fn what_only_ruby_knows_is_asked_or_left_out() {
    let deploy = "set :application, 'shop'\nbase = File.exist?('none') ? '/a' : '/b'\n\
        set :deploy_to, \"#{base}/shop\"\nask :rails_env, 'production'\n";
    let stage = "%w[web1 web2].each { |name| server \"#{name}.example\", roles: %w[web] }\n";
    let folder = project(CAPFILE, deploy, stage);
    let asked = written(folder.path(), true, &[]);
    assert!(asked.contains("deploy_to = \"/b/shop\"\n"), "{asked}");
    assert!(asked.contains("address = \"web2.example\""), "{asked}");
    assert!(asked.contains("rails_env: is asked for in each deploy"), "{asked}");
    let read = written(folder.path(), false, &[]);
    assert!(!read.lines().any(|line| line.starts_with("deploy_to")), "{read}");
    assert!(read.contains("config/deploy.rb:3: set :deploy_to"), "{read}");
    assert!(read.contains("config/deploy/production.rb:1: %w[web1 web2].each"), "{read}");
}

#[test]
fn nothing_is_run_but_the_configuration() {
    let deploy = "set :application, 'shop'\n\
        on(['nowhere.example']) { execute :touch, 'x' }\n\
        after 'production', 'shop:touch' do\n  File.write('ran', '')\nend\n\
        puts 'noise on standard output'\n";
    let folder = project(CAPFILE, deploy, SERVER);
    let text = written(folder.path(), true, &[]);
    assert!(text.contains("application = \"shop\""), "{text}");
    assert!(!folder.path().join("ran").exists(), "tasks are not run");
}

#[test]
fn a_configuration_that_fails_is_read_and_the_reason_told() {
    let folder = project(CAPFILE, "set :application, 'shop'\nraise 'not here'\n", SERVER);
    let text = written(folder.path(), true, &[]);
    assert!(text.contains("stage production: not here"), "{text}");
    assert!(text.contains("application = \"shop\"\n"), "{text}");
    assert!(says(&text, "of which nothing was run"), "{text}");
}
