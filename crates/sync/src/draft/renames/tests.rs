use assetsync_core::digest::Digest;
use assetsync_core::entry::{Kind, Mtime};
use assetsync_core::state::RemoteEntry;
use proptest::prelude::*;

use super::*;

/// A file with content of its own, so that only its name and size speak.
fn file((path, size): &(String, u64)) -> SourceEntry {
    let (kind, mode, mtime) = (Kind::File { size: *size }, 0o644, Mtime::default());
    let entry = Entry { path: RelPath::new(path.as_bytes()).unwrap(), kind, mode, mtime };
    let digest = Some(Digest::of(path.as_bytes()));
    SourceEntry { entry, digest }
}

fn tree(files: &[(String, u64)]) -> Vec<SourceEntry> {
    let mut tree: Vec<_> = files.iter().map(file).collect();
    tree.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    tree
}

fn state(tree: &[SourceEntry]) -> State {
    let remote = |local: &SourceEntry| RemoteEntry {
        entry: local.entry.clone(),
        digest: local.digest.map(|digest| digest.short()),
    };
    State { entries: tree.iter().map(remote).collect(), partials: Vec::new() }
}

fn find(
    old: &State,
    new: &[SourceEntry],
    resemblance: &dyn Fn(EntryIndex, SourceIndex) -> Option<f64>,
) -> Vec<RenamePair> {
    let names = NameGroups::of(old, new, &FingerprintRules::default());
    let compared: HashSet<_> = names.compared().collect();
    names.renames(&|known, local| {
        assert!(compared.contains(&(known, local)));
        resemblance(known, local)
    })
}

/// What succeeds what, as `old > new`.
fn words(
    old: &[(&str, u64)],
    new: &[(&str, u64)],
    resemblance: &dyn Fn(&str, &str) -> Option<f64>,
) -> Vec<String> {
    let owned = |files: &[(&str, u64)]| {
        tree(&files.iter().map(|(path, size)| (path.to_string(), *size)).collect::<Vec<_>>())
    };
    let (old, new) = (state(&owned(old)), owned(new));
    let there = |known: EntryIndex| old.entries[known].entry.path.to_string();
    let here = |local: SourceIndex| new[local].entry.path.to_string();
    let known = |known: EntryIndex, local: SourceIndex| resemblance(&there(known), &here(local));
    let renames = find(&old, &new, &known);
    for rename in &renames {
        let mut path = there(rename.known);
        path.replace_range(rename.old.clone(), &here(rename.local)[rename.new.clone()]);
        assert_eq!(path, here(rename.local));
    }
    renames.iter().map(|r| format!("{} > {}", there(r.known), here(r.local))).collect()
}

#[test]
fn one_name_on_each_side_decides() {
    let old = [
        ("a/app-1a2b3c4d.js", 10),
        ("b/app-1a2b3c4d.js", 10),
        ("gone-1a2b3c4d.js", 10),
        ("kept-1a2b3c4d.js", 10),
        ("long-0123456789abcdef0123456789abcdef.css", 10),
        ("plain.js", 10),
        ("x.5e6f7a8b.js", 10),
    ];
    let new = [
        ("a/app-9f8e7d6c.js", 5000),
        ("come-9f8e7d6c.js", 10),
        ("kept-1a2b3c4d.js", 10),
        ("kept-9f8e7d6c.js", 10),
        ("long-fedcba9876543210fedcba9876543210.css", 10),
        ("plain2.js", 10),
        ("x-9f8e7d6c.js", 10),
    ];
    let expected = [
        "a/app-1a2b3c4d.js > a/app-9f8e7d6c.js",
        "long-0123456789abcdef0123456789abcdef.css > long-fedcba9876543210fedcba9876543210.css",
    ];
    assert_eq!(words(&old, &new, &|_, _| None), expected);
}

#[test]
fn among_several_what_is_most_alike_decides() {
    let old = [("c-1aaaaaa1.js", 100), ("c-2aaaaaa2.js", 100), ("c-3aaaaaa3.js", 100)];
    let new = [("c-4bbbbbb4.js", 100), ("c-5bbbbbb5.js", 900), ("c-6bbbbbb6.js", 100)];
    let alike = |old: &str, new: &str| match (&old[2..3], &new[2..3]) {
        ("1", "5") => Some(0.9),
        ("1", "4") => Some(0.8),
        ("2", "4") => Some(0.2),
        _ => Some(0.05),
    };
    let expected = ["c-2aaaaaa2.js > c-4bbbbbb4.js", "c-1aaaaaa1.js > c-5bbbbbb5.js"];
    assert_eq!(words(&old, &new, &alike), expected);
}

#[test]
fn where_contents_are_unknown_sizes_decide() {
    let old = [("c-1aaaaaa1.js", 100), ("c-2aaaaaa2.js", 201), ("c-3aaaaaa3.js", 4000)];
    let new = [("c-4bbbbbb4.js", 200), ("c-5bbbbbb5.js", 201), ("c-6bbbbbb6.js", 1999)];
    let expected = ["c-1aaaaaa1.js > c-4bbbbbb4.js", "c-2aaaaaa2.js > c-5bbbbbb5.js"];
    assert_eq!(words(&old, &new, &|_, _| None), expected);
}

