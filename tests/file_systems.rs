//! A destination on file systems and in directories as servers really have them: a push, a deploy,
//! is published wholly or not at all, and leaves nothing of its own behind.

#[path = "file_systems/faults.rs"]
mod faults;
#[path = "file_systems/inherited.rs"]
mod inherited;
#[path = "file_systems/situations.rs"]
pub(crate) mod situations;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use self::situations::{Host, Mount, WORKING, chattr, mount_tmpfs};
use crate::interruptions::faults::{Outcome, Push, need, run};
use crate::support::MEANT;

/// What a tree holds: files, links and empty directories, by path.
type Tree = BTreeMap<String, String>;

/// The builds that are pushed: files change, go and come, a directory becomes a file, a file a
/// directory, a link leads elsewhere.
const BUILDS: [&[(&str, &str)]; 2] = [
    &[
        ("a.js", "1"),
        ("index.html", "1"),
        ("link", "-> a.js"),
        ("m/x/y.js", "1"),
        ("n", "file"),
        ("packs/deep/d.js", "1"),
        ("packs/gone.js", "1"),
        ("packs/p.js", "1"),
        ("z.js", "1"),
    ],
    &[
        ("a.js", "2"),
        ("index.html", "2"),
        ("link", "-> z.js"),
        ("m", "file"),
        ("n/b.js", "1"),
        ("new/c.js", "1"),
        ("packs/deep/d.js", "2"),
        ("packs/link", "-> p.js"),
        ("packs/new/e/x.js", "1"),
        ("packs/p.js", "2"),
        ("z.js", "2"),
    ],
];

fn tree(build: usize) -> Tree {
    BUILDS[build].iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
}

/// Writes a build, as old as it is: the times are part of what is pushed.
fn write(dir: &Path, build: usize) {
    for (path, text) in tree(build) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            None => fs::write(&path, text).unwrap(),
        }
        run(
            "touch",
            ["-h", "-d", &format!("2024-01-0{} 12:00 UTC", build + 1)]
                .map(Path::new)
                .into_iter()
                .chain([&*path]),
        );
    }
}

/// What is in a directory, except what is a push's own.
fn read(dir: &Path) -> Tree {
    let mut found = Tree::new();
    read_into(dir, "", &mut found);
    found
}

fn read_into(dir: &Path, prefix: &str, found: &mut Tree) {
    for item in fs::read_dir(dir).unwrap() {
        let item = item.unwrap();
        let path = format!("{prefix}{}", item.file_name().to_string_lossy());
        let kind = item.file_type().unwrap();
        if item.file_name().to_string_lossy().starts_with(".assetsync") {
            continue;
        }
        if kind.is_dir() {
            read_into(&item.path(), &format!("{path}/"), found);
        } else if kind.is_symlink() {
            let target = fs::read_link(item.path()).unwrap();
            found.insert(path, format!("-> {}", target.display()));
        } else {
            found.insert(path, fs::read_to_string(item.path()).unwrap());
        }
    }
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
    assert_eq!(read(&host.destination()), tree(build), "{when}");
    assert_eq!(own_names(&host.destination()), Vec::<String>::new(), "{when}");
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
            check(&host, build, &when);
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
    check(&host, 1, "with a mount point");
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
    check(&host, 1, "without the sticky bit");
}

#[test]
fn a_directory_of_others_that_can_not_be_moved_is_emptied() {
    let host = shared();
    // Nobody but root may move it: moving a directory changes it.
    let foreign = host.destination().join("m/x");
    fs::remove_file(foreign.join("y.js")).unwrap();
    run("chmod", ["755".as_ref(), foreign.as_os_str()]);
    push_as(&host, 1, &OTHER).assert_ok();
    check(&host, 1, "an empty directory of root");

    let host = shared();
    run("chmod", ["755".as_ref(), host.destination().join("m/x").as_os_str()]);
    refused(&host, &OTHER, &["m/x can't be changed: Permission denied, it belongs to user 0"]);
}
