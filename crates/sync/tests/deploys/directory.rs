//! Publishing a whole directory in one step.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use assetsync_core::protocol::FailureCode;
use assetsync_sync::{Decision, DeleteAt, Deletes, PushError, Source};

use crate::support::{TestHost, deleting, files, setting_aside, writing};

const OLD: [(&str, &str); 5] = [
    ("a.txt", "old a"),
    ("d/b.txt", "b"),
    ("d/e/c.txt", "old c"),
    ("gone/x.txt", "x"),
    ("touched.txt", "t"),
];
const NEW: [(&str, &str); 5] = [
    ("a.txt", "new a"),
    ("d/b.txt", "b"),
    ("d/e/c.txt", "new c"),
    ("n/new.txt", "n"),
    ("touched.txt", "t"),
];

/// Directories are published as a whole, and nothing else stays.
fn reference() -> TestHost {
    let mut reference = TestHost::new();
    reference.options.whole_directory = true;
    reference.options.policy.delete = true;
    reference
}

fn extraneous() -> Decision {
    Decision { deletes: Deletes::Extraneous, ..Decision::default() }
}

/// The old tree at the host and the new one to send; `d/b.txt` is the same file, down to its mtime.
fn old_and_new(reference: &TestHost) -> Source {
    let old = reference.write("old", &OLD);
    reference.push(&old, "host", None);
    reference.write("new", &NEW);
    let mtime = fs::metadata(reference.at("old/d/b.txt")).unwrap().modified().unwrap();
    set_mtime(&reference.at("new/d/b.txt"), mtime);
    let mtime = fs::metadata(reference.at("old/touched.txt")).unwrap().modified().unwrap();
    set_mtime(&reference.at("new/touched.txt"), mtime + Duration::from_secs(100));
    reference.scan("new")
}

