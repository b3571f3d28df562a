//! Pushes to buckets: against SeaweedFS, which checks signatures, checksums and conditions, and
//! against moto as a second opinion.

mod credentials;
mod deploys;
mod doctor;
mod encodings;
mod faults;
mod machines;
mod pushes;
mod refusals;
mod stages;
mod together;

use std::fs;
use std::path::Path;
use std::process::Command;

use assetsync_testbed::s3::{KEY, Reply, S3Kind, S3Server, SECRET, ask};
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, scratch, text};

/// Where all tests push to.
const URL: &str = "s3://assets/shop";

/// A server with a bucket, a machine, and a source to push.
struct Site {
    server: S3Server,
    machine: Machine,
    source: TempDir,
}

impl Site {
    fn start(kind: S3Kind) -> Site {
        Site::of(S3Server::start(kind).or_fail())
    }

    fn of(server: S3Server) -> Site {
        Site { server, machine: Machine::new(), source: scratch() }
    }

    /// Writes files to the source.
    fn write(&self, files: &[(&str, &str)]) {
        for (path, content) in files {
            let path = self.source.path().join(path);
            fs::create_dir_all(path.parent().expect("below the source")).or_fail();
            fs::write(path, content).or_fail();
        }
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.source.path().join(path)).or_fail();
    }

    /// What a compile leaves: a fingerprinted script, a style, and a page that names both.
    fn build(&self, version: u32) {
        build(self.source.path(), version);
    }

    /// The command to push, by the service on a port, with the key that may do anything.
    fn command(&self, port: u16, options: &[&str]) -> Command {
        command(&self.machine, self.source.path(), port, options)
    }

    fn try_push(&self, options: &[&str]) -> Ran {
        Ran(self.command(self.server.port, options).output().or_fail())
    }

    #[track_caller]
    fn push(&self, options: &[&str]) -> Ran {
        let ran = self.try_push(options);
        assert_eq!(ran.code(), Some(0), "{}\n{}", ran.stdout(), ran.stderr());
        ran
    }

    /// Asks for an object by its key below the prefix, as it is in a URL.
    fn get(&self, path: &str) -> Reply {
        ask(self.server.port, "GET", &format!("/assets/shop/{path}"), b"").or_fail()
    }

    fn keys(&self) -> Vec<String> {
        keys(self.server.port)
    }

    /// The bucket has the files of the source, nothing else, and its state.
    #[track_caller]
    fn assert_equal(&self) {
        let mut expected: Vec<String> = files(self.source.path());
        for path in &expected {
            let found = self.get(&encoded(path));
            assert_eq!(found.status(), 200, "{path}");
            let content = fs::read(self.source.path().join(path)).or_fail();
            assert_eq!(found.body, content, "{path}");
        }
        expected.push(".assetsync/state".to_owned());
        expected.sort();
        assert_eq!(self.keys(), expected);
    }
}

fn command(machine: &Machine, source: &Path, port: u16, options: &[&str]) -> Command {
    let endpoint = format!("http://127.0.0.1:{port}");
    let before = ["push", "--json", "--endpoint", &endpoint];
    let mut command = machine.command(before.iter().chain(options));
    command.args([&text(source), URL]);
    for (name, value) in environment() {
        command.env(name, value);
    }
    command
}

/// The environment of a push: nothing of the machine that runs the tests, and a key.
fn environment() -> Vec<(String, String)> {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let known = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("AWS_"));
    let mut variables: Vec<_> = known.map(|name| (name, String::new())).collect();
    variables.push(set("AWS_ACCESS_KEY_ID", KEY));
    variables.push(set("AWS_SECRET_ACCESS_KEY", SECRET));
    variables.push(set("AWS_EC2_METADATA_DISABLED", "true"));
    variables
}

fn build(source: &Path, version: u32) {
    for old in files(source).iter().filter(|path| path.starts_with("app-")) {
        fs::remove_file(source.join(old)).or_fail();
    }
    let app = format!("app-{:08x}.js", 0x3f2a_0000 + version);
    for (path, content) in [
        (app.as_str(), format!("console.log({version})\n").repeat(50)),
        ("style.css", format!("body{{order:{version}}}")),
        ("logo.svg", "<svg/>".to_owned()),
        ("index.html", format!("<script src=/{app}></script>")),
        ("manifest.json", format!("{{\"app.js\":\"{app}\"}}")),
    ] {
        fs::write(source.join(path), content).or_fail();
    }
}

/// The paths of all files below a directory.
fn files(source: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (path, _) in assetsync_testbed::tree::snapshot(source).or_fail().iter() {
        let path = String::from_utf8_lossy(path).into_owned();
        if source.join(&path).is_file() {
            found.push(path);
        }
    }
    found
}

/// A path as it is in a URL.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let bytes = path.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// The keys below the prefix, in order. None of them has a letter that XML escapes.
fn keys(port: u16) -> Vec<String> {
    let list = ask(port, "GET", "/assets?list-type=2&prefix=shop/", b"").or_fail().text();
    let keys = list.split("<Key>shop/").skip(1).map(|rest| rest.split("</Key>").next());
    let mut keys: Vec<String> = keys.flatten().map(str::to_owned).collect();
    keys.sort();
    keys
}
