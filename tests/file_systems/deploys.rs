//! Deploys to two hosts, one of which is as a situation has it: each is wholly old or wholly new,
//! in modes and times too.

use std::ffi::OsStr;

use super::situations::{Attribute, Host, Mount, Prepare, WORKING, chattr, forgotten};
use super::{Entry, own_names, write, wrong};
use crate::fleet::Fleet;
use crate::interruptions::faults::{Dir, run, until};
use crate::support::Ran;

/// The second build before what it lacks is deleted: a rollout that failed on a host deletes
/// nothing.
const NOT_PRUNED: usize = 2;

/// What the second build lacks.
const OLD: [&str; 2] = ["/packs/gone.js", "/packs/old-link"];

const BOTH_OLD: [usize; 2] = [0, 0];
const BOTH_NEW: [usize; 2] = [1, 1];

/// Two hosts; the first build is deployed to them.
struct Pair {
    /// Ended before the hosts' directories are removed.
    _mounts: Vec<Mount>,
    /// The first host's destination, and the builds.
    odd: Host,
    fleet: Fleet,
    name: &'static str,
    forget: fn(&mut Entry),
}

impl Pair {
    fn new(name: &'static str, prepare: Prepare) -> Pair {
        let fleet = Fleet::of(2);
        let odd = Host::serving(Dir::new(), fleet.hosts[0].deploy_to().join("shared/public"));
        let mounts = prepare(&odd);
        let pair = Pair { _mounts: mounts, odd, fleet, name, forget: forgotten(name) };
        pair.configure("");
        pair.build(0);
        // A first deploy deletes nothing that others have put there.
        pair.run("deploy --set assets.delete=retain", 0);
        pair.run("deploy", 0);
        pair.check("after the first deploy", BOTH_OLD);
        pair
    }

    fn configure(&self, more: &str) {
        self.fleet.configure(&format!("assets.delete = \"mirror\"\n{more}"));
    }

    fn build(&self, build: usize) {
        let _ = std::fs::remove_dir_all(self.fleet.built());
        write(&self.fleet.built(), build);
    }

    /// Runs a command, which has to end with this code.
    fn run(&self, command: &str, code: i32) -> Ran {
        let ran = self.fleet.run(&format!("{command} production"));
        let name = self.name;
        assert_eq!(ran.code(), Some(code), "{name}, {command}: {}{}", ran.stdout(), ran.stderr());
        ran
    }

    /// Checks that each host has one build, and nothing of a deploy's own.
    fn check(&self, when: &str, builds: [usize; 2]) {
        for (host, build) in self.fleet.hosts.iter().zip(builds) {
            // An agent may outlive its session by a moment.
            let is_clean = || own_names(&host.assets()).is_empty().then_some(());
            until("the removal of all areas", is_clean);
            let when = format!("{}, {when}, {}", self.name, host.name);
            let mut found = wrong(&host.assets(), &self.odd, build.min(1), self.forget);
            if build == NOT_PRUNED {
                found.retain(|line| !OLD.iter().any(|path| line.starts_with(path)));
            }
            assert_eq!(found, Vec::<String>::new(), "{when}");
        }
    }
}

