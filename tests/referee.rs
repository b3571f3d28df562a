//! Promise: whatever happened to a tree between two pushes, the destination becomes what `rsync -a --checksum`
//! makes of it, with and without `--delete`. Random trees with odd names, changes of kind and content changed
//! behind the same size and time; failures name their seeds.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_testbed::tree::{DiffOptions, TreePair, diff_trees, snapshot};
use assetsync_testbed::{Sshd, rsync};
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, Way, differences, scratch, sshd, sweep};

/// A pair of trees on disk, and two destinations: the command's and rsync's.
struct Arena {
    dir: TempDir,
    pair: TreePair,
}

impl Arena {
    fn new(pair: TreePair) -> Arena {
        let dir = scratch();
        pair.old.write_to(&dir.path().join("old")).or_fail();
        pair.new.write_to(&dir.path().join("new")).or_fail();
        Arena { dir, pair }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The destination of the command, below a directory of its own as it keeps things beside it.
    fn ours(&self) -> PathBuf {
        self.path("srv/ours")
    }

    /// What rsync makes of the old tree, and its exit status.
    fn theirs(&self, delete: bool) -> (PathBuf, Option<i32>) {
        let theirs = self.path("theirs");
        self.pair.old.write_to(&theirs).or_fail();
        let code = if delete {
            rsync::mirror(&self.path("new"), &theirs).or_fail();
            Some(0)
        } else {
            rsync_over(&self.path("new"), &theirs)
        };
        (theirs, code)
    }

    /// How the command's destination differs from rsync's and from the source.
    fn verdict(&self, theirs: &Path) -> Vec<String> {
        let label = |label: &'static str| move |line| format!("{label}: {line}");
        let against_rsync = differences(theirs, &self.ours()).into_iter().map(label("rsync"));
        let against_source =
            differences(&self.path("new"), &self.ours()).into_iter().map(label("source"));
        against_rsync.chain(against_source).collect()
    }
}

/// `rsync -a --checksum` that deletes nothing; gives its exit status.
fn rsync_over(source: &Path, destination: &Path) -> Option<i32> {
    let mut command = Command::new("rsync");
    command.args(["-a", "--checksum", "--modify-window=-1"]);
    command.arg(source.join("")).arg(destination.join(""));
    let output = command.output();
    output.unwrap_or_else(|error| panic!("rsync: {error}; `apt-get install rsync`")).status.code()
}

/// Pushes; gives what went wrong, if anything.
fn push(machine: &Machine, way: &Way, delete: bool, source: &Path) -> Result<(), Vec<String>> {
    let ran = try_push(machine, way, delete, source);
    if ran.code() == Some(0) { Ok(()) } else { Err(vec![ran.stdout(), ran.stderr()]) }
}

fn try_push(machine: &Machine, way: &Way, delete: bool, source: &Path) -> Ran {
    let options = way.options.iter().map(OsStr::new).chain(delete.then(|| OsStr::new("--delete")));
    let options: Vec<_> = options.collect();
    machine.try_push(&options, source, OsStr::new(&way.destination))
}

/// Pushes the old tree into nothing, then the new one over it with `--delete`.
fn mirror_twice(machine: &Machine, way: &Way, arena: &Arena) -> Vec<String> {
    let (theirs, _) = arena.theirs(true);
    let pushed = push(machine, way, false, &arena.path("old"))
        .and_then(|()| push(machine, way, true, &arena.path("new")));
    pushed.err().unwrap_or_else(|| arena.verdict(&theirs))
}

#[test]
fn a_redeploy_leaves_what_rsync_leaves() {
    let machine = Machine::new();
    let failures = sweep(0..220, |seed| {
        let arena = Arena::new(TreePair::random(seed));
        mirror_twice(&machine, &Way::local(&arena.ours()), &arena)
    });
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_redeploy_over_ssh_leaves_what_rsync_leaves() {
    let (machine, sshd) = (Machine::new(), sshd());
    let failures = sweep(1_000..1_012, |seed| {
        let arena = Arena::new(TreePair::random(seed));
        mirror_twice(&machine, &over(&sshd, &arena), &arena)
    });
    assert!(failures.is_empty(), "{failures}");
}

fn over(sshd: &Sshd, arena: &Arena) -> Way {
    Way::ssh(sshd.route(), arena.ours())
}

/// The agent knows nothing of such a destination, so the quick check decides; these pairs have no change that
/// it can't see.
#[test]
fn a_destination_that_rsync_made_is_taken_over() {
    let machine = Machine::new();
    let failures = sweep(0..60, |seed| {
        let arena = Arena::new(TreePair::honest(seed));
        let (theirs, _) = arena.theirs(true);
        fs::create_dir_all(arena.ours()).or_fail();
        rsync::mirror(&arena.path("old"), &arena.ours()).or_fail();
        let pushed = push(&machine, &Way::local(&arena.ours()), true, &arena.path("new"));
        pushed.err().unwrap_or_else(|| arena.verdict(&theirs))
    });
    assert!(failures.is_empty(), "{failures}");
}

/// Where something would have to take the place of a directory that is not empty, rsync changes the rest and
/// ends with an error; the command refuses and changes nothing.
#[test]
fn nothing_is_deleted_unless_asked_for() {
    let machine = Machine::new();
    let failures = sweep(0..80, |seed| add_only(&machine, &Arena::new(TreePair::random(seed))));
    assert!(failures.is_empty(), "{failures}");
    let refused = (0..80).filter(|&seed| must_refuse(&TreePair::random(seed))).count();
    assert!((5..70).contains(&refused), "{refused} of the pairs need a delete");
}

fn add_only(machine: &Machine, arena: &Arena) -> Vec<String> {
    let way = Way::local(&arena.ours());
    let (theirs, code) = arena.theirs(false);
    if let Err(lines) = push(machine, &way, false, &arena.path("old")) {
        return lines;
    }
    let before = snapshot(&arena.ours()).or_fail();
    let ran = try_push(machine, &way, false, &arena.path("new"));
    match (code, must_refuse(&arena.pair), ran.code()) {
        (Some(0), false, Some(0)) => differences(&theirs, &arena.ours()),
        (Some(23), true, Some(1)) => {
            let options = DiffOptions { dir_mtimes: true, link_mtimes: true, ..DiffOptions::default() };
            diff_trees(&before, &snapshot(&arena.ours()).or_fail(), &options)
        }
        (rsync, _, ours) => {
            let (rsync, ours) = (format!("rsync ended with {rsync:?}"), format!("ours with {ours:?}"));
            vec![rsync, ours, ran.stdout(), ran.stderr()]
        }
    }
}

/// Whether a directory with something in it makes way for something else.
fn must_refuse(pair: &TreePair) -> bool {
    use assetsync_testbed::tree::Entry::Dir;
    pair.new.iter().filter(|(_, entry)| !matches!(entry, Dir { .. })).any(|(path, _)| {
        let below = [path, b"/"].concat();
        pair.old.iter().any(|(old, _)| old.starts_with(&below))
    })
}
