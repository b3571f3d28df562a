//! A destination on file systems and in directories as servers really have them: a push, a deploy,
//! is published wholly or not at all, and leaves nothing of its own behind.

#[path = "file_systems/deploys.rs"]
mod deploys;
#[path = "file_systems/faults.rs"]
mod faults;
#[path = "file_systems/inherited.rs"]
mod inherited;
#[path = "file_systems/situations.rs"]
pub(crate) mod situations;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use self::situations::{Host, Mount, WORKING, chattr, forgotten, mount_tmpfs};
use crate::interruptions::faults::{Outcome, Push, need, run};
use crate::support::MEANT;

/// What a tree holds, by path; those of directories end with a slash.
type Tree = BTreeMap<String, Entry>;

/// What a push brings of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The text of a file, or where a link leads.
    content: String,
    /// Permission bits; links have none.
    mode: u32,
    /// Seconds and nanoseconds; not of directories, because it is when their entries last changed:
    /// taking a change back changes them too.
    mtime: (i64, i64),
}

/// The builds that are pushed: files change, go and come, a directory becomes a file, a file a
/// directory, a link leads elsewhere; of some only the mode or the time is another.
const BUILDS: [&[(&str, &str, u32)]; 2] = [
    &[
        ("a.js", "1", 0o644),
        ("index.html", "1", 0o644),
        ("link", "-> a.js", 0),
        ("m/x/y.js", "1", 0o644),
        ("n", "file", 0o644),
        ("packs/", "", 0o755),
        ("packs/deep/d.js", "1", 0o644),
        ("packs/gone.js", "1", 0o644),
        ("packs/old-link", "-> p.js", 0),
        ("packs/p.js", "1", 0o644),
        ("packs/same.js", "same", 0o644),
        ("same-link", "-> z.js", 0),
        ("z.js", "1", 0o644),
    ],
    &[
        ("a.js", "2", 0o644),
        ("index.html", "2", 0o664),
        ("link", "-> z.js", 0),
        ("m", "file", 0o644),
        ("n/b.js", "1", 0o644),
        ("new/c.js", "1", 0o644),
        ("packs/", "", 0o775),
        ("packs/deep/d.js", "2", 0o664),
        ("packs/link", "-> p.js", 0),
        ("packs/new/e/x.js", "1", 0o644),
        ("packs/p.js", "2", 0o644),
        ("packs/same.js", "same", 0o604),
        ("same-link", "-> z.js", 0),
        ("z.js", "2", 0o644),
    ],
];

/// Writes a build, as old as it is: the times are part of what is pushed.
fn write(dir: &Path, build: usize) {
    for (path, text, mode) in BUILDS[build] {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            None if text.is_empty() => fs::create_dir_all(&path).unwrap(),
            None => fs::write(&path, text).unwrap(),
        }
        if *mode != 0 {
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        let time = format!("2024-01-0{} 12:00 UTC", build + 1);
        run("touch", ["-h", "-d", &time].map(Path::new).into_iter().chain([&*path]));
    }
}

/// What a host's push of a build leaves.
fn tree(host: &Host, build: usize) -> Tree {
    read(&host.source(build))
}

/// What is in a directory, except what is a push's own.
fn read(dir: &Path) -> Tree {
    let mut found = Tree::new();
    read_into(dir, "", &mut found);
    // The destination itself has the mode of the source only if a push makes it.
    found.remove("/");
    found
}

fn read_into(dir: &Path, prefix: &str, found: &mut Tree) {
    found.insert(format!("{prefix}/"), entry(dir));
    for item in fs::read_dir(dir).unwrap() {
        let item = item.unwrap();
        let path = format!("{prefix}/{}", item.file_name().to_string_lossy());
        if item.file_name().to_string_lossy().starts_with(".assetsync") {
            continue;
        }
        match item.file_type().unwrap().is_dir() {
            true => read_into(&item.path(), &path, found),
            false => drop(found.insert(path, entry(&item.path()))),
        }
    }
}

