//! Deploys that go wrong on some hosts, at any moment, and while visitors read.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use assetsync_testbed::{Direction, Link, LinkSpec, Sshd};
use serde_json::Value;

use crate::file_systems::situations::{Mount, chattr, mount_tmpfs};
use crate::fleet::{Fleet, Host, events, rollout};
use crate::interruptions::faults::{noise, until};
use crate::support::{OrFail, text};

/// Builds whose versions are told apart by one number.
#[derive(Clone, Copy)]
struct Builds {
    /// Files of a version, besides its manifest and what it shares with others.
    files: u32,
    /// Bytes of each.
    bytes: u32,
}

/// Enough to be interrupted in.
const LARGE: Builds = Builds { files: 12, bytes: 100_000 };

/// Quick to deploy.
const SMALL: Builds = Builds { files: 4, bytes: 3_000 };

impl Builds {
    /// Leaves what a build of version `n` leaves: files that have nothing to do with those of other
    /// versions, one that they share, and a manifest that names them all.
    fn make(self, fleet: &Fleet, n: u32) {
        let _ = fs::remove_dir_all(fleet.built());
        fs::create_dir_all(fleet.built()).or_fail();
        for file in 0..self.files {
            fs::write(fleet.built().join(name(n, file)), self.content(n, file)).or_fail();
        }
        fs::write(fleet.built().join("same.css"), "body {}\n").or_fail();
        let names: Vec<String> = (0..self.files).map(|file| name(n, file)).collect();
        let manifest = serde_json::json!({ "version": n, "files": names });
        fs::write(fleet.built().join("manifest.json"), manifest.to_string()).or_fail();
    }

    fn content(self, n: u32, file: u32) -> Vec<u8> {
        noise(n * self.files + file, self.bytes)
    }

    /// The version that a host's manifest names, once each file of it is found right.
    fn live(self, assets: &Path) -> Result<u32, String> {
        let manifest = fs::read(assets.join("manifest.json")).map_err(|error| error.to_string())?;
        let manifest: Value =
            serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        let n = manifest["version"].as_u64().and_then(|n| u32::try_from(n).ok());
        let n = n.ok_or("a manifest without a version")?;
        for file in 0..self.files {
            let path = assets.join(name(n, file));
            let found = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            if found != self.content(n, file) {
                return Err(format!("{} has other content", path.display()));
            }
        }
        Ok(n)
    }
}

fn name(n: u32, file: u32) -> String {
    format!("chunk{file}-{n:08x}.js")
}

/// Reaches a host by a link from now on.
fn by_link(host: &mut Host, link: &Link) {
    host.sshd.via(link.port()).or_fail();
    host.port = link.port();
}

#[test]
fn one_full_one_refusing_one_killed_and_nothing_is_published_anywhere() {
    let mut fleet = Fleet::of(5);
    let _small = mount_tmpfs(&fleet.hosts[1].deploy_to().join("shared"));
    let link = Link::to(fleet.hosts[3].port, LinkSpec::UNSHAPED).or_fail();
    by_link(&mut fleet.hosts[3], &link);
    fleet.configure("");
    LARGE.make(&fleet, 1);
    fleet.json("deploy production");
    // web2 has no room for another version, web3 refuses the key, web4 is lost while it stages.
    let keys = fleet.hosts[2].sshd.dir().join("authorized_keys");
    fs::write(&keys, "").or_fail();
    link.reset();
    link.cut_after(Direction::Sent, 400_000);
    LARGE.make(&fleet, 2);
    let ran = fleet.run("deploy production --json");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    let lines = events(&ran);
    let failed = |name: &str| {
        let of_host = |line: &&Value| line["event"] == "failed" && line["destination"] == name;
        let told: Vec<&Value> = lines.iter().filter(of_host).collect();
        assert_eq!(told.len(), 1, "one line says why: {told:?}");
        told[0]["error"].as_str().unwrap_or_default().to_owned()
    };
    assert!(failed("web2").contains("Disk full"), "{}", failed("web2"));
    assert!(failed("web3").contains("refused the login of"), "{}", failed("web3"));
    assert!(!failed("web4").is_empty());
    for host in &fleet.hosts {
        assert_eq!(LARGE.live(&host.assets()), Ok(1), "{}", host.name);
        assert!(!host.assets().join(name(2, 0)).exists(), "{}", host.name);
    }
    assert!(fleet.built().join(name(2, 0)).exists(), "what was built is kept");

    link.reset();
    link.cut_after(Direction::Sent, 400_000);
    let ran = fleet.run("deploy production --json --keep-going");
    assert_eq!(ran.code(), Some(3), "{}", ran.stderr());
    let live: Vec<_> = fleet.hosts.iter().map(|host| LARGE.live(&host.assets())).collect();
    assert_eq!(live, [Ok(2), Ok(1), Ok(1), Ok(1), Ok(2)]);
    assert_eq!(rollout(&events(&ran))["exit"], 3);
}

