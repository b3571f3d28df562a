//! Agents killed, and system calls that fail, while a deploy is published.

use std::collections::BTreeMap;
use std::fs;

use assetsync_core::digest::Digest;
use assetsync_core::protocol::FailureCode;
use assetsync_sync::{Decision, DeleteAt, PushError, Source};

use crate::support::{TestHost, deleting, files, setting_aside, writing};

/// System calls that change something.
const MUTATING: &str =
    "openat,mkdirat,linkat,renameat,renameat2,unlinkat,fchmod,utimensat,fsync,syncfs";

const OLD: [(&str, &str); 5] = [
    ("a.txt", "old a"),
    ("d/b.txt", "b"),
    ("d/e/c.txt", "old c"),
    ("gone.txt", "x"),
    ("t.txt", "t"),
];
const NEW: [(&str, &str); 5] = [
    ("a.txt", "new a"),
    ("d/b.txt", "b"),
    ("d/e/c.txt", "new c"),
    ("n/n.txt", "n"),
    ("t.txt", "t"),
];

/// A host with the old tree, and the new one to send.
fn old_and_new(whole_directory: bool) -> (TestHost, Source, Source) {
    let strace = std::process::Command::new("strace").arg("-V").output();
    assert!(strace.is_ok(), "these tests need strace; install the package strace");
    let mut reference = TestHost::new();
    reference.options.whole_directory = whole_directory;
    let (old, new) = (reference.write("old", &OLD), reference.write("new", &NEW));
    reference.deploy(&old, "host", None, writing(0, b"old"));
    (reference, old, new)
}

/// What the old tree becomes the new one with.
fn decision() -> Decision {
    let mut decision = deleting(&[("gone.txt", DeleteAt::Publishing)]);
    decision.to_retain = setting_aside("a.txt", "old a").to_retain;
    decision.history = writing(3, b", new").history;
    decision
}

/// Every system call of the thread that publishes, by name and number.
fn points(log: &str) -> Vec<(String, u32)> {
    let calls = |line: &str| -> Option<(String, String)> {
        let (thread, rest) = line.split_once(char::is_whitespace)?;
        let (call, arguments) = rest.trim().split_once('(')?;
        let is_name = call.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let changes = call != "openat" || arguments.contains("O_CREAT");
        is_name.then(|| (thread.to_owned(), if changes { call.to_owned() } else { "-".into() }))
    };
    let calls: Vec<_> = log.lines().filter_map(calls).collect();
    let (publishing, _) = calls.iter().find(|(_, call)| call == "mkdirat").expect("a change");
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut points = Vec::new();
    for (_, call) in calls.iter().filter(|(thread, _)| thread == publishing) {
        let nth = counts.entry(call).or_default();
        *nth += 1;
        if call != "-" && call != "openat" {
            points.push((call.clone(), *nth));
        }
    }
    points
}

/// Publishes the new tree under strace with these options.
fn traced(reference: &TestHost, new: &Source, options: &str) -> Result<(), PushError> {
    let log = reference.at("log");
    reference.trace(&format!("strace -f -qq -o '{}' {options}", log.display()));
    let staged = reference.try_stage(new, "host", &reference.connection(None), decision());
    let done = staged.and_then(|staged| staged.publish()?.end(true).map(drop));
    reference.trace("");
    done
}

