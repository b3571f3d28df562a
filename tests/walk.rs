//! Promise: a new user who pastes the lines of README.md and docs/deploy.md gets what they say. Run
//! in order, by a shell, against two real sshds; names of hosts, users and directories are those of
//! the test.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fleet::Fleet;
use crate::support::{OrFail, Ran, scratch, text};

/// Lines that this walk leaves to other tests, each with its reason.
const ELSEWHERE: [(&str, &str); 5] = [
    ("scripts/quickstart", "runs in CI on a clean checkout"),
    ("scripts/test", "is what runs this test"),
    ("cargo install --locked --path .", "builds what this test runs"),
    ("assetsync push [OPTIONS] SRC DEST...", "is the usage"),
    ("assetsync bench OLD NEW --to deploy@web1:/var/tmp --link 50ms,20mbit", "is tests/bench.rs"),
];

/// The lines of a page that are commands, without their comments.
fn commands(page: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(page).or_fail();
    let is_command = |line: &&str| {
        ["assetsync ", "scripts/", "cargo "].iter().any(|word| line.starts_with(word))
    };
    let lines = page.lines().filter_map(|line| line.strip_prefix("    ")).filter(is_command);
    let lines = lines.map(|line| line.split(" #").next().unwrap_or(line).trim().to_owned());
    lines.filter(|line| !ELSEWHERE.iter().any(|(elsewhere, _)| line == elsewhere)).collect()
}

/// A project without settings, and two hosts.
struct Walk {
    fleet: Fleet,
    build: String,
}

impl Walk {
    fn new() -> Walk {
        let fleet = Fleet::of(2);
        fs::remove_file(fleet.project().join("assetsync.toml")).or_fail();
        let build = "build.command = 'mkdir -p public/assets && date +%N > public/assets/app.js'\n\
                     build.cleanup = false\n";
        Walk { fleet, build: build.to_owned() }
    }

    /// Runs a line as it is on the page, but for the names.
    fn paste(&self, line: &str) -> Ran {
        let (host, config) = (&self.fleet.hosts[0], text(&self.fleet.ssh_config_path()));
        let line = line
            .replace("deploy@web1:/var/www/shop", &format!("web1:{}", text(&host.deploy_to())))
            .replace("assetsync push -", &format!("assetsync push -F {config} -"));
        let program =
            text(Path::new(env!("CARGO_BIN_EXE_assetsync")).parent().unwrap_or(Path::new("")));
        let path = format!("{program}:{}", std::env::var("PATH").or_fail());
        let mut command = Command::new("bash");
        for (name, value) in self.fleet.machine.command([""; 0]).get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.arg("-c").arg(line).env("PATH", path).current_dir(self.fleet.project());
        Ran(command.output().or_fail())
    }

    #[track_caller]
    fn paste_well(&self, line: &str) -> Ran {
        let ran = self.paste(line);
        assert_eq!(ran.code(), Some(0), "{line}: {}{}", ran.stdout(), ran.stderr());
        ran
    }

    /// What people write into the file that `init` made.
    fn fill_in_the_settings(&self) {
        let file = self.fleet.project().join("assetsync.toml");
        assert!(fs::read_to_string(file).or_fail().contains("[stages.production]"));
        self.fleet.configure(&self.build);
    }

    /// The script that both hosts serve.
    fn served(&self) -> String {
        let scripts = self
            .fleet
            .hosts
            .iter()
            .map(|host| fs::read_to_string(host.assets().join("app.js")).or_fail());
        let scripts: Vec<String> = scripts.collect();
        assert_eq!(scripts[0], scripts[1]);
        scripts[0].clone()
    }

    /// Pastes every line of a page.
    fn walk(&self, page: &str) {
        self.fleet.build(&[("app.js", "old")]);
        let mut deployed = Vec::new();
        for line in commands(page) {
            if line.starts_with("assetsync rollback") {
                // The deploy to go back from.
                self.paste_well("assetsync deploy production");
                self.paste_well(&line);
                assert_eq!(deployed.last(), Some(&self.served()), "{line}");
                continue;
            }
            self.paste_well(&line);
            if line.starts_with("assetsync init") {
                self.fill_in_the_settings();
            } else if line == "assetsync deploy production" {
                deployed.push(self.served());
            }
        }
        assert!(!deployed.is_empty(), "{page} has a deploy");
    }
}

#[test]
fn every_line_of_the_readme_works() {
    Walk::new().walk("README.md");
}

#[test]
fn every_line_of_the_page_on_deploys_works() {
    Walk::new().walk("docs/deploy.md");
}

/// The smallest file that deploys, as it is on the page.
#[test]
fn the_smallest_settings_of_the_page_are_valid() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy.md"));
    let page = page.or_fail();
    let begin = page.split("The smallest file that deploys:\n").nth(1).unwrap_or_default();
    let lines =
        begin.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with("    "));
    let settings: String = lines.map(|line| format!("{}\n", line.trim_start())).collect();
    let project = scratch();
    fs::write(project.path().join("assetsync.toml"), &settings).or_fail();
    let mut command = crate::support::Machine::new().command(["config", "production"]);
    let ran = Ran(command.current_dir(project.path()).output().or_fail());
    assert_eq!(ran.code(), Some(0), "{settings}{}", ran.stderr());
    assert!(ran.stdout().contains("web2.example.com"), "{}", ran.stdout());
}