/// Runs a deploy that is killed once it has printed `lines` lines; how many it printed.
fn killed_after(fleet: &Fleet, lines: usize) -> usize {
    let mut command = fleet.command("deploy production --json");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().or_fail();
    let stdout = child.stdout.take().expect("it is piped");
    let printed = BufReader::new(stdout).lines().take(lines).count();
    let _ = child.kill();
    child.wait().or_fail();
    printed
}

/// Waits until nothing of a deploy runs on any host.
fn wait_until_quiet(fleet: &Fleet) {
    for host in &fleet.hosts {
        until("the host's sessions end", || host.sshd.session_pids().is_empty().then_some(()));
    }
}

#[test]
fn a_sender_killed_at_any_of_30_moments_leaves_every_host_wholly_old_or_new() {
    let fleet = Fleet::of(3);
    SMALL.make(&fleet, 1);
    fleet.json("deploy production");
    SMALL.make(&fleet, 2);
    let all = killed_after(&fleet, usize::MAX);
    let (mut old, mut new) = (0, 0);
    for moment in 0..30 {
        let n = 3 + moment as u32;
        SMALL.make(&fleet, n);
        killed_after(&fleet, all * moment / 30);
        wait_until_quiet(&fleet);
        let lines = fleet.json("status production");
        for status in lines.iter().filter(|line| line["event"] == "status") {
            assert_eq!(status["changed"], Value::Array(Vec::new()), "moment {moment}: {status}");
        }
        for host in &fleet.hosts {
            let live = SMALL.live(&host.assets()).or_fail();
            assert!(live == n || live == n - 1, "moment {moment}: {} has {live}", host.name);
            *(if live == n { &mut new } else { &mut old }) += 1;
        }
        fleet.json("deploy production");
        for host in &fleet.hosts {
            assert_eq!(SMALL.live(&host.assets()), Ok(n), "moment {moment}: {}", host.name);
        }
    }
    assert!(old > 20 && new > 3, "{old} times old and {new} times new is no good test");
}

#[test]
fn readers_never_meet_a_missing_or_wrong_file_during_100_deploys_and_rollbacks() {
    let fleet = Fleet::of(2);
    fleet.configure("assets.retention = { keep = 2, max_age = \"0s\" }\n");
    SMALL.make(&fleet, 1);
    fleet.json("deploy production");
    let (over, read) = (AtomicBool::new(false), AtomicU64::new(0));
    let (fleet, over, read) = (&fleet, &over, &read);
    std::thread::scope(|scope| {
        let reader = |host: &Host| {
            let assets = host.assets();
            while !over.load(Ordering::Relaxed) {
                SMALL.live(&assets).or_fail();
                read.fetch_add(1, Ordering::Relaxed);
            }
        };
        let readers: Vec<_> =
            fleet.hosts.iter().map(|host| scope.spawn(move || reader(host))).collect();
        // However this ends, the readers do too.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut before = 1;
            for n in 2..=101 {
                if n % 10 == 0 {
                    fleet.json("rollback production");
                    continue;
                }
                SMALL.make(fleet, n);
                fleet.json("deploy production");
                // A visitor who holds the previous page still gets all of its files.
                for (host, file) in fleet.hosts.iter().zip(0..SMALL.files) {
                    let path = host.assets().join(name(before, file));
                    assert!(fs::read(&path).or_fail() == SMALL.content(before, file), "{n}");
                }
                before = n;
            }
        }));
        over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("a reader met a missing or wrong file");
        }
        done.expect("a deploy went wrong");
    });
    assert!(read.load(Ordering::Relaxed) > 100, "{read:?} is no good test");
}

