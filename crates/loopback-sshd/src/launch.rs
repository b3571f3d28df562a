//! Starts sshd and waits until it listens.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorContext, Result};

/// How long a server may take until it listens. Usually that takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(300);

/// How often to try when another program takes the port first.
const ATTEMPTS: usize = 5;

/// Starts sshd in `dir` with the text of `config` for a free port. If another program takes that
/// port first, another port is tried.
pub(crate) fn launch(
    program: &Path,
    dir: &Path,
    config: impl Fn(u16) -> String,
) -> Result<(KillOnDrop, u16)> {
    let attempt = || {
        let port = free_port()?;
        start(program, dir, &config(port), port).map(|server| (server, port))
    };
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(Error::NotListening { log }) if log.contains("Address already in use") => {}
            other => return other,
        }
    }
    attempt()
}

fn start(program: &Path, dir: &Path, config: &str, port: u16) -> Result<KillOnDrop> {
    let path = dir.join("sshd_config");
    fs::write(&path, config).doing("write", &path)?;
    let log = File::create(log_path(dir)).doing("create", log_path(dir))?;
    let mut command = Command::new(program);
    command.args(["-D", "-e", "-f"]).arg(&path).args(no_penalties(program, &path));
    let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    await_listening(KillOnDrop(Some(server.doing("start", program)?)), dir, port)
}

/// A server that is killed unless it is [released](Self::release).
pub(crate) struct KillOnDrop(Option<Child>);

impl KillOnDrop {
    /// The server, no longer killed on drop.
    pub(crate) fn release(mut self) -> Child {
        self.0.take().expect("only released once, by value")
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until the log says that sshd listens on `port`. Newer sshd penalise a client for a
/// connection without a login, so it is not probed by connecting.
fn await_listening(mut server: KillOnDrop, dir: &Path, port: u16) -> Result<KillOnDrop> {
    let ready = format!("Server listening on 127.0.0.1 port {port}.");
    let deadline = Instant::now() + TIMEOUT;
    while !read_log(dir).contains(&ready) {
        let ended = server.0.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        if ended || Instant::now() > deadline {
            return Err(Error::NotListening { log: read_log(dir) });
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(server)
}

/// The option that turns penalties off, which refuse loopback after some failed logins (since
/// OpenSSH 9.8). An older sshd would not start with it.
fn no_penalties(program: &Path, config: &Path) -> &'static [&'static str] {
    const OPTION: [&str; 2] = ["-o", "PerSourcePenalties=no"];
    let mut probe = Command::new(program);
    probe.arg("-t").arg("-f").arg(config).args(OPTION);
    let known = probe.output().is_ok_and(|output| output.status.success());
    if known { &OPTION } else { &[] }
}

/// A free port.
fn free_port() -> Result<u16> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).doing("bind", "127.0.0.1")
}

fn log_path(dir: &Path) -> PathBuf {
    dir.join("sshd.log")
}

/// The log so far of the server in `dir`.
pub(crate) fn read_log(dir: &Path) -> String {
    fs::read(log_path(dir))
        .map(|log| String::from_utf8_lossy(&log).into_owned())
        .unwrap_or_default()
}
