//! Agents killed, and system calls that fail, while a deploy is published.

use std::collections::BTreeMap;
use std::fs;

use assetsync_sync::digest::Digest;
use assetsync_sync::proto::FailureCode;
use assetsync_sync::sender::{Decision, Publishing, PushError, Source, When};

use crate::support::{Ground, deleting, files, setting_aside, writing};

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
fn old_and_new(publish: Publishing) -> (Ground, Source, Source) {
    let strace = std::process::Command::new("strace").arg("-V").output();
    assert!(strace.is_ok(), "these tests need strace; install the package strace");
    let mut ground = Ground::new();
    ground.options.publish = publish;
    let (old, new) = (ground.write("old", &OLD), ground.write("new", &NEW));
    ground.deploy(&old, "host", None, writing(0, b"old"));
    (ground, old, new)
}

/// What the old tree becomes the new one with.
fn decision() -> Decision {
    let mut decision = deleting(&[("gone.txt", When::Publishing)]);
    decision.set_aside = setting_aside("a.txt", "old a").set_aside;
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
fn traced(ground: &Ground, new: &Source, options: &str) -> Result<(), PushError> {
    let log = ground.at("log");
    ground.trace(&format!("strace -f -qq -o '{}' {options}", log.display()));
    let staged = ground.try_stage(new, "host", &ground.connection(None), decision());
    let done = staged.and_then(|staged| staged.publish()?.prune().map(drop));
    ground.trace("");
    done
}

fn sweep(publish: Publishing) -> (Vec<String>, [u32; 2]) {
    let (ground, old, new) = old_and_new(publish);
    traced(&ground, &new, &format!("-e trace={MUTATING}")).unwrap();
    let points = points(&fs::read_to_string(ground.at("log")).unwrap());
    assert!(points.len() > 20, "{points:?}");
    let (mut wrong, mut outcomes) = (Vec::new(), [0, 0]);
    for (call, nth) in points {
        // Back to the beginning.
        let mut back = deleting(&[("n", When::Publishing), ("n/n.txt", When::Publishing)]);
        back.history = writing(0, b"old").history;
        ground.deploy(&old, "host", None, back);
        assert_eq!(ground.files("host"), files(&OLD));
        let _ = fs::remove_dir_all(ground.at(".assetsync-host/aside"));
        let fault = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        let done = traced(&ground, &new, &fault);
        let found = ground.files("host");
        let history = fs::read(ground.at(".assetsync-host/history")).unwrap();
        let aside = ground.at(".assetsync-host/aside").join(Digest::of(b"old a").to_string());
        let is_new = found["a.txt"] == "new a";
        let has_aside = fs::read(aside).is_ok_and(|content| content == b"old a");
        outcomes[usize::from(done.is_err() && is_new)] += u32::from(done.is_err());
        let when = format!("{call} number {nth}");
        // What is live is in the history, and what the history may lead back to is there.
        if is_new && history != b"old, new" {
            wrong.push(format!("{when}: live, but not recorded"));
        }
        if !(history == b"old" || history == b"old, new" && has_aside) {
            wrong.push(format!("{when}: recorded, but nothing set aside"));
        }
        if publish == Publishing::Directory && found != files(&OLD) && found != new_files() {
            wrong.push(format!("{when}: neither old nor new: {found:?}"));
        }
        ground.deploy(&new, "host", None, deleting(&[("gone.txt", When::Publishing)]));
        if ground.files("host") != new_files() || ground.at(".assetsync-host/tree").exists() {
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
    let (wrong, outcomes) = sweep(Publishing::Directory);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(outcomes.iter().all(|count| *count > 0), "before and after: {outcomes:?}");
}

#[test]
fn an_agent_killed_while_it_publishes_has_recorded_it_before() {
    let (wrong, outcomes) = sweep(Publishing::Files);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(outcomes.iter().all(|count| *count > 0), "before and after: {outcomes:?}");
}

#[test]
fn where_the_file_system_can_not_exchange_nothing_is_changed() {
    let (ground, _, new) = old_and_new(Publishing::Directory);
    let before = (ground.files("host"), ground.files(".assetsync-host/stage"));
    let history = || fs::read(ground.at(".assetsync-host/history")).unwrap();
    // By the number of the call: the first of each kind is a try, before anything is sent.
    for (call, error, nth, said, code) in [
        ("renameat2", "EINVAL", 1, "the file system can't do that", FailureCode::Unsupported),
        ("linkat", "EPERM", 1, "the file system can't do that", FailureCode::Unsupported),
        ("linkat", "EMLINK", 2, "Can't clone ", FailureCode::Unsupported),
        ("linkat", "ENOSPC", 3, "Can't clone ", FailureCode::NoSpace),
    ] {
        let fault = format!("-e trace={call} -e inject={call}:error={error}:when={nth}");
        let refused = match traced(&ground, &new, &fault) {
            Err(PushError::Agent(failure)) => failure,
            other => panic!("{call} {nth}: {other:?}"),
        };
        assert!(refused.text.contains(said), "{call} {nth}: {}", refused.text);
        assert_eq!(refused.code, code, "{call} {nth}: {}", refused.text);
        assert_eq!(ground.files("host"), before.0);
        assert_eq!(history(), b"old");
        assert!(!ground.at(".assetsync-host/tree").exists());
    }
    // The exchange itself: what was to be live is recorded by then, and the old tree stands.
    let fault = "-e trace=renameat2 -e inject=renameat2:error=EBUSY:when=2";
    let refused = traced(&ground, &new, fault).unwrap_err().to_string();
    assert!(refused.ends_with("; nothing was published"), "{refused}");
    assert_eq!((ground.files("host"), history()), (before.0, b"old, new".to_vec()));
    assert!(!ground.at(".assetsync-host/tree").exists());
    ground.deploy(&new, "host", None, deleting(&[("gone.txt", When::Publishing)]));
    assert_eq!(ground.files("host"), new_files());
}
