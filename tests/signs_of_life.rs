//! Heartbeats say that work goes on, on both sides, and end when it is stuck; and each side notices
//! when the other is gone.

use std::fs;

use crate::interruptions::faults::{Site, need, script, until};
use crate::interruptions::traced_agent;

/// Bytes of a file that takes a while.
const LARGE: usize = 16 << 20;

/// A site with a large file on both sides, unknown to the agent but by name.
fn with_large_file() -> Site {
    let site = Site::new();
    fs::write(site.source().join("large.bin"), vec![7; LARGE]).unwrap();
    site.push().run().assert_ok();
    site
}

/// What strace does with each read of the agent's copy of the large file.
fn each_read(site: &Site, what: &str) -> String {
    let path = site.destination().join("large.bin");
    format!("-P {} -e trace=read -e inject=read:{what}", path.display())
}

#[test]
fn an_agent_that_is_stuck_is_noticed() {
    let site = with_large_file();
    let fault = each_read(&site, "delay_enter=900000000:when=3");
    let push = site.push_by(&traced_agent(&site.dir)).with(["-c", "--timeout", "2"]);
    let outcome = push.env("FAULT", fault).env("FAULT_LOG", site.dir.join("log")).run();
    outcome.assert_failed(&["Nothing received for 2 s"]);
    site.wait_alone();
    site.push().run().assert_ok();
}

#[test]
fn an_agent_that_is_slow_is_waited_for() {
    let site = with_large_file();
    let fault = each_read(&site, "delay_enter=100000");
    let push = site.push_by(&traced_agent(&site.dir)).with(["-c", "--timeout", "5"]);
    let outcome = push.env("FAULT", fault).env("FAULT_LOG", site.dir.join("log")).run();
    outcome.assert_ok();
}

#[test]
fn an_agent_that_reads_notices_that_its_sender_is_gone() {
    let site = with_large_file();
    let log = site.dir.join("log");
    let fault = each_read(&site, "delay_enter=2000000");
    let push = site.push_by(&traced_agent(&site.dir)).with(["-c", "--timeout", "4"]);
    let mut push = push.env("FAULT", fault).env("FAULT_LOG", &log).start();
    until("the agent's reading", || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        (log.matches("read(").count() >= 2).then_some(())
    });
    push.kill();
    push.wait();
    site.wait_alone();
    site.push().run().assert_ok();
}

#[test]
fn a_sender_that_reads_for_long_keeps_its_agent_waiting() {
    need("strace", "strace");
    let site = Site::new();
    let path = site.source().join("large.bin");
    fs::write(&path, vec![7; LARGE / 4]).unwrap();
    let (path, log) = (path.display().to_string(), site.dir.join("log").display().to_string());
    let words = ["strace", "-f", "-qq", "-o", &log, "-P", &path, "-e", "trace=read"];
    let words = [&words[..], &["-e", "inject=read:delay_enter=1000000"]].concat();
    let shell = site.dir.join("shell");
    script(&shell, "#!/bin/sh\nshift\nexec /bin/sh -c \"$1\"\n");
    let outcome = site.push_by(&shell).with(["--timeout", "5"]).under(&words).run();
    outcome.assert_ok();
    site.check_equal("slowly read");
}