fn set_mtime(path: &Path, mtime: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(mtime).unwrap();
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn a_new_tree_shares_what_stays_and_takes_the_place_of_the_old_one() {
    let reference = reference();
    let new = old_and_new(&reference);
    let at = |name: &str| reference.at("host").join(name);
    let (root, kept, touched) = (inode(&at("")), inode(&at("d/b.txt")), inode(&at("touched.txt")));
    // Whoever holds the old tree keeps it as it was.
    let held = File::open(at("touched.txt")).unwrap();
    let mtime = held.metadata().unwrap().modified().unwrap();
    fs::set_permissions(at("d"), fs::Permissions::from_mode(0o2750)).unwrap();
    set_dir_mtime(&at("d"), 1_000_000_000);
    let report = reference.push(&new, "host", None);
    assert_eq!(report.deleted, 2);
    assert_eq!(reference.files("host"), files(&NEW));
    assert_eq!(inode(&at("d/b.txt")), kept);
    assert_ne!(inode(&at("")), root);
    assert_ne!(inode(&at("touched.txt")), touched);
    assert_eq!(held.metadata().unwrap().modified().unwrap(), mtime);
    let now = fs::metadata(at("touched.txt")).unwrap().modified().unwrap();
    assert_eq!(now, mtime + Duration::from_secs(100));
    // One name each: nothing of the old tree is left.
    assert_eq!(fs::metadata(at("d/b.txt")).unwrap().nlink(), 1);
    assert_eq!(reference.names(".assetsync-host"), ["clock", "index", "lock", "stage"]);
    assert_eq!(fs::metadata(at("d/b.txt")).unwrap().mode() & 0o7777, 0o644);
}

fn set_dir_mtime(path: &Path, secs: u64) {
    let mtime = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
    File::open(path).unwrap().set_modified(mtime).unwrap();
}

#[test]
fn directories_look_as_before() {
    let reference = reference();
    let old = reference.write("old", &OLD);
    reference.push(&old, "host", None);
    let dir = |name: &str| reference.at("host").join(name);
    fs::create_dir(dir("private")).unwrap();
    symlink("a.txt", dir("private/link")).unwrap();
    for (name, mode) in [("d/e", 0o755), ("private", 0o2510), ("", 0o751)] {
        set_dir_mtime(&dir(name), 1_000_000_000);
        fs::set_permissions(dir(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let looks = |name: &str| {
        let meta = fs::metadata(dir(name)).unwrap();
        (meta.mode(), meta.mtime(), meta.mtime_nsec(), meta.uid(), meta.gid())
    };
    let before = ["d/e", "private"].map(looks);
    let root = inode(&dir(""));
    // `d/e` is not among what changes; `private` is not of the source, but nothing is deleted.
    fs::write(reference.at("old/a.txt"), "another a").unwrap();
    let changed = reference.scan("old");
    reference.deploy(&changed, "host", None, Decision::default());
    assert_ne!(inode(&dir("")), root);
    assert_eq!(["d/e", "private"].map(looks), before);
    assert_eq!(fs::metadata(dir("")).unwrap().mode() & 0o7777, 0o751);
    assert_eq!(fs::read_link(dir("private/link")).unwrap(), Path::new("a.txt"));
}

#[test]
fn extended_attributes_of_directories_stay() {
    // On disk: not every memory file system has them.
    let on_disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut reference = TestHost::new_in(on_disk);
    reference.options.whole_directory = true;
    reference.push(&reference.write("old", &OLD), "host", None);
    let dir = File::open(reference.at("host/d")).unwrap();
    rustix::fs::fsetxattr(&dir, "user.note", b"mine", rustix::fs::XattrFlags::empty()).unwrap();
    reference.push(&reference.write("new", &NEW), "host", None);
    let dir = File::open(reference.at("host/d")).unwrap();
    let mut value = [0; 16];
    let length = rustix::fs::fgetxattr(&dir, "user.note", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"mine");
}

#[test]
fn the_next_push_reads_no_file_and_takes_one_round_trip() {
    let reference = reference();
    let store = reference.store();
    let new = old_and_new(&reference);
    reference.push(&new, "host", Some(&store));
    let again = reference.push(&new, "host", Some(&store));
    assert_eq!((again.round_trips, again.agent_files_read), (1, 0));
    assert_eq!(again.plan.actions.len(), 0);
    // A change behind its back is noticed, whatever the mtime says.
    let mtime = fs::metadata(reference.at("host/d/b.txt")).unwrap().modified().unwrap();
    fs::write(reference.at("host/d/b.txt"), "B").unwrap();
    set_mtime(&reference.at("host/d/b.txt"), mtime);
    reference.push(&new, "host", Some(&store));
    assert_eq!(reference.files("host"), files(&NEW));
}

#[test]
fn nothing_changes_until_publishing_is_said_and_pruning_comes_after() {
    let reference = reference();
    let store = reference.store();
    let new = old_and_new(&reference);
    // The clone is made of hard links, which change the time of an inode, and nothing else of it.
    let stamps = || {
        let stamps = reference.stamps("host").into_iter();
        stamps.map(|(name, (inode, secs, nanos, _))| (name, (inode, secs, nanos))).collect()
    };
    let before: BTreeMap<_, _> = stamps();
    let mut decision = deleting(&[("gone", DeleteAt::Pruning), ("gone/x.txt", DeleteAt::Pruning)]);
    decision.history = writing(0, b"history").history;
    decision.to_retain = setting_aside("a.txt", "old a").to_retain;
    let staged = reference.stage(&new, "host", Some(&store), decision);
    assert_eq!(stamps(), before);
    let live = staged.publish().unwrap();
    let mut expected = files(&NEW);
    expected.insert("gone/x.txt".into(), "x".into());
    assert_eq!(reference.files("host"), expected);
    live.end(true).unwrap();
    assert_eq!(reference.files("host"), files(&NEW));
    let found = reference.survey("host", Some(&store));
    assert_eq!((found.history.as_slice(), found.retained_contents.len()), (&b"history"[..], 1));
    let again = reference.deploy(&new, "host", Some(&store), extraneous());
    assert_eq!((again.round_trips, again.agent_files_read), (1, 0));
}

#[test]
fn a_plan_that_only_prunes_exchanges_nothing() {
    let reference = reference();
    let old = reference.write("old", &OLD);
    reference.push(&old, "host", None);
    let root = inode(&reference.at("host"));
    fs::remove_dir_all(reference.at("old/gone")).unwrap();
    let less = reference.scan("old");
    let decision = deleting(&[("gone", DeleteAt::Pruning), ("gone/x.txt", DeleteAt::Pruning)]);
    reference.deploy(&less, "host", None, decision);
    assert_eq!(inode(&reference.at("host")), root);
    assert!(!reference.at("host/gone").exists());
}

/// Version of a file that says it in digits.
fn version(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[test]
fn a_reader_never_meets_two_versions_at_once() {
    let reference = reference();
    let build = |version: u64| {
        let text = format!("{version:08}");
        reference.write("src", &[("a.txt", &text), ("d/b.txt", &text), ("same.txt", "same")])
    };
    reference.push(&build(0), "host", None);
    let (host, done, seen) = (reference.at("host"), AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // By path: each at its own moment, so what is read later is no older, and the
                    // path is always there.
                    let first = version(&host.join("a.txt")).expect("it is always there");
                    let second = version(&host.join("d/b.txt")).expect("it is always there");
                    let third = version(&host.join("a.txt")).expect("it is always there");
                    assert!(first <= second && second <= third, "{first}, {second}, {third}");
                    // In one directory: the same version, or the tree is being removed.
                    let dir = File::open(&host).unwrap();
                    let held = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&dir));
                    let two =
                        ["a.txt", "d/b.txt"].map(|name| version(&Path::new(&held).join(name)));
                    if let [Some(one), Some(other)] = two {
                        assert_eq!(one, other);
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let pushed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (1..=50).for_each(|number| drop(reference.push(&build(number), "host", None)));
        }));
        done.store(true, Ordering::Relaxed);
        pushed.unwrap();
    });
    assert_eq!(version(&host.join("a.txt")), Some(50));
    assert!(seen.into_inner() > 100, "too few looks");
}

