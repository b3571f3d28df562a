//! A throw-away sshd on 127.0.0.1, with keys and settings of its own.

#![allow(dead_code)] // each test binary uses its own part

pub mod bootstrap;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assetsync_ssh::{RemoteTarget, SshOptions};

pub struct Sshd {
    pub directory: tempfile::TempDir,
    pub port: u16,
    child: Child,
}

impl Sshd {
    pub fn start() -> Self {
        Self::with("Subsystem sftp internal-sftp\n", &["ed25519"])
    }

    pub fn with(extra: &str, host_keys: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut config = String::new();
        for kind in host_keys {
            let key = keygen(&at(&format!("host_{kind}")), kind, "");
            config += &format!("HostKey {}\n", key.display());
        }
        keygen(&at("user"), "ed25519", "");
        fs::copy(at("user.pub"), at("authorized")).unwrap();
        config += &format!(
            "ListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\n\
             AuthorizedKeysFile {}\nPasswordAuthentication no\nPermitRootLogin yes\n\
             PerSourcePenalties no\nMaxStartups 100\n{extra}",
            at("authorized").display()
        );
        // The first setting of a name counts.
        for line in ["MaxStartups 100\n", "PasswordAuthentication no\n"] {
            if line.split(' ').next().is_some_and(|name| extra.contains(name)) {
                config = config.replacen(line, "", 1);
            }
        }
        // Not every sshd knows the option yet.
        if !knows_penalties() {
            config = config.replace("PerSourcePenalties no\n", "");
        }
        fs::write(at("sshd_config"), config).unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        let (child, port) = loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if let Some(child) = launch(directory.path(), port) {
                break (child, port);
            }
        };
        let sshd = Self { directory, port, child };
        sshd.trust(&host_keys[..1]);
        fs::write(sshd.at("ssh_config"), sshd.config("")).unwrap();
        sshd
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// An ssh_config that keeps the tests away from the user's own files.
    pub fn config(&self, extra: &str) -> String {
        format!(
            "{extra}Host *\n  HostName 127.0.0.1\n  UserKnownHostsFile {}\n  \
             GlobalKnownHostsFile none\n  IdentityFile {}\n  IdentityAgent none\n  User root\n",
            self.at("known_hosts").display(),
            self.at("user").display(),
        )
    }

    /// Makes known_hosts hold exactly these keys.
    pub fn trust(&self, kinds: &[&str]) {
        let lines: String = kinds.iter().map(|kind| self.known_line(kind)).collect();
        fs::write(self.at("known_hosts"), lines).unwrap();
    }

    pub fn known_line(&self, kind: &str) -> String {
        let public = fs::read_to_string(self.at(&format!("host_{kind}.pub"))).unwrap();
        format!("[127.0.0.1]:{} {public}", self.port)
    }

    pub fn target(&self) -> RemoteTarget {
        let (user, host) = (None, "testhost".to_owned());
        RemoteTarget { user, host, port: Some(self.port), path: "/".into() }
    }

    pub fn options(&self) -> SshOptions {
        SshOptions {
            config_file: Some(self.at("ssh_config")),
            connect_timeout: Some(Duration::from_secs(120)),
            ..SshOptions::default()
        }
    }
}

/// Starts sshd and waits until it listens; none if another program has taken the port meanwhile.
fn launch(directory: &Path, port: u16) -> Option<Child> {
    let log = directory.join("sshd.log");
    let mut child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-p", &port.to_string(), "-f"])
        .arg(directory.join("sshd_config"))
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .expect("sshd is missing: apt-get install openssh-server");
    let end = Instant::now() + Duration::from_secs(300);
    loop {
        let said = fs::read_to_string(&log).unwrap_or_default();
        if said.contains(&format!("Server listening on 127.0.0.1 port {port}.")) {
            return Some(child);
        }
        if child.try_wait().unwrap().is_some() {
            assert!(said.contains("Address already in use"), "sshd does not start: {said}");
            return None;
        }
        assert!(Instant::now() < end, "sshd does not listen: {said}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn keygen(path: &Path, kind: &str, passphrase: &str) -> PathBuf {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-C", "test", "-N", passphrase, "-t", kind, "-f"])
        .arg(path)
        .status()
        .expect("ssh-keygen is missing: apt-get install openssh-client");
    assert!(made.success());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}

fn knows_penalties() -> bool {
    let output =
        Command::new("/usr/sbin/sshd").args(["-T", "-o", "PerSourcePenalties=no"]).output();
    let said = output.map(|output| output.stderr).unwrap_or_default();
    !String::from_utf8_lossy(&said).contains("Bad configuration option")
}