#[test]
fn the_same_content_needs_no_sketch() {
    let old = tree(&[("c-1aaaaaa1.js".into(), 9), ("c-2aaaaaa2.js".into(), 9)]);
    let mut new = tree(&[("c-3bbbbbb3.js".into(), 9), ("c-4bbbbbb4.js".into(), 9)]);
    (new[0].digest, new[1].digest) = (old[1].digest, old[0].digest);
    let found = find(&state(&old), &new, &|_, _| None);
    let pairs: Vec<_> =
        found.iter().map(|rename| (rename.known.number(), rename.local.number())).collect();
    assert_eq!(pairs, [(1, 0), (0, 1)]);
}

#[test]
fn siblings_follow_their_file() {
    let old = ["c-1aaaaaa1.js", "c-1aaaaaa1.js.gz", "c-2aaaaaa2.js", "c-2aaaaaa2.js.gz"];
    let new = ["c-3bbbbbb3.js", "c-3bbbbbb3.js.gz", "c-4bbbbbb4.js", "c-4bbbbbb4.js.gz"];
    let alike = |old: &str, new: &str| {
        let crossed =
            (&old[2..3], &new[2..3]) == ("1", "4") || (&old[2..3], &new[2..3]) == ("2", "3");
        (!old.ends_with(".gz")).then_some(if crossed { 0.9 } else { 0.3 })
    };
    let expected = [
        "c-2aaaaaa2.js > c-3bbbbbb3.js",
        "c-2aaaaaa2.js.gz > c-3bbbbbb3.js.gz",
        "c-1aaaaaa1.js > c-4bbbbbb4.js",
        "c-1aaaaaa1.js.gz > c-4bbbbbb4.js.gz",
    ];
    let sized = |paths: [&'static str; 4], size| paths.map(|path| (path, size));
    assert_eq!(words(&sized(old, 50), &sized(new, 150), &alike), expected);
}

#[test]
fn a_bare_fingerprint_names_nothing() {
    let old = [("i/0123456789abcdef0123.png", 100), ("j/0123456789abcdef0123.png", 100)];
    let new = [("i/fedcba98765432100123.png", 900), ("j/fedcba98765432100123.png", 110)];
    let expected = ["j/0123456789abcdef0123.png > j/fedcba98765432100123.png"];
    assert_eq!(words(&old, &new, &|_, _| None), expected);
}

#[test]
fn thousands_of_one_name_are_compared_with_those_nearest_in_size() {
    let files = |digit: char| -> Vec<(String, u64)> {
        (0..5000)
            .map(|i| (format!("{i:019}{digit}.png").replacen("00", "ab", 1), 1000 + i))
            .collect()
    };
    let (old, new) = (state(&tree(&files('1'))), tree(&files('2')));
    let asked = std::cell::Cell::new(0);
    let found = find(&old, &new, &|_, _| {
        asked.set(asked.get() + 1);
        None
    });
    assert_eq!(found.len(), 5000);
    assert!(found.iter().all(|rename| rename.known.position() == rename.local.position()));
    assert_eq!(asked.get(), 5000 * COMPARED.end());
}

proptest! {
    #[test]
    fn renames_are_one_to_one_and_differ_in_nothing_but_fingerprints(
        old in prop::collection::btree_map("[ab]-[0-2]a[0-2]bcde[0-2]\\.(js|css)", 0..5000_u64, 0..30),
        new in prop::collection::btree_map("[ab]-[0-2]a[0-2]bcde[0-2]\\.(js|css)", 0..5000_u64, 0..30),
        seed in any::<u32>(),
    ) {
        let files = |map: BTreeMap<String, u64>| tree(&map.into_iter().collect::<Vec<_>>());
        let (old, new) = (state(&files(old)), files(new));
        let random = |known: EntryIndex, local: SourceIndex| {
            let mixed = (known.number() ^ seed).wrapping_mul(31).wrapping_add(local.number()).wrapping_mul(0x9e37_79b1);
            (mixed >> 30 != 0).then_some(f64::from(mixed >> 24 & 15) / 15.0)
        };
        let found = find(&old, &new, &random);
        prop_assert_eq!(&found, &find(&old, &new, &random));
        let olds: HashSet<_> = found.iter().map(|rename| rename.known).collect();
        prop_assert_eq!(olds.len(), found.len());
        prop_assert!(found.windows(2).all(|two| two[0].local < two[1].local));
        for rename in found {
            let there = old.entries[rename.known].entry.path.as_bytes();
            let here = new[rename.local].entry.path.as_bytes();
            let (before, after) = (&there[..rename.old.start], &there[rename.old.end..]);
            prop_assert_eq!([before, &here[rename.new.clone()], after].concat(), here);
            prop_assert!(new.iter().all(|local| local.entry.path.as_bytes() != there));
            prop_assert!(old.entries.iter().all(|remote| remote.entry.path.as_bytes() != here));
        }
    }
}
