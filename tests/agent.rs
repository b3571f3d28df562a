//! The agent as the command carries it: it is small because it travels to every new server, it
//! needs nothing there, and if it ends in a panic it reports the reason.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use assetsync_agents::carried;
use assetsync_core::protocol::Hello;
use assetsync_ssh::Agent;

use crate::support::{OrFail, scratch, tell};

/// The one for this platform.
fn own() -> Agent {
    let kernel = Command::new("uname").arg("-s").output().or_fail().stdout;
    let (kernel, arch) = (String::from_utf8(kernel).or_fail(), std::env::consts::ARCH);
    let is_own = |agent: &Agent| agent.kernel == kernel.trim() && agent.arch == arch;
    carried().into_iter().find(is_own).expect("the command carries the agent of its platform")
}

#[test]
fn it_is_small() {
    let agent = own();
    for (form, bytes, budget) in [
        ("plain", agent.program().or_fail(), 1_250_000),
        ("by xz", agent.xz.as_deref().expect("it is carried by xz").into(), 450_000),
    ] {
        let size = bytes.len();
        tell(&format!("agent, {form}: {size} bytes of {budget} allowed"));
        assert!(size <= budget, "{form}: {size} bytes, {budget} are allowed");
    }
}

/// The host is told this identity, and recognises the program by it.
#[test]
fn unpacked_it_is_the_agent_that_hosts_are_told_of() {
    let (agent, dir) = (own(), scratch());
    let packed = dir.path().join("agent.xz");
    fs::write(&packed, agent.xz.as_deref().expect("it is carried by xz")).or_fail();
    let unpacked = Command::new("xz").arg("-dc").arg(packed).output().or_fail();
    assert!(unpacked.status.success());
    assert!(unpacked.stdout == *agent.program().or_fail());
    let (kernel, arch) = (agent.kernel.to_string(), agent.arch.to_string());
    assert_eq!(agent.identity, Agent::new(kernel, arch, unpacked.stdout).identity);
}

/// What it may open after that is tested in `crates/agent/src/sandbox.rs`.
#[test]
fn once_its_directories_are_open_it_is_limited() {
    let dir = scratch();
    let program = dir.path().join("agent");
    fs::write(&program, own().program().or_fail()).or_fail();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).or_fail();
    let destination = dir.path().join("site").into_os_string().into_encoded_bytes();
    for dry_run in [false, true] {
        let timeout_ms = 60_000;
        let destination = destination.clone();
        let hello =
            Hello { destination, dry_run, timeout_ms, root_mode: 0o755, ..Hello::default() };
        let mut command = Command::new(&program);
        command.arg("00ff").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut agent = command.spawn().or_fail();
        agent.stdin.as_mut().unwrap().write_all(&hello.line()).or_fail();
        let mut output = agent.stdout.take().unwrap();
        // Once it has reported the state, it waits for the plan.
        let mut said = [0; "assetsync:00ff:ready\n".len() + 1];
        output.read_exact(&mut said).or_fail();
        let status = fs::read_to_string(format!("/proc/{}/status", agent.id())).or_fail();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        drop(agent.stdin.take());
        agent.wait().or_fail();
    }
}

/// The first thing it does is to take its arguments for text, so one that is no text makes it
/// panic.
#[test]
fn a_panic_is_reported_as_a_failure() {
    const SIGABRT: i32 = 6;
    let dir = scratch();
    let program = dir.path().join("agent");
    fs::write(&program, own().program().or_fail()).or_fail();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).or_fail();
    let panicked = Command::new(program).arg(OsStr::from_bytes(b"\xff")).output().or_fail();
    let said = String::from_utf8_lossy(&panicked.stderr);
    assert!(said.contains("panicked at") && said.contains(r#""\xFF""#), "{said}");
    assert_eq!(panicked.status.signal(), Some(SIGABRT), "{said}");
}
