//! Publishing a whole directory in one step.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use assetsync_sync::proto::FailureCode;
use assetsync_sync::sender::{Decision, Deletes, Publishing, PushError, Source, When};

use crate::support::{Ground, deleting, files, setting_aside, writing};

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
fn ground() -> Ground {
    let mut ground = Ground::new();
    ground.options.publish = Publishing::Directory;
    ground.options.policy.delete = true;
    ground
}

fn surplus() -> Decision {
    Decision { deletes: Deletes::Surplus, ..Decision::default() }
}

/// The old tree at the host and the new one to send; `d/b.txt` is the same file, down to its mtime.
fn old_and_new(ground: &Ground) -> Source {
    let old = ground.write("old", &OLD);
    ground.push(&old, "host", None);
    ground.write("new", &NEW);
    let mtime = fs::metadata(ground.at("old/d/b.txt")).unwrap().modified().unwrap();
    set_mtime(&ground.at("new/d/b.txt"), mtime);
    let mtime = fs::metadata(ground.at("old/touched.txt")).unwrap().modified().unwrap();
    set_mtime(&ground.at("new/touched.txt"), mtime + Duration::from_secs(100));
    ground.scan("new")
}

fn set_mtime(path: &Path, mtime: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(mtime).unwrap();
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn a_new_tree_shares_what_stays_and_takes_the_place_of_the_old_one() {
    let ground = ground();
    let new = old_and_new(&ground);
    let at = |name: &str| ground.at("host").join(name);
    let (root, kept, touched) = (inode(&at("")), inode(&at("d/b.txt")), inode(&at("touched.txt")));
    // Whoever holds the old tree keeps it as it was.
    let held = File::open(at("touched.txt")).unwrap();
    let mtime = held.metadata().unwrap().modified().unwrap();
    fs::set_permissions(at("d"), fs::Permissions::from_mode(0o2750)).unwrap();
    set_dir_mtime(&at("d"), 1_000_000_000);
    let report = ground.push(&new, "host", None);
    assert_eq!(report.deleted, 2);
    assert_eq!(ground.files("host"), files(&NEW));
    assert_eq!(inode(&at("d/b.txt")), kept);
    assert_ne!(inode(&at("")), root);
    assert_ne!(inode(&at("touched.txt")), touched);
    assert_eq!(held.metadata().unwrap().modified().unwrap(), mtime);
    let now = fs::metadata(at("touched.txt")).unwrap().modified().unwrap();
    assert_eq!(now, mtime + Duration::from_secs(100));
    // One name each: nothing of the old tree is left.
    assert_eq!(fs::metadata(at("d/b.txt")).unwrap().nlink(), 1);
    assert_eq!(ground.names(".assetsync-host"), ["clock", "index", "lock", "stage"]);
    assert_eq!(fs::metadata(at("d/b.txt")).unwrap().mode() & 0o7777, 0o644);
}

fn set_dir_mtime(path: &Path, secs: u64) {
    let mtime = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
    File::open(path).unwrap().set_modified(mtime).unwrap();
}

#[test]
fn directories_look_as_before() {
    let ground = ground();
    let old = ground.write("old", &OLD);
    ground.push(&old, "host", None);
    let dir = |name: &str| ground.at("host").join(name);
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
    fs::write(ground.at("old/a.txt"), "another a").unwrap();
    let changed = ground.scan("old");
    ground.deploy(&changed, "host", None, Decision::default());
    assert_ne!(inode(&dir("")), root);
    assert_eq!(["d/e", "private"].map(looks), before);
    assert_eq!(fs::metadata(dir("")).unwrap().mode() & 0o7777, 0o751);
    assert_eq!(fs::read_link(dir("private/link")).unwrap(), Path::new("a.txt"));
}

#[test]
fn extended_attributes_of_directories_stay() {
    // On disk: not every memory file system has them.
    let on_disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut ground = Ground::new_in(on_disk);
    ground.options.publish = Publishing::Directory;
    ground.push(&ground.write("old", &OLD), "host", None);
    let dir = File::open(ground.at("host/d")).unwrap();
    rustix::fs::fsetxattr(&dir, "user.note", b"mine", rustix::fs::XattrFlags::empty()).unwrap();
    ground.push(&ground.write("new", &NEW), "host", None);
    let dir = File::open(ground.at("host/d")).unwrap();
    let mut value = [0; 16];
    let length = rustix::fs::fgetxattr(&dir, "user.note", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"mine");
}

#[test]
fn the_next_push_reads_no_file_and_takes_one_round_trip() {
    let ground = ground();
    let store = ground.store();
    let new = old_and_new(&ground);
    ground.push(&new, "host", Some(&store));
    let again = ground.push(&new, "host", Some(&store));
    assert_eq!((again.round_trips, again.agent_files_read), (1, 0));
    assert_eq!(again.plan.actions.len(), 0);
    // A change behind its back is noticed, whatever the mtime says.
    let mtime = fs::metadata(ground.at("host/d/b.txt")).unwrap().modified().unwrap();
    fs::write(ground.at("host/d/b.txt"), "B").unwrap();
    set_mtime(&ground.at("host/d/b.txt"), mtime);
    ground.push(&new, "host", Some(&store));
    assert_eq!(ground.files("host"), files(&NEW));
}

#[test]
fn nothing_changes_until_publishing_is_said_and_pruning_comes_after() {
    let ground = ground();
    let store = ground.store();
    let new = old_and_new(&ground);
    let before = ground.stamps("host");
    let mut decision = deleting(&[("gone", When::Pruning), ("gone/x.txt", When::Pruning)]);
    decision.history = writing(0, b"history").history;
    decision.set_aside = setting_aside("a.txt", "old a").set_aside;
    let staged = ground.stage(&new, "host", Some(&store), decision);
    assert_eq!(ground.stamps("host"), before);
    let live = staged.publish().unwrap();
    let mut expected = files(&NEW);
    expected.insert("gone/x.txt".into(), "x".into());
    assert_eq!(ground.files("host"), expected);
    live.prune().unwrap();
    assert_eq!(ground.files("host"), files(&NEW));
    let found = ground.survey("host", Some(&store));
    assert_eq!((found.history.as_slice(), found.aside.len()), (&b"history"[..], 1));
    let again = ground.deploy(&new, "host", Some(&store), surplus());
    assert_eq!((again.round_trips, again.agent_files_read), (1, 0));
}

#[test]
fn a_plan_that_only_prunes_exchanges_nothing() {
    let ground = ground();
    let old = ground.write("old", &OLD);
    ground.push(&old, "host", None);
    let root = inode(&ground.at("host"));
    fs::remove_dir_all(ground.at("old/gone")).unwrap();
    let less = ground.scan("old");
    let decision = deleting(&[("gone", When::Pruning), ("gone/x.txt", When::Pruning)]);
    ground.deploy(&less, "host", None, decision);
    assert_eq!(inode(&ground.at("host")), root);
    assert!(!ground.at("host/gone").exists());
}

/// Version of a file that says it in digits.
fn version(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[test]
fn a_reader_never_meets_two_versions_at_once() {
    let ground = ground();
    let build = |version: u64| {
        let text = format!("{version:08}");
        ground.write("src", &[("a.txt", &text), ("d/b.txt", &text), ("same.txt", "same")])
    };
    ground.push(&build(0), "host", None);
    let (host, done, seen) = (ground.at("host"), AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // By path: each at its own moment, so what is read later is no older, and the path is always there.
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
            (1..=50).for_each(|number| drop(ground.push(&build(number), "host", None)));
        }));
        done.store(true, Ordering::Relaxed);
        pushed.unwrap();
    });
    assert_eq!(version(&host.join("a.txt")), Some(50));
    assert!(seen.into_inner() > 100, "too few looks");
}