#[test]
fn a_capistrano_configuration_becomes_a_file_that_deploys_without_edits() {
    let fleet = Fleet::of(2);
    fs::remove_file(fleet.project().join("assetsync.toml")).or_fail();
    let deploy_to = fleet.hosts[0].deploy_to();
    let key = text(&fleet.hosts[0].sshd.client_key());
    let user = fleet.hosts[0].sshd.user().to_owned();
    let write = |name: &str, content: &str| {
        let path = fleet.project().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).or_fail();
        fs::write(path, content).or_fail();
    };
    write("Capfile", "require \"capistrano/setup\"\nrequire \"capistrano/deploy\"\n");
    write(
        "config/deploy.rb",
        &format!(
            "lock \"~> 3.17\"\nset :application, \"shop\"\nset :deploy_to, \"{}\"\n\
             append :linked_dirs, \"log\", \"public/assets\"\nset :keep_assets, 2\n",
            text(&deploy_to)
        ),
    );
    write(
        "config/deploy/production.rb",
        &format!(
            "server \"web1\", user: \"{user}\", roles: %w{{app web}}, \
             ssh_options: {{ keys: %w({key}) }}\n"
        ),
    );
    write(
        "Rakefile",
        "namespace :assets do\n  task :precompile do\n    mkdir_p \"public/assets\"\n    \
         File.write(\"public/assets/app.js\", ENV.fetch(\"RAILS_ENV\"))\n  end\nend\n",
    );
    let ran = fleet.run("init");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    // Where the host is, and its key, are what a user's own ssh knows.
    let mut deploy = fleet.command("deploy production");
    let ran = deploy.env("ASSETSYNC_SSH_CONFIG", fleet.ssh_config_path()).output().or_fail();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let served = fs::read_to_string(fleet.hosts[0].assets().join("app.js")).or_fail();
    assert_eq!(served, "production");
}

#[test]
fn a_host_lost_between_staging_and_publishing_stops_all() {
    let mut fleet = Fleet::of(3);
    let link = Link::to(fleet.hosts[1].port, LinkSpec::UNSHAPED).or_fail();
    by_link(&mut fleet.hosts[1], &link);
    fleet.configure("");
    SMALL.make(&fleet, 1);
    fleet.json("deploy production");
    fleet.configure("hooks.before_publish = [\"touch staged; until test -e lost; do :; done\"]\n");
    SMALL.make(&fleet, 2);
    let mut command = fleet.command("deploy production");
    let child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().or_fail();
    until("all is staged", || fleet.project().join("staged").exists().then_some(()));
    link.cut();
    wait_for_session_end(&fleet.hosts[1].sshd);
    fs::write(fleet.project().join("lost"), "").or_fail();
    let output = child.wait_with_output().or_fail();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: web2: "), "{stderr}");
    assert!(stderr.contains("every host serves what it served before"), "{stderr}");
    for host in &fleet.hosts {
        assert_eq!(SMALL.live(&host.assets()), Ok(1), "{}", host.name);
    }
}

fn wait_for_session_end(sshd: &Sshd) {
    until("the lost session ends", || sshd.session_pids().is_empty().then_some(()));
}

