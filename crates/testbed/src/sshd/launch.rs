//! Starting a server, and knowing that it listens.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Doing, Error, Result};

/// How long a server may take until it listens; it needs milliseconds unless the machine is lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often to start anew when another program took the port first.
const ATTEMPTS: usize = 5;

/// Starts sshd in `dir` with what `config` says for a free port. Between finding a port and
/// listening on it another program can take it; then another one is tried.
pub(super) fn launch(
    program: &Path,
    dir: &Path,
    config: impl Fn(u16) -> String,
) -> Result<(Guard, u16)> {
    let attempt = || {
        let port = free_port()?;
        start(program, dir, &config(port), port).map(|server| (server, port))
    };
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(Error::Silent { log }) if log.contains("Address already in use") => {}
            other => return other,
        }
    }
    attempt()
}

fn start(program: &Path, dir: &Path, config: &str, port: u16) -> Result<Guard> {
    let path = dir.join("sshd_config");
    fs::write(&path, config).doing("write", &path)?;
    let log = File::create(log_path(dir)).doing("create", log_path(dir))?;
    let mut command = Command::new(program);
    command.args(["-D", "-e", "-f"]).arg(&path).args(no_penalties(program, &path));
    let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    await_listening(Guard(Some(server.doing("start", program)?)), dir, port)
}

/// A server to be ended unless all goes well.
pub(super) struct Guard(Option<Child>);

impl Guard {
    /// The server, no longer guarded.
    pub(super) fn release(mut self) -> Child {
        self.0.take().expect("only released once, by value")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for the log to say that `port` is listened on. A connection would tell as well, but newer
/// sshd hold one without a login against the client.
fn await_listening(mut child: Guard, dir: &Path, port: u16) -> Result<Guard> {
    let ready = format!("Server listening on 127.0.0.1 port {port}.");
    let deadline = Instant::now() + PATIENCE;
    while !read_log(dir).contains(&ready) {
        let ended = child.0.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        if ended || Instant::now() > deadline {
            return Err(Error::Silent { log: read_log(dir) });
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(child)
}

/// The option that keeps an sshd that knows penalties (since 9.8) from refusing loopback after a
/// test of failing logins; one that does not know it would not start with it.
fn no_penalties(program: &Path, config: &Path) -> &'static [&'static str] {
    const OPTION: [&str; 2] = ["-o", "PerSourcePenalties=no"];
    let mut probe = Command::new(program);
    probe.arg("-t").arg("-f").arg(config).args(OPTION);
    let known = probe.output().is_ok_and(|output| output.status.success());
    if known { &OPTION } else { &[] }
}

/// A port that nothing listened on a moment ago.
fn free_port() -> Result<u16> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).doing("bind", "127.0.0.1")
}

fn log_path(dir: &Path) -> PathBuf {
    dir.join("sshd.log")
}

/// What the server in `dir` logged so far.
pub(super) fn read_log(dir: &Path) -> String {
    fs::read(log_path(dir))
        .map(|log| String::from_utf8_lossy(&log).into_owned())
        .unwrap_or_default()
}
