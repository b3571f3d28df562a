//! The agent as the command carries it: it travels to every new server, so it is small, needs nothing there, and says
//! why if it ever ends in a panic.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::support::{OrFail, tell};

const AGENT: &str = env!("ASSETSYNC_AGENT");

#[test]
fn it_is_small() {
    for (form, path, budget) in [
        ("plain", AGENT, 1_250_000),
        ("by gzip", env!("ASSETSYNC_AGENT_GZIPPED"), 540_000),
        ("by xz", env!("ASSETSYNC_AGENT_XZ"), 450_000),
    ] {
        let size = fs::metadata(path).or_fail().len();
        tell(&format!("agent, {form}: {size} bytes of {budget} allowed"));
        assert!(size <= budget, "{form}: {size} bytes, {budget} are allowed");
    }
}

#[test]
fn by_xz_it_is_the_same_agent() {
    let unpacked = Command::new("xz").args(["-dc", env!("ASSETSYNC_AGENT_XZ")]).output();
    let unpacked = unpacked.or_fail();
    assert!(unpacked.status.success());
    assert!(unpacked.stdout == fs::read(AGENT).or_fail());
}

/// The first thing it does is to take its arguments for text, and there is no better way to frighten it.
#[test]
fn a_panic_is_reported_as_a_failure() {
    const SIGABRT: i32 = 6;
    let panicked = Command::new(AGENT).arg(OsStr::from_bytes(b"\xff")).output().or_fail();
    let said = String::from_utf8_lossy(&panicked.stderr);
    assert!(said.contains("panicked at") && said.contains(r#""\xFF""#), "{said}");
    assert_eq!(panicked.status.signal(), Some(SIGABRT), "{said}");
}
