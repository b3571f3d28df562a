//! A sync that fails is never forgotten: what was staged before it is not used again, as the disk
//! may not have it although reading finds it in memory.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::interruptions::faults::{Outcome, Site};
use crate::interruptions::{interrupt, points, trace, traced_agent};

/// Lets each call of this name fail once in a push of the agent, which `prepare` makes ready.
fn each_fails(site: &Site, agent: &Path, call: &str, prepare: impl Fn()) {
    let push = |fault: &str| trace(site, agent, &format!("-e trace={call} {fault}"));
    prepare();
    let clean = push("");
    clean.assert_ok();
    let all = points(&site.dir.join("strace.log")).len();
    let mut failed = 0;
    for nth in 1..=all {
        prepare();
        let outcome = push(&format!("-e inject={call}:error=EIO:when={nth}"));
        outcome.assert_no_panic();
        if outcome.ok() {
            continue;
        }
        failed += 1;
        outcome.assert_failed(&["can't sync it to disk", "Input/output error"]);
        assert_eq!(site.staged(), BTreeSet::new(), "{call} number {nth} failed: {outcome:?}");
        let again = site.push_again();
        let sent = |outcome: &Outcome| outcome.number("files_sent");
        assert_eq!(sent(&again), sent(&clean), "after {call} number {nth} failed");
        site.check_equal(&format!("after {call} number {nth} failed"));
    }
    assert!(failed > 1, "{failed} of {all} failed");
}

#[test]
fn nothing_staged_is_used_after_a_failed_sync_of_the_file_system() {
    let site = Site::new();
    let agent = traced_agent(&site.dir);
    // Installs the agent.
    site.push().run().assert_ok();
    each_fails(&site, &agent, "syncfs", || site.reset());
}

#[test]
fn nothing_staged_is_used_after_a_failed_sync_of_one_file() {
    let site = Site::new();
    let agent = traced_agent(&site.dir);
    let source = site.source();
    let changed = |number: usize| source.join(format!("changed{number}.txt"));
    each_fails(&site, &agent, "fsync", || {
        (0..3).for_each(|number| fs::write(changed(number), "old").unwrap());
        site.push().run().assert_ok();
        (0..3).for_each(|number| fs::write(changed(number), format!("new {number}")).unwrap());
    });
}

#[test]
fn what_an_interrupted_push_left_is_written_anew() {
    let site = Site::new();
    site.push().run().assert_ok();
    site.reset();
    let total = site.push().run().number("bytes_sent");
    interrupt(&site, total);
    let inodes = |dir: &Path| -> BTreeSet<u64> {
        let files = walk(dir).into_iter().filter(|meta| meta.is_file());
        files.map(|meta| meta.ino()).collect()
    };
    let left = inodes(&site.work().join("stage"));
    assert!(left.len() >= 3, "{left:?}");
    site.push_again();
    site.check_equal("after the interruption");
    let used: Vec<_> = inodes(&site.destination()).intersection(&left).copied().collect();
    assert_eq!(used, Vec::<u64>::new(), "files of the interrupted push were only renamed");
}

fn walk(dir: &Path) -> Vec<fs::Metadata> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        if meta.is_dir() {
            found.append(&mut walk(&path));
        }
        found.push(meta);
    }
    found
}
