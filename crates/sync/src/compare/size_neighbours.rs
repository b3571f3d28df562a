//! Pairs new files that have no basis by name with old ones that go: in the same directory, of the
//! same extension, nearest in size. Names that are nothing but a fingerprint say no more.

use std::collections::{BTreeSet, HashMap};

use assetsync_core::path::RelPath;

/// Sizes that differ by more than this part of the larger one are no sign of a common origin.
const SIZE_PART: u64 = 4;

/// How many old files on each side of its size are looked at for a new one.
const NEAREST: usize = 4;

/// Directory and extension.
type FileKind<'p> = (Option<RelPath>, &'p [u8]);

/// A file that may be paired.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'p, I> {
    /// What the caller knows it by.
    pub id: I,
    /// Its path.
    pub path: &'p RelPath,
    /// Its size in bytes.
    pub size: u64,
}

/// The pairs of new and old files. No old file is in two of them: of two new files, the one nearer
/// in size has it.
pub fn pairs<N: Copy + Ord, O: Copy + Ord>(
    new: &[Candidate<'_, N>],
    old: &[Candidate<'_, O>],
) -> Vec<(N, O)> {
    let mut groups: HashMap<FileKind<'_>, Vec<(u64, O)>> = HashMap::new();
    for old in old {
        groups.entry(kind(old.path)).or_default().push((old.size, old.id));
    }
    groups.values_mut().for_each(|group| group.sort_unstable());
    let mut found = Vec::new();
    for new in new {
        let Some(group) = groups.get(&kind(new.path)) else { continue };
        let middle = group.partition_point(|&(size, _)| size < new.size);
        let near = middle.saturating_sub(NEAREST)..(middle + NEAREST).min(group.len());
        for &(size, old) in &group[near] {
            let difference = size.abs_diff(new.size);
            if difference <= size.max(new.size) / SIZE_PART {
                found.push((difference, new.id, old));
            }
        }
    }
    found.sort_unstable();
    distinct(found)
}

/// The first pairs of each new and old file.
fn distinct<N: Copy + Ord, O: Copy + Ord>(found: Vec<(u64, N, O)>) -> Vec<(N, O)> {
    let (mut new_taken, mut old_taken) = (BTreeSet::new(), BTreeSet::new());
    let pairs = found.into_iter().map(|(_, new, old)| (new, old));
    pairs
        .filter(|(new, old)| {
            let are_free = !new_taken.contains(new) && !old_taken.contains(old);
            are_free && new_taken.insert(*new) && old_taken.insert(*old)
        })
        .collect()
}

fn kind(path: &RelPath) -> FileKind<'_> {
    let name = path.file_name();
    let dot = name.iter().rposition(|&byte| byte == b'.').unwrap_or(name.len());
    (path.parent(), &name[dot..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs_of(new: &[(&str, u64)], old: &[(&str, u64)]) -> Vec<(usize, usize)> {
        let paths = |files: &[(&str, u64)]| -> Vec<RelPath> {
            files.iter().map(|(path, _)| RelPath::new(path.as_bytes()).unwrap()).collect()
        };
        let (new_paths, old_paths) = (paths(new), paths(old));
        fn candidates<'p>(
            paths: &'p [RelPath],
            files: &[(&str, u64)],
        ) -> Vec<Candidate<'p, usize>> {
            let sized = paths.iter().zip(files).enumerate();
            sized.map(|(id, (path, &(_, size)))| Candidate { id, path, size }).collect()
        }
        pairs(&candidates(&new_paths, new), &candidates(&old_paths, old))
    }

    #[test]
    fn the_nearest_in_size_of_the_same_directory_and_extension() {
        let old = [("a/1.js", 1000), ("a/2.js", 1100), ("a/3.css", 1050), ("b/4.js", 1050)];
        assert_eq!(pairs_of(&[("a/x.js", 1070)], &old), [(0, 1)]);
        assert_eq!(pairs_of(&[("a/x.css", 1000), ("c/y.js", 1000)], &old), [(0, 2)]);
    }

    #[test]
    fn every_old_file_is_taken_once_by_the_nearest() {
        let old = [("1.js", 1000), ("2.js", 1200)];
        let new = [("x.js", 1020), ("y.js", 1001), ("z.js", 1010)];
        assert_eq!(pairs_of(&new, &old), [(1, 0), (0, 1)]);
    }

    #[test]
    fn other_sizes_are_no_pairs() {
        assert_eq!(pairs_of(&[("x.js", 1000)], &[("1.js", 700), ("2.js", 1400)]), []);
        assert_eq!(pairs_of(&[("x.js", 0)], &[("1.js", 0)]), [(0, 0)]);
        assert_eq!(pairs_of(&[("x", u64::MAX)], &[("y", u64::MAX - 1)]), [(0, 0)]);
    }
}
