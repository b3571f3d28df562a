//! Properties of any series of deploys.

use proptest::prelude::*;

use super::clock::Clocks;
use super::codec::testing::encode;
use super::decoder::decode;
use super::deploys::History;
use super::fixtures::{Host, file, policy};
use super::policy::{RetentionPolicy, same_content};
use super::retention::{Disposition, RemoveReason, retention};
use super::rollback::missing;
use super::status::status;
use super::tree::Tree;

const NAMES: [&str; 12] = [
    "a-1.js",
    "a-1.js.gz",
    "a-1.js.map",
    "a-2.js",
    "a-2.js.gz",
    "dir/b.css",
    "dir/b.css.br",
    "dir/c.png",
    "index.html",
    "index.html.gz",
    ".sprockets-manifest-1111.json",
    ".sprockets-manifest-2222.json",
];

/// A deploy: which files, of which version and time, and how long after the one before.
type GeneratedDeploy = (Vec<(bool, u8, u8)>, i64);

fn trees() -> impl Strategy<Value = Vec<GeneratedDeploy>> {
    let chosen = prop::collection::vec((any::<bool>(), 0_u8..3, 0_u8..2), NAMES.len());
    prop::collection::vec((chosen, 0_i64..1000), 1..9)
}

fn tree(chosen: &[(bool, u8, u8)]) -> Tree {
    let named = NAMES.iter().zip(chosen).filter(|(_, (there, ..))| *there);
    let files = named.map(|(name, &(_, version, time))| {
        let mut file = file(name, version);
        (file.attributes.mtime.secs, file.attributes.entry_point) = (i64::from(time), time == 1);
        file
    });
    Tree::new(files.collect()).expect("a tree")
}

/// All trees that were deployed, and their times, in order.
struct Run {
    host: Host,
    trees: Vec<Tree>,
    times: Vec<i64>,
}

/// `clock` maps the true time to that of the host's clock.
fn run(
    made: &[GeneratedDeploy],
    policy: &RetentionPolicy,
    clock: impl Fn(usize, i64) -> i64,
) -> Run {
    let mut run = Run { host: Host::default(), trees: Vec::new(), times: Vec::new() };
    let mut time = 0;
    for (number, (chosen, gap)) in made.iter().enumerate() {
        time += gap;
        let wanted = tree(chosen);
        let now = Clocks { host: clock(number, time), sender: time };
        run.host.deploy(&wanted, policy, now);
        run.trees.push(wanted);
        run.times.push(time);
    }
    run
}

/// The different trees among the last ones, newest first.
fn newest_different(trees: &[Tree], count: usize) -> Vec<&Tree> {
    let mut newest: Vec<&Tree> = trees.iter().rev().collect();
    newest.dedup_by(|later, earlier| same_content(later, earlier));
    newest.truncate(count);
    newest
}