fn each_host_is_wholly_old_or_wholly_new(situations: &[(&'static str, Prepare)]) {
    for (name, prepare) in situations {
        let pair = Pair::new(name, *prepare);
        pair.build(1);

        let immutable = chattr(&pair.fleet.hosts[1].assets().join("index.html"), "i");
        pair.run("deploy", 1);
        pair.check("once the other host could not publish", BOTH_OLD);
        drop(immutable);

        // The last file that is published: by then, all others are new.
        let page = pair.odd.destination().join("index.html");
        let hook = format!("mount --bind /dev/null {}", page.display());
        pair.configure(&format!("hooks.before_publish = [\"{hook}\"]\n"));
        let ran = pair.run("deploy", 1);
        drop(Mount::over(&page));
        assert!(ran.stderr().contains("is put back, so nothing changed"), "{}", ran.stderr());
        pair.check("once the host failed", [0, NOT_PRUNED]);

        pair.configure("");
        pair.run("deploy", 0);
        pair.check("after the second deploy", BOTH_NEW);
        pair.build(0);
        pair.run("deploy", 0);
        pair.check("after the first build again", BOTH_OLD);
    }
}

#[test]
fn hosts_with_mounts_are_wholly_old_or_wholly_new() {
    each_host_is_wholly_old_or_wholly_new(&WORKING[..9]);
}

#[test]
fn hosts_with_projects_and_layers_are_wholly_old_or_wholly_new() {
    each_host_is_wholly_old_or_wholly_new(&WORKING[9..]);
}

/// What makes a host unable to publish as long as this is there, and what the deploy says.
type Obstacle = (fn(&Host) -> (Option<Attribute>, Option<Mount>), &'static str);

const OBSTACLES: &[Obstacle] = &[
    (|host| attribute(host, "z.js", "i"), "z.js is immutable; chattr -i it"),
    (|host| attribute(host, "packs", "i"), "packs is immutable; chattr -i it"),
    (|host| attribute(host, "packs/p.js", "a"), "packs/p.js is append-only; chattr -a it"),
    (|host| attribute(host, "", "i"), "the destination itself is immutable"),
    (
        |host| {
            let packs = host.destination().join("packs");
            let mount = Mount::bind(&packs, &packs);
            run(
                "mount",
                ["-o", "remount,bind,ro"].map(OsStr::new).into_iter().chain([packs.as_os_str()]),
            );
            (None, Some(mount))
        },
        "packs is on a read-only file system; remount it writable",
    ),
    (
        |host| {
            let file = host.destination().join("z.js");
            (None, Some(Mount::bind(&file, &file)))
        },
        "z.js is a mount point and can't be replaced",
    ),
];

fn attribute(host: &Host, path: &str, flag: &str) -> (Option<Attribute>, Option<Mount>) {
    (Some(chattr(&host.destination().join(path), flag)), None)
}

#[test]
fn a_host_with_an_obstacle_stops_all_before_anything_is_published() {
    let pair = Pair::new("plain directory", |_| Vec::new());
    for (obstacle, said) in OBSTACLES {
        pair.build(1);
        let there = obstacle(&pair.odd);
        let ran = pair.run("deploy", 1);
        drop(there);
        assert!(ran.stderr().contains(said), "{said}: {}", ran.stderr());
        pair.check(said, BOTH_OLD);
    }
    pair.run("deploy", 0);
    pair.check("without obstacles", BOTH_NEW);
}

/// Publishes on the hosts, where all belongs to root; its group may write.
const USER: &str = "www-data";

/// What root does to keep the user from publishing, and what the deploy says.
const OBSTACLES_OF_OTHERS: [(&str, &str, &str); 3] = [
    ("+t", "packs", "packs/gone.js belongs to user 0, and its directory has the sticky bit"),
    ("g-w", "packs", "packs can't be changed: Permission denied, it belongs to user 0"),
    ("g-w", "m/x", "m/x can't be changed: Permission denied, it belongs to user 0"),
];

/// Gives each host's directories to the user's group, and lets the user reach them.
fn share(fleet: &Fleet) {
    for host in &fleet.hosts {
        let deploy_to = host.deploy_to();
        for dir in deploy_to.ancestors().skip(1).take(2) {
            run("chmod", ["a+x".as_ref(), dir.as_os_str()]);
        }
        run("chgrp", ["-R".as_ref(), USER.as_ref(), deploy_to.as_os_str()]);
        run("chmod", ["-R".as_ref(), "g+rwX".as_ref(), deploy_to.as_os_str()]);
    }
}

#[test]
fn a_host_where_others_own_what_has_to_change_stops_all() {
    let mut pair = Pair::new("plain directory", |_| Vec::new());
    // What the group may write is not as the build has it.
    pair.forget = |entry| entry.mode = 0;
    share(&pair.fleet);
    pair.configure(&format!("ssh.become = \"{USER}\"\n"));
    for (mode, path, said) in OBSTACLES_OF_OTHERS {
        pair.build(1);
        let dir = pair.odd.destination().join(path);
        run("chmod", [mode.as_ref(), dir.as_os_str()]);
        let ran = pair.run("deploy", 1);
        run("chmod", ["-t,g+w".as_ref(), dir.as_os_str()]);
        assert!(ran.stderr().contains(said), "{said}: {}", ran.stderr());
        pair.check(said, BOTH_OLD);
    }
    pair.run("deploy", 0);
    pair.check("where the group may write everything", BOTH_NEW);
}
