//! How much longer a redeploy to eight hosts takes than to one, over one shared link of 50 ms and
//! 20 Mbit/s.
//!
//! `cargo bench --bench fleet` deploys n8n's 2.40.2 to fresh hosts without the link, then times the
//! deploy of 2.40.3 over it, one host and eight by turns, and prints the median seconds, their
//! ratio, the bytes that passed the link, and how often content was encoded.

#![allow(clippy::print_stdout)] // It prints figures.

#[path = "../tests/support.rs"]
#[allow(dead_code)]
mod support;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use assetsync_testbed::{Link, LinkSpec, Sshd};
use serde_json::Value;
use tempfile::TempDir;

use self::support::{Machine, OrFail, Ran, fresh_corpus, scratch, sshd, text};

/// Hosts of the fleet.
const HOSTS: usize = 8;

/// Deploys of each kind; the median counts.
const RUNS: usize = 5;

/// One project and its hosts, all behind one server.
struct Ground {
    machine: Machine,
    room: TempDir,
}

/// What one timed deploy came to.
struct Timed {
    took: Duration,
    bytes: u64,
    encodings: u64,
}

impl Ground {
    fn new(server: &Sshd, hosts: usize) -> Ground {
        let ground = Ground { machine: Machine::new(), room: scratch() };
        let mut settings = String::from("application = \"shop\"\n");
        for host in 1..=hosts {
            let deploy_to = text(&ground.host(host));
            let _ = writeln!(
                settings,
                "[[stages.production.hosts]]\naddress = \"web{host}\"\nroles = [\"web\"]\n\
                 deploy_to = \"{deploy_to}\"\n"
            );
        }
        fs::write(ground.room.path().join("assetsync.toml"), settings).or_fail();
        ground.way("direct", server, server.port());
        ground
    }

    fn host(&self, number: usize) -> std::path::PathBuf {
        self.room.path().join(format!("host{number}"))
    }

    fn built(&self) -> std::path::PathBuf {
        self.room.path().join("public/assets")
    }

    /// Writes an ssh configuration by which all hosts are reached at `port`.
    fn way(&self, name: &str, server: &Sshd, port: u16) {
        server.via(port).or_fail();
        let (key, known) = (text(&server.client_key()), text(&server.known_hosts()));
        let config = format!(
            "Host web*\n  HostName 127.0.0.1\n  Port {port}\n  User {}\n  IdentityFile \"{key}\"\n  \
             IdentitiesOnly yes\n  UserKnownHostsFile \"{known}\"\n",
            server.user()
        );
        fs::write(self.room.path().join(name), config).or_fail();
    }

    fn build(&self, corpus: &str) {
        let _ = fs::remove_dir_all(self.built());
        fresh_corpus(corpus, &self.built());
    }

    fn deploy(&self, way: &str) -> Value {
        let mut command = self.machine.command(["deploy", "production", "--json"]);
        command.current_dir(self.room.path());
        command.env("ASSETSYNC_SSH_CONFIG", self.room.path().join(way));
        let ran = Ran(command.output().or_fail());
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
        let stdout = ran.stdout();
        let last = stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).or_fail()
    }
}

fn timed(server: &Sshd, hosts: usize) -> Timed {
    let ground = Ground::new(server, hosts);
    ground.build("n8n-2.40.2");
    ground.deploy("direct");
    ground.build("n8n-2.40.3");
    let link = Link::to(server.port(), LinkSpec::parse("50ms,20mbit").or_fail()).or_fail();
    ground.way("far", server, link.port());
    let started = Instant::now();
    let end = ground.deploy("far");
    let took = started.elapsed();
    assert!(link.wait_idle(Duration::from_secs(10)), "connections outlive the deploy");
    for host in 1..=hosts {
        check(&ground.built(), &ground.host(host).join("shared/public/assets"));
    }
    let counts = link.counts();
    let encodings = end["encodings"].as_u64().unwrap_or_default();
    Timed { took, bytes: counts.sent + counts.received, encodings }
}

/// What is built is served; what was before may be there, too.
fn check(built: &Path, served: &Path) {
    let mut compare = std::process::Command::new("rsync");
    compare.args(["-a", "--checksum", "--dry-run", "--itemize-changes"]);
    compare.arg(format!("{}/", text(built))).arg(served);
    let output = compare.output().or_fail();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let changed: Vec<&str> = lines.lines().filter(|line| line.starts_with("<f")).collect();
    assert!(output.status.success() && changed.is_empty(), "{changed:?}");
}

fn median(runs: &[Timed]) -> f64 {
    let mut seconds: Vec<f64> = runs.iter().map(|run| run.took.as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn main() {
    let server = sshd();
    let (mut one, mut fleet) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        one.push(timed(&server, 1));
        fleet.push(timed(&server, HOSTS));
    }
    for (name, runs) in [("1 host", &one), ("8 hosts", &fleet)] {
        let run = &runs[runs.len() / 2];
        let (bytes, encodings) = (run.bytes, run.encodings);
        println!("{name}: {:.2} s, {bytes} bytes, encoded {encodings} times", median(runs));
    }
    println!("ratio: {:.2}", median(&fleet) / median(&one));
}
