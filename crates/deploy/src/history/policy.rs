//! Which deploys are kept.

use super::clock::{self, Clocks};
use super::deploys::History;
use super::tree::Tree;

/// The retention of files that are not wanted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// How many different deploys are kept whatever their age, the live one counted; 0 means 1. A
    /// deploy with the same content as the one before it is not a different one.
    pub keep: u32,
    /// For how many seconds a deploy is kept after it was live. Files stay until neither this nor
    /// `keep` protects them.
    pub max_age: u64,
    /// The treatment of old files.
    pub delete: Delete,
    /// The treatment of unmanaged files: those that no deploy put there.
    pub unmanaged: UnmanagedFiles,
}

/// The treatment of old files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delete {
    /// They stay while a kept deploy used them.
    #[default]
    Retain,
    /// Everything that is not wanted is deleted, as by `rsync --delete`.
    Mirror,
}

/// The treatment of unmanaged files: those that no deploy put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnmanagedFiles {
    /// They stay.
    #[default]
    Leave,
    /// They are deleted.
    Remove,
}

/// The oldest deploy that is kept once `wanted` is live; the number of deploys if none of them is.
pub(super) fn first_kept(
    history: &History,
    wanted: &Tree,
    policy: &RetentionPolicy,
    now: Clocks,
) -> usize {
    let ages = clock::ages(history, now);
    let young = ages.partition_point(|age| *age >= policy.max_age);
    young.min(first_of_newest(history, wanted, policy.keep.max(1)))
}

/// The first of the newest `keep` different deploys, of which `wanted` is one.
fn first_of_newest(history: &History, wanted: &Tree, keep: u32) -> usize {
    let count = history.deploys().len();
    let mut differs = history.differs_from_previous();
    differs.push(history.live().is_some_and(|live| !same_content(&history.tree(live), wanted)));
    let begins = (0..=count).rev().filter(|&deploy| deploy == 0 || differs[deploy]);
    begins.take(keep as usize).last().unwrap_or(count)
}

/// Whether two trees differ in nothing but times and permissions.
pub(super) fn same_content(one: &Tree, other: &Tree) -> bool {
    let contents = |tree| Tree::files(tree).iter().map(|file| (&file.path, &file.content));
    contents(one).eq(contents(other))
}
