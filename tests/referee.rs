//! Promise: whatever happened to a tree between two pushes, the destination becomes
//! what `rsync -a --checksum` makes of it, with and without `--delete`. Random trees with odd
//! names, changes of kind and content changed behind the same size and time; failures name their
//! seeds. `ASSETSYNC_PAIRS=5000` tries more of them.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_testbed::rsync;
use assetsync_testbed::tree::{DiffOptions, Entry, TreePair, diff_trees, snapshot};
use tempfile::TempDir;

use crate::support::{Done, MEANT, Machine, OrFail, Way, differences, scratch, sshd, sweep};

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
        fs::create_dir(&theirs).or_fail();
        rsync::mirror(&self.path("old"), &theirs).or_fail();
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

/// The seeds a test tries: `count` of them, unless the environment wants more.
fn seeds(count: u64) -> Range<u64> {
    let more = std::env::var("ASSETSYNC_PAIRS").ok();
    0..more.map_or(count, |more| more.parse().expect("ASSETSYNC_PAIRS is a number"))
}

/// `rsync -a --checksum` that deletes nothing; gives its exit status.
fn rsync_over(source: &Path, destination: &Path) -> Option<i32> {
    let mut command = Command::new("rsync");
    command.args(["-a", "--checksum", "--modify-window=-1"]);
    command.arg(source.join("")).arg(destination.join(""));
    let output = command.output();
    output.unwrap_or_else(|error| panic!("rsync: {error}; `apt-get install rsync`")).status.code()
}

/// Pushes with `options`; gives the report, or all that was said if it went wrong.
fn push(
    machine: &Machine,
    way: &Way,
    options: &[&str],
    source: &Path,
) -> Result<Done, Vec<String>> {
    let ran = machine.try_push(way, options, source);
    if ran.code() == Some(0) { Ok(ran.done()) } else { Err(vec![ran.stdout(), ran.stderr()]) }
}

/// Pushes the old tree into nothing, then the new one over it with `--delete`.
fn redeploy(machine: &Machine, way: &Way, arena: &Arena) -> Vec<String> {
    let (theirs, _) = arena.theirs(true);
    let pushed = push(machine, way, &[], &arena.path("old"))
        .and_then(|_| push(machine, way, &["--delete"], &arena.path("new")));
    pushed.err().unwrap_or_else(|| arena.verdict(&theirs))
}

/// Pushes the new tree over what rsync made of the old one, and once more, for which nothing must
/// be left.
fn take_over(machine: &Machine, arena: &Arena, options: &[&str]) -> Vec<String> {
    let (theirs, _) = arena.theirs(true);
    fs::create_dir_all(arena.ours()).or_fail();
    rsync::mirror(&arena.path("old"), &arena.ours()).or_fail();
    let (way, new) = (Way::local(&arena.ours()), arena.path("new"));
    let pushed = push(machine, &way, options, &new);
    let again = pushed.and_then(|_| push(machine, &way, options, &new));
    match again {
        Ok(again) if (again.files_sent, again.files_deleted) == (0, 0) => arena.verdict(&theirs),
        Ok(again) => vec![format!("there was more to do: {again:?}")],
        Err(lines) => lines,
    }
}

/// Pushes the new tree, lets rsync make it the old one behind our back, pushes again.
fn undo(machine: &Machine, arena: &Arena) -> Vec<String> {
    let (way, new) = (Way::local(&arena.ours()), arena.path("new"));
    if let Err(lines) = push(machine, &way, &[], &new) {
        return lines;
    }
    rsync::mirror(&arena.path("old"), &arena.ours()).or_fail();
    let pushed = push(machine, &way, &["--delete"], &new);
    pushed.err().unwrap_or_else(|| differences(&new, &arena.ours()))
}

#[test]
fn a_redeploy_leaves_what_rsync_leaves() {
    let machine = Machine::new();
    let failures = sweep(seeds(220), |seed| {
        let arena = Arena::new(TreePair::random(seed));
        redeploy(&machine, &Way::local(&arena.ours()), &arena)
    });
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_redeploy_over_ssh_leaves_what_rsync_leaves() {
    let (machine, sshd) = (Machine::new(), sshd());
    let failures = sweep(1_000..1_012, |seed| {
        let arena = Arena::new(TreePair::random(seed));
        redeploy(&machine, &Way::ssh(sshd.route(), arena.ours()), &arena)
    });
    assert!(failures.is_empty(), "{failures}");
}

/// The agent knows nothing of such a destination, so it reads what may be the same: changes behind
/// the same size and time are noticed.
#[test]
fn a_destination_that_rsync_made_is_taken_over() {
    let machine = Machine::new();
    let failures =
        sweep(seeds(40), |seed| take_over(&machine, &Arena::new(TreePair::random(seed)), &MEANT));
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_destination_that_rsync_made_is_read_if_asked_for() {
    let machine = Machine::new();
    let failures = sweep(seeds(40), |seed| {
        let options = [&MEANT[..], &["--checksum"]].concat();
        take_over(&machine, &Arena::new(TreePair::random(seed)), &options)
    });
    assert!(failures.is_empty(), "{failures}");
}

/// Where the command has pushed before, content decides, whoever changed it since and whatever size
/// and time say.
#[test]
fn what_others_did_to_the_destination_is_undone() {
    let machine = Machine::new();
    let failures = sweep(seeds(60), |seed| undo(&machine, &Arena::new(TreePair::random(seed))));
    assert!(failures.is_empty(), "{failures}");
}

/// Where something would have to take the place of a directory that is not empty, rsync changes the
/// rest and ends with an error; the command refuses and changes nothing.
#[test]
fn nothing_is_deleted_unless_asked_for() {
    let machine = Machine::new();
    let all = seeds(80);
    let failures =
        sweep(all.clone(), |seed| add_only(&machine, &Arena::new(TreePair::random(seed))));
    assert!(failures.is_empty(), "{failures}");
    let refused = all.clone().filter(|&seed| must_refuse(&TreePair::random(seed))).count();
    assert!(refused > 0 && refused < all.count(), "{refused} pairs can't do without a delete");
}

fn add_only(machine: &Machine, arena: &Arena) -> Vec<String> {
    let way = Way::local(&arena.ours());
    let (theirs, code) = arena.theirs(false);
    if let Err(lines) = push(machine, &way, &[], &arena.path("old")) {
        return lines;
    }
    let before = snapshot(&arena.ours()).or_fail();
    let ran = machine.try_push(&way, &[], &arena.path("new"));
    match (code, must_refuse(&arena.pair), ran.code()) {
        (Some(0), false, Some(0)) => differences(&theirs, &arena.ours()),
        (Some(23), true, Some(1)) => {
            let options =
                DiffOptions { dir_mtimes: true, link_mtimes: true, ..DiffOptions::default() };
            diff_trees(&before, &snapshot(&arena.ours()).or_fail(), &options)
        }
        (rsync, _, ours) => {
            let (rsync, ours) =
                (format!("rsync ended with {rsync:?}"), format!("ours with {ours:?}"));
            vec![rsync, ours, ran.stdout(), ran.stderr()]
        }
    }
}

/// Whether a directory with something in it makes way for something else.
fn must_refuse(pair: &TreePair) -> bool {
    pair.new.iter().filter(|(_, entry)| !matches!(entry, Entry::Dir { .. })).any(|(path, _)| {
        let below = [path, b"/"].concat();
        pair.old.iter().any(|(old, _)| old.starts_with(&below))
    })
}
