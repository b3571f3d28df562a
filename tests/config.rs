//! Settings: what `assetsync init` writes and what `assetsync config` says of it.

use std::fs;
use std::path::{Path, PathBuf};

use assetsync_sync::DEFAULT_PATTERNS;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, scratch, text};

/// A machine and a project on it.
struct Project {
    machine: Machine,
    room: TempDir,
}

impl Project {
    /// An empty folder, named `shop`.
    fn new() -> Project {
        let project = Project { machine: Machine::new(), room: scratch() };
        fs::create_dir(project.folder()).or_fail();
        project
    }

    /// One with this `assetsync.toml`.
    fn with(settings: &str) -> Project {
        let project = Project::new();
        project.write("assetsync.toml", settings);
        project
    }

    fn folder(&self) -> PathBuf {
        self.room.path().join("shop")
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).or_fail();
        fs::write(path, content).or_fail();
    }

    fn read(&self) -> String {
        fs::read_to_string(self.folder().join("assetsync.toml")).or_fail()
    }

    /// Runs the command in the project's folder.
    fn run(&self, words: &str) -> Ran {
        self.run_in(&self.folder(), words, &[])
    }

    fn run_in(&self, folder: &Path, words: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.machine.command(words.split_whitespace());
        command.current_dir(folder).envs(variables.iter().copied());
        Ran(command.output().or_fail())
    }
}

/// Standard output of a command that went well and had nothing to say besides.
#[track_caller]
fn said(ran: &Ran) -> String {
    assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""), "{}", ran.stdout());
    ran.stdout()
}

const SETTINGS: &str = "\
application = \"shop\"
deploy_to = \"/var/www/shop\"

[environment]
RAILS_MASTER_KEY = \"hunter2\"