fn entry(path: &Path) -> Entry {
    let stat = fs::symlink_metadata(path).unwrap();
    let content = match (stat.is_dir(), stat.is_symlink()) {
        (true, _) => String::new(),
        (_, true) => format!("-> {}", fs::read_link(path).unwrap().display()),
        _ => fs::read_to_string(path).unwrap(),
    };
    let mode = if stat.is_symlink() { 0 } else { stat.permissions().mode() & 0o7777 };
    let mtime = if stat.is_dir() { (0, 0) } else { (stat.mtime(), stat.mtime_nsec()) };
    Entry { content, mode, mtime }
}

/// Where two trees differ.
fn differences(found: &Tree, expected: &Tree) -> Vec<String> {
    let paths: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differ = paths.into_iter().filter(|path| found.get(*path) != expected.get(*path));
    let line =
        |path: &String| format!("{path}: {:?}, not {:?}", found.get(path), expected.get(path));
    differ.map(line).collect()
}

/// Directories that a push must not leave: its own, anywhere below the destination.
fn own_names(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let item = item.unwrap();
        let name = item.file_name().to_string_lossy().into_owned();
        if name.starts_with(".assetsync-") {
            names.push(name);
        } else if item.file_type().unwrap().is_dir() && name != ".assetsync" {
            names.extend(own_names(&item.path()));
        }
    }
    names
}

fn push(host: &Host, build: usize) -> Outcome {
    push_as(host, build, &[])
}

/// Pushes, run by these words.
fn push_as(host: &Host, build: usize, words: &[&str]) -> Outcome {
    let push = Push::new(&host.source(build), host.destination()).with(MEANT);
    let push = push.env("XDG_CACHE_HOME", host.cache());
    match words.is_empty() {
        true => push.run(),
        false => push.under(words).run(),
    }
}

fn check(host: &Host, build: usize, when: &str) {
    check_but(host, build, when, |_| ());
}

/// The same but for what `forget` takes away from each entry.
fn check_but(host: &Host, build: usize, when: &str, forget: impl Fn(&mut Entry)) {
    assert_eq!(wrong(&host.destination(), host, build, forget), Vec::<String>::new(), "{when}");
    assert_eq!(own_names(&host.destination()), Vec::<String>::new(), "{when}");
}

/// Where a directory is not as a push of a build leaves it.
fn wrong(dir: &Path, host: &Host, build: usize, forget: impl Fn(&mut Entry)) -> Vec<String> {
    let [mut found, mut expected] = [read(dir), tree(host, build)];
    found.values_mut().chain(expected.values_mut()).for_each(forget);
    differences(&found, &expected)
}

/// What only the owner of a directory can set.
fn dir_mode(entry: &mut Entry) {
    if entry.content.is_empty() {
        entry.mode = 0;
    }
}

/// Pushes one build after the other, back and forth, and the same one twice.
#[test]
fn every_situation_is_pushed_to_as_a_plain_directory_is() {
    for (name, prepare) in WORKING {
        let host = Host::new();
        let _mounts = prepare(&host);
        for build in [0, 1, 0, 0, 1] {
            let when = format!("{name}, build {build}");
            let outcome = push(&host, build);
            assert!(outcome.ok(), "{when}: {outcome:?}");
            check_but(&host, build, &when, forgotten(name));
        }
    }
}

/// What a push that is killed leaves on other mounts, the next one removes.
#[test]
fn areas_that_a_killed_push_left_are_removed() {
    let host = Host::new();
    let _mount = mount_tmpfs(&host.destination().join("packs"));
    push(&host, 0).assert_ok();
    let left = host.destination().join("packs/.assetsync-tmp.00000001.0");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("x"), "half").unwrap();
    let list =
        ".assetsync-tmp.00000001.0\0packs\0.assetsync-tmp.00000001.0\0no/where\0../../x\0y\0";
    fs::write(host.work().join("areas"), list).unwrap();
    push(&host, 1).assert_ok();
    check(&host, 1, "after a killed push");
    assert!(!host.work().join("areas").exists());
}

#[test]
fn a_mount_point_that_the_source_lacks_stays_with_a_notice() {
    let host = Host::new();
    push(&host, 0).assert_ok();
    let _mount = mount_tmpfs(&host.destination().join("up/loads"));
    fs::write(host.destination().join("up/loads/u.png"), "u").unwrap();
    fs::write(host.destination().join("up/old.js"), "o").unwrap();
    let outcome = push(&host, 1);
    outcome.assert_ok();
    assert!(outcome.stdout.contains("up/loads is a mount point and stays"), "{outcome:?}");
    let mut found = read(&host.destination());
    for stays in ["/up/", "/up/loads/"] {
        assert!(found.remove(stays).is_some(), "{stays}");
    }
    assert_eq!(differences(&found, &tree(&host, 1)), Vec::<String>::new());
}

