//! The agent as the command carries it: it is small because it travels to every new server, it
//! needs nothing there, and if it ends in a panic it reports the reason.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use assetsync_agents::embedded;

use crate::support::{OrFail, scratch, tell};

#[test]
fn it_is_small() {
    let agent = embedded();
    for (form, bytes, budget) in [
        ("plain", Some(agent.bytes), 1_250_000),
        ("by gzip", agent.gzipped, 540_000),
        ("by xz", agent.xz, 450_000),
    ] {
        let size = bytes.expect("the command carries every form").len();
        tell(&format!("agent, {form}: {size} bytes of {budget} allowed"));
        assert!(size <= budget, "{form}: {size} bytes, {budget} are allowed");
    }
}

#[test]
fn by_xz_it_is_the_same_agent() {
    let (agent, dir) = (embedded(), scratch());
    let packed = dir.path().join("agent.xz");
    fs::write(&packed, agent.xz.expect("the command carries it by xz")).or_fail();
    let unpacked = Command::new("xz").arg("-dc").arg(packed).output().or_fail();
    assert!(unpacked.status.success());
    assert!(unpacked.stdout == *agent.bytes);
}

/// The first thing it does is to take its arguments for text, so one that is no text makes it
/// panic.
#[test]
fn a_panic_is_reported_as_a_failure() {
    const SIGABRT: i32 = 6;
    let dir = scratch();
    let program = dir.path().join("agent");
    fs::write(&program, &embedded().bytes).or_fail();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).or_fail();
    let panicked = Command::new(program).arg(OsStr::from_bytes(b"\xff")).output().or_fail();
    let said = String::from_utf8_lossy(&panicked.stderr);
    assert!(said.contains("panicked at") && said.contains(r#""\xFF""#), "{said}");
    assert_eq!(panicked.status.signal(), Some(SIGABRT), "{said}");
}
