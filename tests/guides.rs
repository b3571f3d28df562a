//! Promise: what docs/guides has people copy works.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fleet::Fleet;
use crate::support::{Machine, OrFail, Ran, text};

/// One of the guides' files.
fn guide(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides").join(name)
}

/// A script of the guides in the fleet's project, run by a machine that has the command on
/// its `PATH`.
fn script(name: &str, fleet: &Fleet, machine: &Machine) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_assetsync")).parent();
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    let dirs = program.map(PathBuf::from).into_iter().chain(std::env::split_paths(&dirs));
    let path: OsString = std::env::join_paths(dirs).or_fail();
    let mut command = Command::new("bash");
    for (name, value) in machine.command([""; 0]).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.arg(guide(name)).env("PATH", path).current_dir(fleet.project());
    command
}

/// The same project, whose hosts are as a CI machine sees them: by address and port, with no ssh
/// configuration.
fn by_address(fleet: &Fleet, build: &str) {
    let host = &fleet.hosts[0];
    let settings = format!(
        "application = \"shop\"\nbuild.command = '{build}'\n[[stages.production.hosts]]\n\
         address = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\nroles = [\"web\"]\ndeploy_to = \"{}\"\n",
        host.port,
        host.sshd.user(),
        text(&host.deploy_to())
    );
    fs::write(fleet.project().join("assetsync.toml"), settings).or_fail();
}

/// A build of half a megabyte, of which `version` changes a line; it must not see the secret.
fn build(version: u32) -> String {
    format!(
        "test -z \"${{SSH_PRIVATE_KEY:-}}\" && mkdir -p public/assets && \
         seq {version} 100000 > public/assets/app-0000000{version}.js"
    )
}

#[test]
fn ci() {
    let fleet = Fleet::of(1);
    let key = fs::read_to_string(fleet.hosts[0].sshd.client_key()).or_fail();
    let run = |known_hosts: &str| {
        // Every run is on a machine of its own; the store, in the project, is all that stays.
        let machine = Machine::new();
        let mut command = script("ci.sh", &fleet, &machine);
        command.arg("production").env("SSH_PRIVATE_KEY", &key).env("SSH_KNOWN_HOSTS", known_hosts);
        Ran(command.output().or_fail())
    };
    let known = fleet.hosts[0].sshd.host_key_line();
    let mut took = Vec::new();
    for version in [1, 2] {
        by_address(&fleet, &build(version));
        let ran = run(&known);
        assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
        assert!(fleet.hosts[0].assets().join(format!("app-0000000{version}.js")).exists());
        let written = fs::read_dir(fleet.project().join(".assetsync-store")).or_fail().count();
        assert!(written > 0, "the store is where the cache finds it");
        took.push(sent(&ran));
    }
    assert!(took[0] > 20_000 && took[1] < 2_000, "the second knows what the first sent: {took:?}");

    // A host that is not the one in the secret.
    by_address(&fleet, &build(3));
    let other = Fleet::of(1);
    let foreign = other.hosts[0].sshd.host_key_line();
    let foreign =
        foreign.replace(&other.hosts[0].port.to_string(), &fleet.hosts[0].port.to_string());
    let ran = run(&foreign);
    assert_eq!(ran.code(), Some(1), "{}{}", ran.stdout(), ran.stderr());
    assert!(!fleet.hosts[0].assets().join("app-00000003.js").exists());
}

/// The bytes that a deploy says it sent.
#[track_caller]
fn sent(ran: &Ran) -> u64 {
    let said = format!("{}{}", ran.stdout(), ran.stderr());
    let line = said.lines().find_map(|line| line.trim().strip_prefix("sent "));
    let amount = line.and_then(|line| line.split_once(',')).map(|(amount, _)| amount.to_owned());
    let amount = amount.unwrap_or_else(|| panic!("it says not what it sent: {said}"));
    let (number, unit) = amount.split_once(' ').unwrap_or_else(|| panic!("{amount}"));
    let scale = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        _ => panic!("{amount}"),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let bytes = (number.parse::<f64>().or_fail() * scale) as u64;
    bytes
}

#[test]
fn kamal() {
    let fleet = Fleet::of(2);
    let run = |command: &str| {
        let mut hook = script("kamal-pre-deploy", &fleet, &fleet.machine);
        hook.env("KAMAL_COMMAND", command).env("KAMAL_HOSTS", "web1").env("KAMAL_VERSION", "3f9a");
        Ran(hook.output().or_fail())
    };
    let well = |command: &str| {
        let ran = run(command);
        assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    };
    let page = |host: usize| fs::read_to_string(fleet.hosts[host].assets().join("index.html")).ok();
    for version in ["one", "two"] {
        fleet.configure(&format!(
            "build.command = 'mkdir -p public/assets && echo {version} > public/assets/index.html'\n"
        ));
        well("deploy");
        assert_eq!(page(0), Some(format!("{version}\n")));
    }
    well("rollback");
    assert_eq!(page(0).as_deref(), Some("one\n"));
    assert_eq!(page(1), None, "only the hosts that Kamal names");
    fleet.configure("build.command = 'false'\n");
    assert_eq!(run("deploy").code(), Some(1), "what fails stops Kamal");
}

/// Every `assetsync.toml` of the guides is one that could be deployed.
#[test]
fn default_settings_are_valid() {
    let fleet = Fleet::of(0);
    for page in ["ci.md", "kamal.md", "mina.md"] {
        let page_text = fs::read_to_string(guide(page)).or_fail();
        let settings = settings_of(&page_text);
        assert!(settings.contains("[[stages.production.hosts]]"), "{page}: {settings}");
        fs::write(fleet.project().join("assetsync.toml"), settings).or_fail();
        let ran = fleet.run("config production");
        assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""), "{page}");
    }
}

/// The indented lines from `application` on, to the next line of prose.
fn settings_of(page: &str) -> String {
    let lines = page.lines().skip_while(|line| !line.trim_start().starts_with("application ="));
    let block = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    block.flat_map(|line| [line.trim_start(), "\n"]).collect()
}
