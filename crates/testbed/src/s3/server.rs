//! Servers of object storage on free ports of loopback.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::http::ask;
use crate::error::{Error, Result};

/// The access key that may do anything.
pub const KEY: &str = "AKIDTEST";

/// Its secret.
pub const SECRET: &str = "testsecret";

/// How often a server is started until one finds its ports free.
const TRIES: usize = 5;

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Kind {
    /// SeaweedFS.
    SeaweedFs,
    /// moto.
    Moto,
}

/// A server; it ends when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    process: Child,
    folder: TempDir,
    /// The port of HTTP on 127.0.0.1.
    pub port: u16,
    /// The port of HTTPS, if there is a certificate.
    pub tls_port: u16,
}

impl S3Server {
    /// Starts a server with a bucket called `assets`.
    pub fn start(kind: S3Kind) -> Result<S3Server> {
        S3Server::start_with(kind, None)
    }

    /// Starts SeaweedFS with HTTPS, by this certificate and its key.
    pub fn start_tls(certificate: &Path, key: &Path) -> Result<S3Server> {
        S3Server::start_with(S3Kind::SeaweedFs, Some((certificate, key)))
    }

    /// Another process may take a port before the server does; then it ends, and others are tried.
    fn start_with(kind: S3Kind, tls: Option<(&Path, &Path)>) -> Result<S3Server> {
        let mut started = S3Server::try_start(kind, tls);
        for _ in 1..TRIES {
            if started.is_ok() {
                break;
            }
            started = S3Server::try_start(kind, tls);
        }
        started
    }

    fn try_start(kind: S3Kind, tls: Option<(&Path, &Path)>) -> Result<S3Server> {
        let folder = tempfile::Builder::new().prefix("assetsync-s3-").tempdir();
        let folder = folder.map_err(|error| failed("a temporary directory", &error))?;
        let ports: [u16; 9] = free_ports()?;
        let [port, tls_port, ..] = ports;
        let mut command = Command::new(program(kind)?);
        match kind {
            S3Kind::Moto => drop(command.args(["-H", "127.0.0.1", "-p", &port.to_string()])),
            S3Kind::SeaweedFs => seaweed(&mut command, folder.path(), &ports)?,
        }
        if let Some((certificate, key)) = tls {
            command.arg(format!("-s3.cert.file={}", certificate.display()));
            command.arg(format!("-s3.key.file={}", key.display()));
            command.arg(format!("-s3.port.https={tls_port}"));
        }
        let log = fs::File::create(folder.path().join("log"));
        let log = log.map_err(|error| failed("a log", &error))?;
        let errors = log.try_clone().map_err(|error| failed("a log", &error))?;
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(log).stderr(errors);
        let process = command.spawn().map_err(|error| failed("the server", &error))?;
        let mut server = S3Server { process, folder, port, tls_port };
        server.wait(kind)?;
        Ok(server)
    }

    /// Waits until the server makes a bucket, which takes all of its parts.
    fn wait(&mut self, kind: S3Kind) -> Result<()> {
        loop {
            let made = ask(self.port, "PUT", "/assets", b"");
            if made.is_ok_and(|reply| matches!(reply.status(), 200 | 409)) {
                return if kind == S3Kind::Moto { self.let_all_read() } else { Ok(()) };
            }
            if let Ok(Some(ended)) = self.process.try_wait() {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(failed("the server", &format!("it ended, {ended}: {log}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets whoever is not signed read, which moto does only by a policy.
    fn let_all_read(&self) -> Result<()> {
        let policy = br#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
            "Action":["s3:GetObject","s3:ListBucket","s3:PutObject"],
            "Resource":["arn:aws:s3:::assets","arn:aws:s3:::assets/*"]}]}"#;
        match ask(self.port, "PUT", "/assets?policy", policy) {
            Ok(reply) if reply.status() < 300 => Ok(()),
            Ok(reply) => Err(failed("a policy", &reply.text())),
            Err(error) => Err(failed("a policy", &error)),
        }
    }

    /// Its URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // It ended by itself otherwise.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The arguments of SeaweedFS.
fn seaweed(command: &mut Command, folder: &Path, ports: &[u16; 9]) -> Result<()> {
    let config = folder.join("identities.json");
    fs::write(&config, identities()).map_err(|error| failed("identities", &error))?;
    command.args(["server", "-filer", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    command.args(["-volume.max=300", "-master.volumeSizeLimitMB=64"]);
    // Services that have ports of their own, and one that calls home.
    command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]);
    command.arg(format!("-dir={}", folder.display()));
    command.arg(format!("-s3.config={}", config.display()));
    let names = [
        "s3.port",
        "master.port",
        "volume.port",
        "filer.port",
        "master.port.grpc",
        "volume.port.grpc",
        "filer.port.grpc",
        "s3.port.grpc",
    ];
    // The second port is that of HTTPS.
    let ports = ports.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, port)| port);
    for (name, port) in names.iter().zip(ports) {
        command.arg(format!("-{name}={port}"));
    }
    Ok(())
}

/// Who may do what: the key anything, `reader` only read, and whoever is not signed anything.
fn identities() -> String {
    let identity = |name: &str, credentials: &str, actions: &str| {
        format!(r#"{{"name":"{name}","credentials":[{credentials}],"actions":[{actions}]}}"#)
    };
    let pair = |key: &str| format!(r#"{{"accessKey":"{key}","secretKey":"{SECRET}"}}"#);
    let all = r#""Admin","Read","Write","List","Tagging""#;
    let identities = [
        identity("tests", &pair(KEY), all),
        identity("reader", &pair("AKIDREADER"), r#""Read","List""#),
        identity("anonymous", "", all),
    ];
    format!(r#"{{"identities":[{}]}}"#, identities.join(","))
}

/// Ports that nobody uses now.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners: std::io::Result<Vec<TcpListener>> = (0..N).map(|_| bind()).collect();
    let listeners = listeners.map_err(|error| failed("a port", &error))?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().map_err(|error| failed("a port", &error))?.port();
    }
    Ok(ports)
}

/// The program, where `scripts/test-deps` puts it.
fn program(kind: S3Kind) -> Result<PathBuf> {
    let name = match kind {
        S3Kind::SeaweedFs => "weed",
        S3Kind::Moto => "moto_server",
    };
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache"))
    });
    let given = std::env::var_os("ASSETSYNC_S3_SERVERS").map(PathBuf::from);
    let folder = given.or_else(|| Some(cache?.join("assetsync-test/s3-1")));
    let path = folder.unwrap_or_default().join("bin").join(name);
    match path.exists() {
        true => Ok(path),
        false => {
            Err(failed(name, &format!("{} is missing; run scripts/test-deps", path.display())))
        }
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::S3 { what: what.to_owned(), reason: error.to_string() }
}
