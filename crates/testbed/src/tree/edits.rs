//! Random edits of a tree, as between two pushes.

use fastrand::Rng;

use super::names::{link_target, name};
use super::random_files::{DIR_MODES, FILE_MODES, file, time};
use super::value::{Entry, Tree, is_within};

/// A random edit of a tree; it changes nothing if the tree lacks what it edits.
pub(super) type Edit = fn(&mut Rng, &mut Tree);

/// Everything that can happen and that size and time give away; what happens often is in it twice.
pub(super) const EDITS: [Edit; 22] = [
    edit_middle,
    append,
    prepend,
    truncate,
    rename,
    copy,
    delete,
    add_file,
    add_dir,
    add_link,
    become_file,
    become_full_dir,
    become_empty_dir,
    become_link,
    retarget,
    chmod,
    touch,
    touch_nanoseconds,
    swap,
    rename,
    edit_middle,
    add_file,
];

/// A path that is not taken: in the root, or in one of the directories.
pub(super) fn free_path(rng: &mut Rng, tree: &Tree) -> Vec<u8> {
    let dirs = paths(tree, |entry| matches!(entry, Entry::Dir { .. }));
    loop {
        let name = name(rng);
        let dir = if rng.bool() { rng.choice(&dirs) } else { None };
        let path = dir.map_or(name.clone(), |dir| [dir, &b"/"[..], &name].concat());
        if tree.get(&path).is_none() && path.len() < 2_000 {
            return path;
        }
    }
}

/// Changes content and keeps size and time, so that only reading the file shows the change.
pub(super) fn hide(rng: &mut Rng, tree: &mut Tree) {
    with_file(rng, tree, |rng, bytes, _, _| {
        if let Some(byte) = rng.choice(bytes) {
            *byte ^= 0x20;
        }
    });
}

pub(super) fn add_file(rng: &mut Rng, tree: &mut Tree) {
    let (path, entry) = (free_path(rng, tree), file(rng));
    tree.insert(&path, entry);
}

pub(super) fn add_dir(rng: &mut Rng, tree: &mut Tree) {
    let path = free_path(rng, tree);
    tree.insert(&path, Entry::Dir { mode: DIR_MODES[rng.usize(..DIR_MODES.len())] });
}

pub(super) fn add_link(rng: &mut Rng, tree: &mut Tree) {
    let path = free_path(rng, tree);
    tree.insert(&path, Entry::Symlink { target: link_target(rng) });
}

pub(super) fn copy(rng: &mut Rng, tree: &mut Tree) {
    let files = paths(tree, |entry| matches!(entry, Entry::File { .. }));
    let Some(entry) = rng.choice(&files).and_then(|path| tree.get(path)).cloned() else { return };
    let path = free_path(rng, tree);
    tree.insert(&path, entry);
}

fn edit_middle(rng: &mut Rng, tree: &mut Tree) {
    with_content(rng, tree, |rng, bytes| {
        let start = rng.usize(..=bytes.len());
        let end = rng.usize(start..=bytes.len().min(start + 100));
        let new: Vec<u8> = (0..rng.usize(..100)).map(|_| rng.u8(..)).collect();
        bytes.splice(start..end, new);
    });
}

fn append(rng: &mut Rng, tree: &mut Tree) {
    with_content(rng, tree, |rng, bytes| bytes.extend((0..rng.usize(1..500)).map(|_| rng.u8(..))));
}

fn prepend(rng: &mut Rng, tree: &mut Tree) {
    with_content(rng, tree, |rng, bytes| {
        let new: Vec<u8> = (0..rng.usize(1..500)).map(|_| rng.u8(..)).collect();
        bytes.splice(..0, new);
    });
}

fn truncate(rng: &mut Rng, tree: &mut Tree) {
    with_content(rng, tree, |rng, bytes| bytes.truncate(rng.usize(..=bytes.len())));
}