#[test]
fn a_half_built_tree_is_removed_whatever_its_modes() {
    let reference = reference();
    let new = old_and_new(&reference);
    let tree = reference.at(".assetsync-host/tree");
    fs::create_dir_all(tree.join("d/e")).unwrap();
    fs::write(tree.join("d/e/x.txt"), "x").unwrap();
    symlink(reference.at("host"), tree.join("d/link")).unwrap();
    for name in ["d/e", "d", ""] {
        fs::set_permissions(tree.join(name), fs::Permissions::from_mode(0o500)).unwrap();
    }
    reference.push(&new, "host", None);
    assert_eq!(reference.files("host"), files(&NEW));
    assert!(!tree.exists());
}

/// Refusals come before anything is changed, and name a way out.
fn assert_refused(reference: &TestHost, host: &str, expected: &str) {
    let published = || {
        let mut files = reference.files(host);
        files.retain(|path, _| !path.starts_with(".assetsync/"));
        files
    };
    let before = published();
    let new = reference.write("other", &[("a.txt", "other")]);
    let tried = reference.try_stage(&new, host, &reference.connection(None), extraneous());
    let refused = match tried.and_then(|staged| staged.publish()) {
        Err(PushError::Agent(failure)) => failure,
        other => panic!("published: {}", other.is_ok()),
    };
    assert!(refused.text.contains(expected), "{}", refused.text);
    assert!(refused.text.contains("nothing was published"), "{}", refused.text);
    assert_eq!(refused.code, FailureCode::Unsupported);
    assert_eq!(published(), before);
}

#[test]
fn where_it_can_not_be_done_nothing_is_changed() {
    let reference = reference();
    let old = reference.write("old", &OLD);
    for host in ["inside", "nested"] {
        reference.push(&old, host, None);
    }
    fs::create_dir(reference.at("inside/.assetsync")).unwrap();
    assert_refused(&reference, "inside", "its parent directory is on another file system");
    fs::create_dir(reference.at("nested/d/.assetsync-e")).unwrap();
    assert_refused(
        &reference,
        "nested",
        "d/.assetsync-e: it is the work directory of a destination",
    );
    assert!(!reference.at(".assetsync-nested/tree").exists());
}

#[test]
fn a_link_to_a_destination_stays_and_what_it_leads_to_is_exchanged() {
    let reference = reference();
    fs::create_dir(reference.at("real")).unwrap();
    symlink("real", reference.at("host")).unwrap();
    let root = inode(&reference.at("real"));
    reference.push(&reference.write("new", &NEW), "host", None);
    assert!(fs::symlink_metadata(reference.at("host")).unwrap().is_symlink());
    assert_ne!(inode(&reference.at("real")), root);
    assert_eq!(reference.files("real"), files(&NEW));
}