#[test]
fn a_host_that_can_not_publish_stops_all_before_anything_is_published() {
    let fleet = Fleet::of(2);
    SMALL.make(&fleet, 1);
    fleet.json("deploy production");
    let immutable = chattr(&fleet.hosts[1].assets().join("manifest.json"), "i");
    SMALL.make(&fleet, 2);
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    assert!(ran.stderr().contains("manifest.json is immutable; chattr -i it"), "{}", ran.stderr());
    assert!(ran.stderr().contains("every host serves what it served"), "{}", ran.stderr());
    for host in &fleet.hosts {
        assert_eq!(SMALL.live(&host.assets()), Ok(1), "{}", host.name);
        assert!(!host.assets().join(name(2, 0)).exists(), "{}", host.name);
    }
    drop(immutable);
    fleet.json("deploy production");
    assert!(fleet.hosts.iter().all(|host| SMALL.live(&host.assets()) == Ok(2)));
}

/// One host serves a bind mount, as a container does; another one has a file system of its own.
#[test]
fn hosts_that_serve_from_a_mount_are_deployed_to_and_rolled_back() {
    let fleet = Fleet::of(2);
    let data = fleet.hosts[0].sshd.home().join("data");
    for dir in [&data, &fleet.hosts[0].assets(), &fleet.hosts[1].assets()] {
        fs::create_dir_all(dir).or_fail();
    }
    let _bound = Mount::bind(&data, &fleet.hosts[0].assets());
    let _small = mount_tmpfs(&fleet.hosts[1].assets());
    for n in [1, 2] {
        SMALL.make(&fleet, n);
        fleet.json("deploy production");
        assert!(fleet.hosts.iter().all(|host| SMALL.live(&host.assets()) == Ok(n)));
    }
    fleet.json("rollback production");
    assert!(fleet.hosts.iter().all(|host| SMALL.live(&host.assets()) == Ok(1)));
}

#[test]
fn a_host_that_fails_while_it_publishes_is_put_back_and_the_deploy_says_where_what_is_live() {
    let fleet = Fleet::of(2);
    SMALL.make(&fleet, 1);
    fleet.json("deploy production");
    // Its manifest is the last file that is published: by then all others are new.
    let manifest = fleet.hosts[1].assets().join("manifest.json");
    let hook = format!("hooks.before_publish = [\"chattr +i {}\"]\n", manifest.display());
    fleet.configure(&hook);
    SMALL.make(&fleet, 2);
    let history =
        || fs::read(fleet.hosts[1].assets().join("../.assetsync-assets/history")).or_fail();
    let before = history();
    let ran = fleet.run("deploy production");
    drop(chattr(&manifest, "i"));
    let stderr = ran.stderr();
    assert_eq!(ran.code(), Some(1), "{stderr}");
    assert!(stderr.contains("Can't publish manifest.json: "), "{stderr}");
    assert!(stderr.contains("is put back, so nothing changed"), "{stderr}");
    assert!(stderr.contains("is live on web1\n"), "{stderr}");
    assert!(stderr.contains("unchanged: web2"), "{stderr}");
    let live = fleet.hosts.iter().map(|host| SMALL.live(&host.assets()));
    assert_eq!(live.collect::<Vec<_>>(), [Ok(2), Ok(1)]);
    assert!(!fleet.hosts[1].assets().join(name(2, 0)).exists());
    assert_eq!(history(), before);
    fleet.configure("");
    fleet.json("deploy production");
    assert!(fleet.hosts.iter().all(|host| SMALL.live(&host.assets()) == Ok(2)));
}

#[test]
fn ctrl_c_before_publishing_leaves_all_as_it_was() {
    let fleet = Fleet::of(2);
    SMALL.make(&fleet, 1);
    fleet.json("deploy production");
    fleet.configure("hooks.before_publish = [\"touch staged; sleep 600\"]\n");
    SMALL.make(&fleet, 2);
    let mut command = fleet.command("deploy production");
    let child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().or_fail();
    until("all is staged", || fleet.project().join("staged").exists().then_some(()));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().or_fail().success());
    let output = child.wait_with_output().or_fail();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(2), "{stderr}");
    assert!(stderr.contains("every host serves what it served before"), "{stderr}");
    for host in &fleet.hosts {
        assert_eq!(SMALL.live(&host.assets()), Ok(1), "{}", host.name);
    }
}