fn chmod(rng: &mut Rng, tree: &mut Tree) {
    let Some(path) = any_path(rng, tree) else { return };
    match tree.get_mut(&path) {
        Some(Entry::File { mode, .. }) => *mode = FILE_MODES[rng.usize(..FILE_MODES.len())],
        Some(Entry::Dir { mode }) => *mode = DIR_MODES[rng.usize(..DIR_MODES.len())],
        _ => {}
    }
}

fn touch(rng: &mut Rng, tree: &mut Tree) {
    with_file(rng, tree, |rng, _, _, mtime| *mtime = time(rng));
}

fn touch_nanoseconds(rng: &mut Rng, tree: &mut Tree) {
    with_file(rng, tree, |rng, _, _, mtime| mtime.1 = rng.u32(..1_000_000_000));
}

fn retarget(rng: &mut Rng, tree: &mut Tree) {
    let links = paths(tree, |entry| matches!(entry, Entry::Symlink { .. }));
    if let Some(path) = rng.choice(&links) {
        tree.insert(path, Entry::Symlink { target: link_target(rng) });
    }
}

fn delete(rng: &mut Rng, tree: &mut Tree) {
    if let Some(path) = any_path(rng, tree) {
        tree.remove(&path);
    }
}

fn rename(rng: &mut Rng, tree: &mut Tree) {
    let (Some(from), to) = (any_path(rng, tree), free_path(rng, tree)) else { return };
    if !is_within(&to, &from) {
        tree.rename(&from, &to);
    }
}

/// Two files trade places.
fn swap(rng: &mut Rng, tree: &mut Tree) {
    let files = paths(tree, |entry| matches!(entry, Entry::File { .. }));
    let (Some(a), Some(b)) = (rng.choice(&files), rng.choice(&files)) else { return };
    if let (Some(one), Some(other)) = (tree.get(a).cloned(), tree.get(b).cloned()) {
        tree.insert(a, other);
        tree.insert(b, one);
    }
}

fn become_file(rng: &mut Rng, tree: &mut Tree) {
    let entry = file(rng);
    replace(rng, tree, entry);
}

fn become_link(rng: &mut Rng, tree: &mut Tree) {
    let entry = Entry::Symlink { target: link_target(rng) };
    replace(rng, tree, entry);
}

fn become_empty_dir(rng: &mut Rng, tree: &mut Tree) {
    replace(rng, tree, Entry::Dir { mode: 0o755 });
}

fn become_full_dir(rng: &mut Rng, tree: &mut Tree) {
    let (Some(path), entry) = (any_path(rng, tree), file(rng)) else { return };
    tree.insert(&[&path, &b"/"[..], &name(rng)].concat(), entry);
}

/// Puts `entry` in place of anything, with all below it.
fn replace(rng: &mut Rng, tree: &mut Tree, entry: Entry) {
    if let Some(path) = any_path(rng, tree) {
        tree.remove(&path);
        tree.insert(&path, entry);
    }
}

/// Changes the content of a file, and its time.
fn with_content(rng: &mut Rng, tree: &mut Tree, change: fn(&mut Rng, &mut Vec<u8>)) {
    with_file(rng, tree, |rng, bytes, _, mtime| {
        change(rng, bytes);
        *mtime = time(rng);
    });
}

/// Changes a file.
fn with_file(
    rng: &mut Rng,
    tree: &mut Tree,
    change: impl FnOnce(&mut Rng, &mut Vec<u8>, &mut u32, &mut (i64, u32)),
) {
    let files = paths(tree, |entry| matches!(entry, Entry::File { .. }));
    let path = rng.choice(&files);
    if let Some(Entry::File { bytes, mode, mtime }) = path.and_then(|path| tree.get_mut(path)) {
        change(rng, bytes, mode, mtime);
    }
}

fn any_path(rng: &mut Rng, tree: &Tree) -> Option<Vec<u8>> {
    rng.choice(paths(tree, |_| true))
}

fn paths(tree: &Tree, wanted: impl Fn(&Entry) -> bool) -> Vec<Vec<u8>> {
    tree.iter().filter(|(_, entry)| wanted(entry)).map(|(path, _)| path.to_vec()).collect()
}
