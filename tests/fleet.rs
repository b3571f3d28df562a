//! A fleet for the tests of deploys: hosts with an sshd of their own each, and a project that is
//! deployed to them.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_testbed::Sshd;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, assert_equal, scratch, text};

/// Hosts, and the project that goes there.
pub struct Fleet {
    /// The machine that deploys.
    pub machine: Machine,
    /// The hosts, `web1` first.
    pub hosts: Vec<Host>,
    room: TempDir,
}

/// One host.
pub struct Host {
    /// Its server.
    pub sshd: Sshd,
    /// Its name in the project's file.
    pub name: String,
    /// By which port it is reached.
    pub port: u16,
}

impl Host {
    fn new(number: usize, sshd: Sshd) -> Host {
        let (name, port) = (format!("web{number}"), sshd.port());
        fs::create_dir_all(sshd.home().join("app/current")).or_fail();
        Host { sshd, name, port }
    }

    /// The application's directory.
    pub fn deploy_to(&self) -> PathBuf {
        self.sshd.home().join("app")
    }

    /// What it serves.
    pub fn assets(&self) -> PathBuf {
        self.deploy_to().join("shared/public/assets")
    }
}

impl Fleet {
    /// So many hosts with nothing on them.
    pub fn of(count: usize) -> Fleet {
        Fleet::from((1..=count).map(|_| Sshd::builder().in_home().start().or_fail()))
    }

    /// Hosts that were started already.
    pub fn from(servers: impl IntoIterator<Item = Sshd>) -> Fleet {
        let hosts: Vec<Host> =
            (1..).zip(servers).map(|(number, sshd)| Host::new(number, sshd)).collect();
        let fleet = Fleet { machine: Machine::new(), hosts, room: scratch() };
        fs::create_dir_all(fleet.built()).or_fail();
        fleet.configure("");
        fleet
    }

    /// The project's folder.
    pub fn project(&self) -> PathBuf {
        self.room.path().join("shop")
    }

    /// Where the build puts assets.
    pub fn built(&self) -> PathBuf {
        self.project().join("public/assets")
    }

    /// Writes the project's file, with `more` at its end, and the ssh configuration.
    pub fn configure(&self, more: &str) {
        self.configure_hosts(more, |_| String::new());
    }

    /// The same, with more lines for each host, by its position.
    pub fn configure_hosts(&self, more: &str, of_host: impl Fn(usize) -> String) {
        let ssh_config = self.ssh_config_path();
        fs::write(&ssh_config, self.ssh_config()).or_fail();
        let mut settings = String::from("application = \"shop\"\n");
        let _ = writeln!(settings, "ssh.config = \"{}\"\n{more}", text(&ssh_config));
        for (at, host) in self.hosts.iter().enumerate() {
            let (deploy_to, more) = (text(&host.deploy_to()), of_host(at));
            let _ = writeln!(
                settings,
                "[[stages.production.hosts]]\naddress = \"{}\"\nroles = [\"web\", \"app\"]\n\
                 deploy_to = \"{deploy_to}\"\n{more}\n",
                host.name
            );
        }
        fs::write(self.project().join("assetsync.toml"), settings).or_fail();
    }

    /// The configuration by which hosts are reached.
    pub fn ssh_config_path(&self) -> PathBuf {
        self.room.path().join("ssh_config")
    }

    fn ssh_config(&self) -> String {
        let mut config = String::new();
        for host in &self.hosts {
            let (key, known) = (text(&host.sshd.client_key()), text(&host.sshd.known_hosts()));
            let _ = writeln!(
                config,
                "Host {}\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile \"{key}\"\n  \
                 IdentitiesOnly yes\n  UserKnownHostsFile \"{known}\"\n",
                host.name,
                host.port,
                host.sshd.user(),
            );
        }
        config
    }

    /// Replaces what the build made.
    pub fn build(&self, files: &[(&str, &str)]) {
        let _ = fs::remove_dir_all(self.built());
        for (name, content) in files {
            let path = self.built().join(name);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).or_fail();
            fs::write(path, content).or_fail();
        }
    }

    /// The command in the project's folder, not started yet.
    pub fn command(&self, words: &str) -> Command {
        let mut command = self.machine.command(words.split_whitespace());
        command.current_dir(self.project());
        command
    }

    /// Runs the command to its end.
    #[track_caller]
    pub fn run(&self, words: &str) -> Ran {
        Ran(self.command(words).output().or_fail())
    }

    /// The same, which must go well; gives the lines of `--json`.
    #[track_caller]
    pub fn json(&self, words: &str) -> Vec<Value> {
        let ran = self.run(&format!("{words} --json"));
        assert_eq!(ran.code(), Some(0), "{words}: {}{}", ran.stdout(), ran.stderr());
        events(&ran)
    }

    /// Every host serves what is built, and maybe more.
    #[track_caller]
    pub fn assert_serves(&self, expected: &Path) {
        for host in &self.hosts {
            assert_equal(expected, &host.assets());
        }
    }
}

/// The lines of `--json`.
#[track_caller]
pub fn events(ran: &Ran) -> Vec<Value> {
    let stdout = ran.stdout();
    let parse = |line| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("--json wrote {line:?}: {error}"))
    };
    stdout.lines().map(parse).collect()
}

/// The line that ends a rollout.
#[track_caller]
pub fn rollout(events: &[Value]) -> &Value {
    let last = events.last().unwrap_or_else(|| panic!("no lines"));
    assert_eq!(last["event"], "rollout", "{last}");
    last
}
