//! What a file gets from the directory that it lands in: owner, group, access list, project, label.
//! `touch` and `mkdir` show what that is.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_testbed::{Limit, Limited};

use super::situations::{Host, Mount, image};
use super::{check, check_but, own_names, push, push_as, write};
use crate::fleet::Fleet;
use crate::interruptions::faults::{Dir, Outcome, Push, need, run};
use crate::support::MEANT;

/// A user of two groups, the second one the destination's.
const USER: [&str; 5] = ["setpriv", "--reuid=61234", "--regid=61235", "--groups=61234,61235", "--"];

/// Runs a program as a user, by these words.
fn run_as(words: &[&str], program: &[&str], path: &Path) {
    let line = [words, program].concat();
    run(line[0], line[1..].iter().map(AsRef::as_ref).chain([path.as_os_str()]));
}

fn output(program: &str, arguments: &[&str], path: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The type of a label; the rest of it is the user's.
fn label(path: &Path) -> String {
    let mut value = [0; 100];
    let length = rustix::fs::lgetxattr(path, "security.selinux", &mut value[..]).unwrap_or(0);
    let label = String::from_utf8_lossy(&value[..length]);
    label.split(':').nth(2).unwrap_or_default().to_owned()
}

/// What a path got from its directory.
fn attributes(path: &Path) -> String {
    let stat = fs::symlink_metadata(path).unwrap();
    let (list, project) = match stat.is_symlink() {
        true => Default::default(),
        false => (
            output("getfacl", &["-cEp"], path),
            // The project, and the attributes up to the path.
            output("lsattr", &["-pd"], path).split(" /").next().unwrap_or_default().to_owned(),
        ),
    };
    let mode = stat.permissions().mode();
    format!("{}:{} {mode:o}\n{list}{project} {}", stat.uid(), stat.gid(), label(path))
}

/// What is wrong with an entry that a push by this user made.
fn difference(path: &Path, words: &[&str]) -> Option<String> {
    let made = path.with_file_name("made-here");
    let kind = fs::symlink_metadata(path).unwrap().file_type();
    let program: &[&str] = match (kind.is_dir(), kind.is_symlink()) {
        (true, _) => &["mkdir"],
        (_, true) => &["ln", "-s", "nowhere"],
        _ => &["touch"],
    };
    run_as(words, program, &made);
    if !kind.is_symlink() {
        let mode = format!("--reference={}", path.display());
        run_as(words, &["chmod", &mode], &made);
    }
    let (found, wanted) = (attributes(path), attributes(&made));
    match kind.is_dir() {
        true => fs::remove_dir(&made).unwrap(),
        false => fs::remove_file(&made).unwrap(),
    }
    (found != wanted).then(|| format!("{}: {found}\nnot as made there: {wanted}", path.display()))
}

/// Every path that the second build changes or makes.
const CHANGED: [&str; 13] = [
    "a.js",
    "link",
    "m",
    "n",
    "n/b.js",
    "new",
    "new/c.js",
    "packs/deep/d.js",
    "packs/link",
    "packs/new",
    "packs/new/e",
    "packs/new/e/x.js",
    "packs/p.js",
];

fn check_inherited(host: &Host, words: &[&str], when: &str) {
    let wrong: Vec<String> = CHANGED
        .iter()
        .filter_map(|path| difference(&host.destination().join(path), words))
        .collect();
    assert_eq!(wrong, Vec::<String>::new(), "{when}");
}

fn chgrp(path: &Path, group: &str, mode: &str) {
    run("chgrp", [group.as_ref(), path.as_os_str()]);
    run("chmod", [mode.as_ref(), path.as_os_str()]);
}

fn default_list(path: &Path, list: &str) {
    need("setfacl", "acl");
    run("setfacl", ["-d".as_ref(), "-m".as_ref(), list.as_ref(), path.as_os_str()]);
}

fn project(path: &Path, number: &str, flag: &str) {
    run("chattr", ["-p", number, flag].map(AsRef::as_ref).iter().chain([&path.as_os_str()]));
}

/// What is mounted over the destination's parent, and what is then done with the directories of a
/// destination that has the first build.
type Situation = (&'static str, fn(&Host) -> Vec<Mount>, fn(&Path));

const SITUATIONS: &[Situation] = &[
    ("set-group-id below", |_| Vec::new(), |assets| chgrp(&assets.join("packs"), "61234", "g+ws")),
    (
        "set-group-id, and not below",
        |_| Vec::new(),
        |assets| {
            chgrp(assets, "61234", "g+ws");
            chgrp(&assets.join("packs"), "61235", "g-s");
        },
    ),
    (
        "default access list below",
        |_| Vec::new(),
        |assets| default_list(&assets.join("packs"), "u:61236:rwx,g:61237:r-x,o::-"),
    ),
    (
        "default access list, another one below, none below that",
        |_| Vec::new(),
        |assets| {
            default_list(assets, "g:61237:rwx");
            default_list(&assets.join("packs"), "g:61238:rwx");
        },
    ),
    (
        "groups of directories",
        |host| vec![image(host, &["mkfs.ext4"], "e2fsprogs", "loop,grpid")],
        |assets| {
            chgrp(assets, "61234", "g+w");
            chgrp(&assets.join("packs"), "61236", "o+w");
        },
    ),
    (
        "XFS project below",
        |host| vec![image(host, &["mkfs.xfs"], "xfsprogs", "loop")],
        |assets| project(&assets.join("packs"), "42", "+P"),
    ),
    (
        "XFS project, and not below",
        |host| vec![image(host, &["mkfs.xfs"], "xfsprogs", "loop")],
        |assets| {
            project(assets, "42", "+P");
            project(&assets.join("packs/deep"), "43", "+P");
        },
    ),
];

/// The first build, and its directories as the situation has them.
fn prepared(situation: &Situation) -> (Host, Vec<Mount>) {
    let (_, mount, mark) = situation;
    let host = Host::new();
    let mounts = mount(&host);
    fs::create_dir_all(host.destination()).unwrap();
    push(&host, 0).assert_ok();
    mark(&host.destination());
    (host, mounts)
}

#[test]
fn files_get_what_their_directories_give() {
    for situation in SITUATIONS {
        let (name, ..) = situation;
        // The mounts end first.
        let (host, _mounts) = prepared(situation);
        push(&host, 1).assert_ok();
        // Directories have set-group-id where the one above has.
        check_but(&host, 1, name, |entry| entry.mode &= 0o5777);
        check_inherited(&host, &["env"], name);
    }
}

#[test]
fn files_of_a_user_get_what_their_directories_give() {
    need("setpriv", "util-linux");
    for situation in SITUATIONS {
        let (name, ..) = situation;
        // The mounts end first.
        let (host, _mounts) = prepared(situation);
        run("chown", ["-R".as_ref(), "61234".as_ref(), host.dir().join("srv").as_os_str()]);
        run("chown", ["61234".as_ref(), host.cache().as_os_str()]);
        push_as(&host, 1, &USER).assert_ok();
        // Directories have set-group-id where the one above has.
        check_but(&host, 1, name, |entry| entry.mode &= 0o5777);
        check_inherited(&host, &USER, name);
    }
}

/// A directory that is published as a whole is made anew, with all that it gives.
#[test]
fn files_in_a_directory_that_is_published_as_a_whole_get_what_their_directories_give() {
    let fleet = Fleet::of(1);
    let host = Host::serving(Dir::new(), fleet.hosts[0].deploy_to().join("shared/public"));
    let deploy = |build: usize| {
        let _ = fs::remove_dir_all(fleet.built());
        write(&fleet.built(), build);
        fleet.json("deploy production --set assets.publish=directory");
    };
    deploy(0);
    let packs = host.destination().join("packs");
    default_list(&packs, "u:61236:rwx,g:61237:r-x,o::-");
    chgrp(&packs.join("deep"), "61234", "g+ws");
    deploy(1);
    check_inherited(&host, &["env"], "as a whole");
    assert_eq!(own_names(&host.destination()), Vec::<String>::new());
}

/// What root makes belongs to whoever owns the directory.
#[test]
fn files_that_root_makes_belong_to_the_owner_of_their_directory() {
    let host = Host::new();
    push(&host, 0).assert_ok();
    run("chown", ["61234:61235".as_ref(), host.destination().join("packs").as_os_str()]);
    push(&host, 1).assert_ok();
    check(&host, 1, "two owners");
    for path in CHANGED {
        let stat = fs::symlink_metadata(host.destination().join(path)).unwrap();
        let is_in_packs = path.starts_with("packs/") && !path.starts_with("packs/deep");
        let owner = if is_in_packs { (61234, 61235) } else { (0, 0) };
        assert_eq!((stat.uid(), stat.gid()), owner, "{path}");
    }
}

/// A file system that gives new entries the label of their directory, as SELinux does.
#[test]
fn files_get_the_type_of_the_label_of_their_directory() {
    let mount = Limited::mount(&[Limit::Labels]).unwrap();
    let (host, assets): (Host, PathBuf) = (Host::new(), mount.path().join("assets"));
    let push =
        |build: usize| -> Outcome { Push::new(&host.source(build), &assets).with(MEANT).run() };
    push(0).assert_ok();
    let mark = |path: &str, kind: &str| {
        let label = format!("system_u:object_r:{kind}:s0");
        let path = assets.join(path);
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&path, "security.selinux", label.as_bytes(), flags).unwrap();
    };
    mark("", "httpd_sys_content_t");
    mark("packs", "httpd_sys_rw_content_t");
    push(1).assert_ok();
    for path in CHANGED {
        let is_in_packs = path.starts_with("packs/") && !path.starts_with("packs/deep");
        let kind = if is_in_packs { "httpd_sys_rw_content_t" } else { "httpd_sys_content_t" };
        let kind = if path.starts_with("packs/deep") { "" } else { kind };
        assert_eq!(label(&assets.join(path)), kind, "{path}");
    }
}