fn remove_stale(whole_directory: bool) -> (Vec<String>, [u32; 2]) {
    let (reference, old, new) = old_and_new(whole_directory);
    traced(&reference, &new, &format!("-e trace={MUTATING}")).unwrap();
    let points = points(&fs::read_to_string(reference.at("log")).unwrap());
    assert!(points.len() > 20, "{points:?}");
    let (mut wrong, mut outcomes) = (Vec::new(), [0, 0]);
    for (call, nth) in points {
        // Back to the beginning.
        let mut back = deleting(&[("n", DeleteAt::Publishing), ("n/n.txt", DeleteAt::Publishing)]);
        back.history = writing(0, b"old").history;
        reference.deploy(&old, "host", None, back);
        assert_eq!(reference.files("host"), files(&OLD));
        let _ = fs::remove_dir_all(reference.at(".assetsync-host/aside"));
        let fault = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        let done = traced(&reference, &new, &fault);
        let found = reference.files("host");
        let history = fs::read(reference.at(".assetsync-host/history")).unwrap();
        let retained_contents =
            reference.at(".assetsync-host/aside").join(Digest::of(b"old a").to_string());
        let is_new = found["a.txt"] == "new a";
        let has_aside = fs::read(retained_contents).is_ok_and(|content| content == b"old a");
        outcomes[usize::from(done.is_err() && is_new)] += u32::from(done.is_err());
        let when = format!("{call} number {nth}");
        // What is live is in the history, and what the history may lead back to is there.
        if is_new && history != b"old, new" {
            wrong.push(format!("{when}: live, but not recorded"));
        }
        if !(history == b"old" || history == b"old, new" && has_aside) {
            wrong.push(format!("{when}: recorded, but nothing set aside"));
        }
        if whole_directory && found != files(&OLD) && found != new_files() {
            wrong.push(format!("{when}: neither old nor new: {found:?}"));
        }
        reference.deploy(&new, "host", None, deleting(&[("gone.txt", DeleteAt::Publishing)]));
        if reference.files("host") != new_files() || reference.at(".assetsync-host/tree").exists() {
            wrong.push(format!("{when}: the next push does not complete it"));
        }
    }
    (wrong, outcomes)
}

fn new_files() -> BTreeMap<String, String> {
    files(&NEW)
}

#[test]
fn an_agent_killed_while_it_exchanges_leaves_the_old_tree_or_the_new_one() {
    let (wrong, outcomes) = remove_stale(true);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(outcomes.iter().all(|count| *count > 0), "before and after: {outcomes:?}");
}

#[test]
fn an_agent_killed_while_it_publishes_has_recorded_it_before() {
    let (wrong, outcomes) = remove_stale(false);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(outcomes.iter().all(|count| *count > 0), "before and after: {outcomes:?}");
}

#[test]
fn where_the_file_system_can_not_exchange_nothing_is_changed() {
    let (reference, _, new) = old_and_new(true);
    let before = (reference.files("host"), reference.files(".assetsync-host/stage"));
    let history = || fs::read(reference.at(".assetsync-host/history")).unwrap();
    // By the number of the call: the first of each kind is a try, before anything is sent.
    for (call, error, nth, said, code) in [
        ("renameat2", "EINVAL", 1, "the file system can't do that", FailureCode::Unsupported),
        ("linkat", "EPERM", 1, "the file system can't do that", FailureCode::Unsupported),
        ("linkat", "EMLINK", 2, "Can't clone ", FailureCode::Unsupported),
        ("linkat", "ENOSPC", 3, "Can't clone ", FailureCode::NoSpace),
    ] {
        let fault = format!("-e trace={call} -e inject={call}:error={error}:when={nth}");
        let refused = match traced(&reference, &new, &fault) {
            Err(PushError::Agent(failure)) => failure,
            other => panic!("{call} {nth}: {other:?}"),
        };
        assert!(refused.text.contains(said), "{call} {nth}: {}", refused.text);
        assert_eq!(refused.code, code, "{call} {nth}: {}", refused.text);
        assert_eq!(reference.files("host"), before.0);
        assert_eq!(history(), b"old");
        assert!(!reference.at(".assetsync-host/tree").exists());
    }
    reference.deploy(&new, "host", None, deleting(&[("gone.txt", DeleteAt::Publishing)]));
    assert_eq!(reference.files("host"), new_files());
}

/// Whichever of the calls it is: some that come before it have another way.
#[test]
fn an_exchange_that_fails_leaves_all_as_it_was() {
    let mut refused = Vec::new();
    for nth in 2..=6 {
        let (reference, _, new) = old_and_new(true);
        let history = || fs::read(reference.at(".assetsync-host/history")).unwrap();
        let before = reference.files("host");
        let fault = format!("-e trace=renameat2 -e inject=renameat2:error=EBUSY:when={nth}");
        let Err(error) = traced(&reference, &new, &fault) else { continue };
        refused.push(error.to_string());
        assert_eq!((reference.files("host"), history()), (before, b"old".to_vec()));
        assert!(!reference.at(".assetsync-host/tree").exists());
        reference.deploy(&new, "host", None, deleting(&[("gone.txt", DeleteAt::Publishing)]));
        assert_eq!(reference.files("host"), new_files());
    }
    let is_exchange = |text: &String| text.ends_with("; nothing was published");
    assert!(refused.iter().any(is_exchange), "{refused:?}");
}