/// Nothing of a push that can't succeed is published, and it says what to do.
fn refused(host: &Host, words: &[&str], said: &[&str]) {
    let before = read(&host.destination());
    let outcome = push_as(host, 1, words);
    outcome.assert_failed(said);
    assert!(outcome.stderr.contains("Refused, nothing was changed"), "{outcome:?}");
    assert_eq!(read(&host.destination()), before);
    assert_eq!(own_names(&host.destination()), Vec::<String>::new());
}

#[test]
fn immutable_and_append_only_paths_are_refused_before_anything_changes() {
    need("chattr", "e2fsprogs");
    let host = Host::new();
    push(&host, 0).assert_ok();
    for (path, flag, said) in [
        ("z.js", "i", "z.js is immutable; chattr -i it"),
        ("packs/gone.js", "i", "packs/gone.js is immutable"),
        ("packs", "i", "packs is immutable"),
        ("m/x", "i", "m/x is immutable"),
        ("packs/p.js", "a", "packs/p.js is append-only; chattr -a it"),
        ("packs/deep", "a", "packs/deep is append-only"),
        ("", "i", "the destination itself is immutable"),
    ] {
        let _flag = chattr(&host.destination().join(path), flag);
        refused(&host, &[], &[said]);
    }
    push(&host, 1).assert_ok();
    check(&host, 1, "once nothing is immutable");
}

#[test]
fn what_is_mounted_read_only_is_refused_and_named() {
    let host = Host::new();
    let mount = mount_tmpfs(&host.destination().join("packs"));
    push(&host, 0).assert_ok();
    run("mount", [Path::new("-o"), "remount,ro".as_ref(), &host.destination().join("packs")]);
    let at = host.destination().join("packs").display().to_string();
    refused(&host, &[], &["packs is on a read-only file system", &format!("(mounted on {at})")]);
    drop(mount);
}

#[test]
fn a_file_that_is_a_mount_point_is_refused_if_it_changes() {
    let host = Host::new();
    push(&host, 0).assert_ok();
    let file = host.destination().join("z.js");
    let _mount = Mount::bind(&host.source(0).join("z.js"), &file);
    refused(&host, &[], &["z.js is a mount point and can't be replaced"]);
}

/// A user that owns nothing, of a group that may write.
const OTHER: [&str; 5] = ["setpriv", "--reuid=61234", "--regid=61234", "--clear-groups", "--"];

/// A destination that a group may write, all of it root's.
fn shared() -> Host {
    need("setpriv", "util-linux");
    let host = Host::new();
    write(&host.destination(), 0);
    host.share();
    host
}

#[test]
fn files_of_others_in_a_sticky_directory_are_refused() {
    let host = shared();
    run("chmod", ["+t".as_ref(), host.destination().join("packs").as_os_str()]);
    refused(&host, &OTHER, &["packs/gone.js belongs to user 0", "sticky bit", "chmod -t"]);
    run("chmod", ["-t".as_ref(), host.destination().join("packs").as_os_str()]);
    push_as(&host, 1, &OTHER).assert_ok();
    check_but(&host, 1, "without the sticky bit", dir_mode);
}

#[test]
fn a_directory_of_others_that_can_not_be_moved_is_emptied() {
    let host = shared();
    // Nobody but root may move it: moving a directory changes it.
    let foreign = host.destination().join("m/x");
    fs::remove_file(foreign.join("y.js")).unwrap();
    run("chmod", ["755".as_ref(), foreign.as_os_str()]);
    push_as(&host, 1, &OTHER).assert_ok();
    check_but(&host, 1, "an empty directory of root", dir_mode);

    let host = shared();
    run("chmod", ["755".as_ref(), host.destination().join("m/x").as_os_str()]);
    refused(&host, &OTHER, &["m/x can't be changed: Permission denied, it belongs to user 0"]);
}