[stages.production]
hosts = [\"deploy@web1\", { address = \"web2\", roles = [\"web\"], port = 2222 }]

[stages.staging]
hosts = [\"test1\"]
";

#[test]
fn a_new_project() {
    let project = Project::new();
    project.write("package.json", "{}");
    let expected = "\
Wrote assetsync.toml; fill in application, deploy_to and hosts
  assetsync config --origin shows the resulting settings
";
    assert_eq!(said(&project.run("init")), expected);
    let written = project.read();
    for line in ["application = \"shop\"", "command = \"npm run build\"", "source = \"dist\""] {
        assert!(written.lines().any(|written| written == line), "{line}: {written}");
    }
    let shown = said(&project.run("config"));
    assert!(
        shown.starts_with("# assetsync.toml, stage production\napplication = \"shop\"\n"),
        "{shown}"
    );
}

#[test]
fn a_rails_application_is_known_though_it_has_packages() {
    for (also, command) in
        [("bin/rails", "bin/rails assets:precompile"), ("Rakefile", "rake assets:precompile")]
    {
        let project = Project::new();
        for name in ["package.json", "config/application.rb", also] {
            project.write(name, "");
        }
        said(&project.run("init"));
        let written = project.read();
        for line in [format!("command = \"{command}\""), "source = \"public/assets\"".into()] {
            assert!(written.lines().any(|written| written == line), "{line}: {written}");
        }
    }
}

#[test]
fn an_existing_file_is_kept() {
    let project = Project::with("# mine\n");
    let ran = project.run("init");
    let expected = "error: assetsync.toml already exists\nhint: --force replaces it\n";
    assert_eq!((ran.code(), ran.stderr().as_str()), (Some(2), expected));
    assert_eq!(project.read(), "# mine\n");
    said(&project.run("init --force"));
    assert!(project.read().contains("[stages.production]"));
    let names = fs::read_dir(project.folder()).or_fail().count();
    assert_eq!(names, 1, "nothing is left beside it");
}

#[test]
fn a_capistrano_project_can_be_deployed_without_edits() {
    let project = Project::new();
    project.write("Capfile", "require 'capistrano/rbenv'\nrequire 'capistrano/puma'\n");
    project.write(
        "config/deploy.rb",
        "set :application, 'shop'\nask :branch, 'main'\nset :rbenv_map_bins, %w{rake gem bundle ruby rails}\n",
    );
    project.write(
        "config/deploy/production.rb",
        "server 'web1', user: 'deploy', roles: %w{app web}\n",
    );
    let expected = "\
Wrote assetsync.toml from Capfile, config/deploy.rb, config/deploy/production.rb
  1 statement could not be read; it is listed at the end of the file
  assetsync config --origin shows the resulting settings
";
    assert_eq!(said(&project.run("init")), expected);
    let written = project.read();
    assert!(written.contains("#   config/deploy.rb:2: ask :branch, 'main'\n"), "{written}");
    assert!(written.contains("assigns rbenv_map_bins and so drops puma and pumactl"), "{written}");
    let shown = said(&project.run("config production"));
    let bins = "rbenv.map_bins = [\"rake\", \"gem\", \"bundle\", \"ruby\", \"rails\", \"puma\", \"pumactl\"]";
    for line in ["deploy_to = \"/var/www/shop\"", bins, "restart.preset = \"pumactl\""] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
}

#[test]
fn init_lists_what_must_be_fixed() {
    let project = Project::new();
    project.write("config/deploy.rb", "set :application, 'shop'\n");
    let shown = said(&project.run("init"));
    assert!(
        shown.contains("To fix before a deploy:\n\nerror: Stage 'production' has no hosts\n"),
        "{shown}"
    );
}

#[test]
fn every_value_and_its_origin() {
    let project = Project::with(SETTINGS);
    let variables = [("ASSETSYNC_ASSETS_RETENTION_KEEP", "9")];
    let below = project.folder().join("app/models");
    fs::create_dir_all(&below).or_fail();
    let words = "config production --origin --set assets.roles.append=app";
    let shown = said(&project.run_in(&below, words, &variables));
    for line in [
        "# ../../assetsync.toml, stage production",
        "application = \"shop\"                          # ../../assetsync.toml:1:15",
        "shared_path = \"/var/www/shop/shared\"          # built in: {deploy_to}/shared",
        "  \"web\",                                      # built in",
        "  \"app\",                                      # --set assets.roles.append",
        "assets.retention.keep = 9                     # ASSETSYNC_ASSETS_RETENTION_KEEP",
        "environment.RAILS_MASTER_KEY = \"(hidden)\"     # ../../assetsync.toml:5:20",
        "hosts.web1.ssh.user = \"deploy\"                # ../../assetsync.toml:8:10",
        "hosts.web2.ssh.port = 2222                    # ../../assetsync.toml:8:69",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_shown_is_toml_that_says_the_same() {
    let project = Project::with(SETTINGS);
    let shown = said(&project.run("config production"));
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let settings: String = shown
        .lines()
        .filter(|line| !line.starts_with("hosts."))
        .map(|line| format!("{line}\n"))
        .collect();
    let again =
        Project::with(&format!("{settings}[stages.production]\nhosts = [\"deploy@web1\"]\n"));
    let shown_again = said(&again.run("config production"));
    let common = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("hosts."));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(common(&shown_again), common(&shown));
}

#[test]
fn entry_points_are_those_of_the_engine() {
    let project = Project::with(SETTINGS);
    let object: Value =
        serde_json::from_str(&said(&project.run("config staging --json"))).or_fail();
    let settings = object["settings"].as_array().expect("a list");
    let found = settings.iter().find(|one| one["key"] == "assets.entry_points");
    let expected: Vec<Value> = DEFAULT_PATTERNS.iter().map(|&pattern| pattern.into()).collect();
    assert_eq!(found.expect("it has a default")["value"], Value::Array(expected));
}

#[test]
fn without_a_stage_all_are_checked() {
    let project = Project::with(SETTINGS);
    let shown = said(&project.run("config"));
    let first = "# assetsync.toml, settings common to the stages production, staging\n";
    assert!(shown.starts_with(first), "{shown}");
    assert!(!shown.contains("hosts."), "{shown}");

    let broken = Project::with(&format!("{SETTINGS}assets.roles = [\"cdn\"]\n"));
    assert_eq!(broken.run("config production").code(), Some(0));
    let ran = broken.run("config");
    let expected = "\
error: No host of 'staging' has the role 'cdn' of 'assets.roles'
  --> assetsync.toml:12:17
   |
12 | assets.roles = [\"cdn\"]
   |                 ^^^^^
   |
   = hint: the roles of its hosts are app and web

error: assetsync.toml has 1 error
";
    assert_eq!((ran.code(), ran.stdout().as_str()), (Some(2), ""));
    assert_eq!(ran.stderr(), expected);
}

#[test]
fn json() {
    let project = Project::with(&format!("{SETTINGS}assets.exclude = [\"*.map\"]\n"));
    let words = "config staging --json --set assets.exclude=*.txt --set max_parallel=2";
    let ran = project.run(words);
    let shown = said(&ran);
    assert_eq!(shown.lines().count(), 1);
    let object: Value = serde_json::from_str(&shown).or_fail();
    assert_eq!((&object["ok"], &object["stage"]), (&true.into(), &"staging".into()));
    assert_eq!(object["stages"], serde_json::json!(["production", "staging"]));
    let settings = object["settings"].as_array().expect("a list");
    let setting =
        |key: &str| settings.iter().find(|one| one["key"] == key).expect("it has a value");
    let expected = serde_json::json!({
        "key": "max_parallel",
        "value": 2,
        "origin": { "kind": "argument", "name": "--set max_parallel" },
    });
    assert_eq!(*setting("max_parallel"), expected);
    let expected = serde_json::json!({
        "key": "application",
        "value": "shop",
        "origin": { "kind": "file", "file": "assetsync.toml", "line": 1, "column": 15 },
    });
    assert_eq!(*setting("application"), expected);
    assert_eq!(setting("environment.RAILS_MASTER_KEY")["value"], Value::Null);
    let exclude = setting("assets.exclude");
    assert_eq!(
        (&exclude["value"][0], exclude["origins"].as_array().map(Vec::len)),
        (&"*.txt".into(), Some(1))
    );
    let warning = &object["warnings"][0];
    assert_eq!(warning["message"], "Assigning 'assets.exclude' drops *.map");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn problems_are_reported_before_anything_runs() {
    let project = Project::with("aplication = \"shop\"\n[assets]\nretention = { keep = -1 }\n");
    let ran = project.run("config --json");
    let expected = "\
error: Unknown key 'aplication'
 --> assetsync.toml:1:1
  |
1 | aplication = \"shop\"
  | ^^^^^^^^^^
  |
  = hint: the nearest key is 'application'

error: 'assets.retention.keep' is -1; it goes from 0 to 10000
 --> assetsync.toml:3:22
  |
3 | retention = { keep = -1 }
  |                      ^^
  |
  = hint: write it without the minus

error: assetsync.toml has 2 errors
";
    assert_eq!((ran.code(), ran.stderr().as_str()), (Some(2), expected));
    let object: Value = serde_json::from_str(&ran.stdout()).or_fail();
    assert_eq!(
        (&object["ok"], object["errors"].as_array().map(Vec::len)),
        (&false.into(), Some(2))
    );
    assert_eq!(object["errors"][1]["origin"]["column"], 22);
}

#[test]
fn a_clobbered_list_is_a_warning() {
    let project = Project::with(&format!("rbenv.map_bins = [\"rake\"]\n{SETTINGS}"));
    let ran = project.run("config staging");
    assert_eq!(ran.code(), Some(0));
    let first =
        "warning: Assigning 'rbenv.map_bins' drops gem, bundle, ruby, rails, puma and pumactl\n";
    assert!(ran.stderr().starts_with(first), "{}", ran.stderr());
}

#[test]
fn no_file_or_a_bad_one() {
    let project = Project::new();
    let ran = project.run("config");
    let folder = text(&project.folder().canonicalize().or_fail());
    let expected = format!(
        "error: There is no assetsync.toml in {folder} nor in any folder above it\nhint: assetsync init creates one\n"
    );
    assert_eq!((ran.code(), ran.stderr()), (Some(2), expected));

    let ran = project.run("config --config other.toml");
    let expected = "error: Can't read other.toml: No such file or directory (os error 2)\n";
    assert_eq!((ran.code(), ran.stderr().as_str()), (Some(2), expected));

    fs::write(project.folder().join("other.toml"), b"a = \"\xff\"").or_fail();
    let ran = project.run("config --config other.toml");
    let expected = "error: other.toml is not UTF-8: byte 5 belongs to no character\n";
    assert_eq!((ran.code(), ran.stderr().as_str()), (Some(2), expected));

    project.write("other.toml", SETTINGS);
    let shown = said(&project.run("config production --config other.toml"));
    assert!(shown.starts_with("# other.toml, stage production\n"), "{shown}");
    let ran = project.run("config prod --config other.toml");
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().starts_with("error: There is no stage 'prod'\n"), "{}", ran.stderr());
}