#[test]
fn a_half_built_tree_is_removed_whatever_its_modes() {
    let ground = ground();
    let new = old_and_new(&ground);
    let tree = ground.at(".assetsync-host/tree");
    fs::create_dir_all(tree.join("d/e")).unwrap();
    fs::write(tree.join("d/e/x.txt"), "x").unwrap();
    symlink(ground.at("host"), tree.join("d/link")).unwrap();
    for name in ["d/e", "d", ""] {
        fs::set_permissions(tree.join(name), fs::Permissions::from_mode(0o500)).unwrap();
    }
    ground.push(&new, "host", None);
    assert_eq!(ground.files("host"), files(&NEW));
    assert!(!tree.exists());
}

/// Refusals come before anything is changed, and name a way out.
fn assert_refused(ground: &Ground, host: &str, expected: &str) {
    let published = || {
        let mut files = ground.files(host);
        files.retain(|path, _| !path.starts_with(".assetsync/"));
        files
    };
    let before = published();
    let new = ground.write("other", &[("a.txt", "other")]);
    let tried = ground.try_stage(&new, host, &ground.connection(None), surplus());
    let refused = match tried.and_then(|staged| staged.publish()) {
        Err(PushError::Agent(failure)) => failure,
        other => panic!("{:?}", other.map(|live| live.report().clone())),
    };
    assert!(refused.text.contains(expected), "{}", refused.text);
    assert!(refused.text.contains("publish file by file"), "{}", refused.text);
    assert_eq!(refused.code, FailureCode::Unsupported);
    assert_eq!(published(), before);
}

#[test]
fn where_it_can_not_be_done_nothing_is_changed() {
    let ground = ground();
    let old = ground.write("old", &OLD);
    for host in ["inside", "nested"] {
        ground.push(&old, host, None);
    }
    fs::create_dir(ground.at("inside/.assetsync")).unwrap();
    assert_refused(&ground, "inside", "its parent directory is on another file system");
    fs::create_dir(ground.at("nested/d/.assetsync-e")).unwrap();
    assert_refused(&ground, "nested", "d/.assetsync-e: it is the work directory of a destination");
    assert!(!ground.at(".assetsync-nested/tree").exists());
}

#[test]
fn a_link_to_a_destination_stays_and_what_it_leads_to_is_exchanged() {
    let ground = ground();
    fs::create_dir(ground.at("real")).unwrap();
    symlink("real", ground.at("host")).unwrap();
    let root = inode(&ground.at("real"));
    ground.push(&ground.write("new", &NEW), "host", None);
    assert!(fs::symlink_metadata(ground.at("host")).unwrap().is_symlink());
    assert_ne!(inode(&ground.at("real")), root);
    assert_eq!(ground.files("real"), files(&NEW));
}