/// Whether a host could bring `tree` back.
fn has_all(host: &Host, tree: &Tree) -> bool {
    let known = host.history.deploys().len();
    let back = (0..known).find(|&at| same_content(&host.history.tree(at), tree));
    back.is_some_and(|at| {
        let back = host.history.tree(at);
        missing(&back, &host.existing, &host.retained_contents).is_empty()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The last `keep` different deploys can be restored from the host, whatever its clock shows.
    #[test]
    fn the_last_deploys_can_be_brought_back(
        made in trees(),
        keep in 1_u32..5,
        clocks in prop::collection::vec(any::<i64>(), 9),
    ) {
        let run = run(&made, &policy(keep, 0), |number, _| clocks[number]);
        for tree in newest_different(&run.trees, keep as usize) {
            prop_assert!(has_all(&run.host, tree), "{tree:?}");
        }
    }

    /// So can all that were live within `max_age`, while the sender's clock is right.
    #[test]
    fn young_deploys_can_be_brought_back(
        made in trees(),
        max_age in 1_u64..3000,
        clocks in prop::collection::vec(any::<i64>(), 9),
    ) {
        let run = run(&made, &policy(1, max_age), |number, _| clocks[number]);
        let now = run.times[run.times.len() - 1];
        let ended = run.times[1..].iter().chain([&now]);
        for (tree, &ended) in run.trees.iter().zip(ended) {
            prop_assert!(now - ended >= max_age as i64 || has_all(&run.host, tree));
        }
    }

    /// Fingerprinted files of kept deploys stay at their paths, so old pages still work.
    #[test]
    fn old_pages_keep_their_files(made in trees(), keep in 1_u32..5) {
        let run = run(&made, &policy(keep, 0), |_, time| time);
        let names = run.host.names();
        for tree in newest_different(&run.trees, keep as usize) {
            for name in ["a-1.js", "a-2.js", "dir/c.png"] {
                let used = tree.files().iter().any(|file| file.path.to_string() == name);
                prop_assert!(!used || names.contains(&name.to_owned()));
            }
        }
    }

    /// Pruning twice deletes nothing more, and the live tree is complete.
    #[test]
    fn pruning_twice_is_pruning_once(made in trees(), keep in 0_u32..5, max_age in 0_u64..3000) {
        let policy = policy(keep, max_age);
        let mut run = run(&made, &policy, |_, time| time);
        let now = run.times[run.times.len() - 1];
        let now = Clocks { host: now, sender: now };
        let live = &run.trees[run.trees.len() - 1];
        let first = retention(&run.host.history, live, &run.host.existing, &policy, now);
        run.host.remove(&first);
        let second = retention(&run.host.history, live, &run.host.existing, &policy, now);
        prop_assert_eq!(second.removed().count(), 0);
        let status = status(&run.host.history, &run.host.existing, &run.host.retained_contents, &policy, now);
        prop_assert_eq!(status.drift.len(), 0);
        prop_assert_eq!(status.stale_manifests.len() + status.prunable_files as usize, 0);
        prop_assert_eq!(status.kept.last().map(|kept| kept.missing), Some(0));
    }

    /// To keep more, or for longer, or to look earlier, removes nothing else.
    #[test]
    fn retention_is_monotone(
        made in trees(),
        keep in 0_u32..5, more in 0_u32..3,
        max_age in 0_u64..3000, longer in 0_u64..1000,
        later in 0_i64..2000, earlier in 0_i64..2000,
    ) {
        let all = policy(99, u64::MAX);
        let run = run(&made, &all, |_, time| time);
        let last = run.times[run.times.len() - 1];
        let removed = |keep: u32, max_age: u64, at: i64| {
            let now = Clocks { host: at, sender: at };
            let policy = policy(keep, max_age);
            let made = retention(&run.host.history, &Tree::default(), &run.host.existing, &policy, now);
            made.removed().map(|(path, _)| path.clone()).collect::<Vec<_>>()
        };
        let base = removed(keep, max_age, last + later);
        for lenient in [
            removed(keep + more, max_age, last + later),
            removed(keep, max_age + longer, last + later),
            removed(keep, max_age, last + later - earlier),
        ] {
            prop_assert!(lenient.iter().all(|path| base.contains(path)));
        }
    }

    /// Exactly the existing paths that are not wanted have a disposition.
    #[test]
    fn every_file_is_retained_or_removed(made in trees(), wanted in trees(), keep in 0_u32..4) {
        let run = run(&made, &policy(keep, 500), |_, time| time);
        let wanted = tree(&wanted[0].0);
        let now = Clocks { host: 9999, sender: 9999 };
        let made = retention(&run.host.history, &wanted, &run.host.existing, &policy(keep, 0), now);
        for remote in &run.host.existing {
            let disposition = made.disposition(&remote.entry.path);
            prop_assert_eq!(disposition.is_none(), wanted.get(&remote.entry.path).is_some());
        }
        let manifests = wanted.files().iter().any(|file| file.path.to_string().contains("manifest"));
        for (path, disposition) in &made.dispositions {
            let stale = matches!(disposition, Disposition::Remove(RemoveReason::StaleManifest));
            prop_assert!(!manifests || stale == path.to_string().contains("manifest"));
        }
    }

    /// The history returns every tree unchanged, also after encoding and decoding.
    #[test]
    fn histories_survive(made in trees(), keep in 1_u32..9) {
        let run = run(&made, &policy(keep, 0), |_, time| time);
        let history = &run.host.history;
        let known = history.deploys().len();
        for (at, tree) in (0..known).rev().zip(run.trees.iter().rev()) {
            prop_assert_eq!(&history.tree(at), tree);
        }
        let decoded = decode(&encode(history)).expect("whole");
        prop_assert_eq!(&decoded.history, history);
        prop_assert_eq!(decoded.damage, None);
    }

    /// Appending step by step is the same as writing it whole.
    #[test]
    fn appended_histories_survive(made in trees(), first_kept in prop::collection::vec(0_usize..3, 9)) {
        let mut bytes = Vec::new();
        let mut history = History::new();
        for (number, (chosen, gap)) in (0..).zip(&made) {
            let deploy = super::fixtures::deploy(number, *gap);
            let step = history.step(deploy, &tree(chosen), first_kept[number as usize], std::iter::empty());
            let appended = decode(&bytes).expect("whole").append(&step);
            bytes.extend(appended);
            history = history.apply(step).expect("a good step");
        }
        prop_assert_eq!(decode(&bytes).expect("whole").history, history);
    }

    /// Damage is found, or at least does no harm; what came before it is read.
    #[test]
    fn damage_is_found(made in trees(), at in any::<prop::sample::Index>(), to: u8, cut: bool) {
        let run = run(&made, &policy(99, 0), |_, time| time);
        let good = encode(&run.host.history);
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = to }
        if let Ok(decoded) = decode(&bytes) {
            let read = decoded.history.deploys();
            prop_assert_eq!(read, &run.host.history.deploys()[..read.len()]);
            prop_assert!(decoded.damage.is_some() || bytes == good[..decoded.whole_bytes]);
            prop_assert_eq!(&bytes[..decoded.whole_bytes], &good[..decoded.whole_bytes]);
        }
    }
}
