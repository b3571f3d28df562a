//! Proves, before anything is staged, that a plan can be published: every directory whose entries
//! it changes and every entry that it replaces is looked at. What a rename from the work directory
//! does not reach gets a staging area of its own; what can't be done at all is refused.

pub mod facts;
pub mod refusal;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::recipe::Recipe;
use assetsync_tree::{OpenTree, is_no_dir};
use rustix::fs::{Access, AtFlags, Mode, OFlags, accessat, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::{Uid, geteuid};

pub use self::facts::is_mount_point_at;
use self::facts::{Facts, Reach, facts, mount_path, must_be_tried};
use self::refusal::{Reason, Refusal};
use super::actions::Actions;
use super::areas::Areas;
use crate::work::inherited::Inherited;

/// Most paths that are named.
const NAMED: usize = 10;

/// Returns what can't be published, at most ten paths; makes the areas that are needed. If
/// the destination is published as a whole (`is_whole`), what its directories give to files does
/// not count.
pub fn refusals(
    plan: &mut dyn Actions,
    tree: &mut OpenTree,
    areas: &mut Areas<'_>,
    is_whole: bool,
) -> io::Result<Vec<Refusal>> {
    // An area may be above a directory that was looked at before, and is in another region.
    loop {
        let count = areas.count();
        let refused = Proof::new(tree, areas, is_whole)?.run(plan)?;
        if !refused.is_empty() || areas.count() == count {
            return Ok(refused);
        }
    }
}

/// A directory whose entries the plan changes.
struct ProvenDir {
    path: Option<RelPath>,
    /// `None` if it does not exist yet, or is refused.
    facts: Option<Facts>,
    /// Whether there is an area from which entries can be renamed into it.
    has_area: bool,
}

/// Directories between which staged files can be renamed, and have what they get in each.
#[derive(PartialEq, Eq)]
struct Region {
    reach: Reach,
    inherited: Option<Inherited>,
}

impl Region {
    fn of(dir: BorrowedFd<'_>, is_whole: bool) -> io::Result<Region> {
        let inherited = if is_whole { None } else { Some(Inherited::of(dir)?) };
        Ok(Region { reach: facts(dir, b"")?.reach, inherited })
    }
}

struct Proof<'a, 'w> {
    tree: &'a mut OpenTree,
    areas: &'a mut Areas<'w>,
    is_whole: bool,
    me: Uid,
    /// That of the work directory's area.
    region: Region,
    /// Those of the other areas, by their roots.
    regions: BTreeMap<Option<RelPath>, Region>,
    /// The directory of the last action.
    dir: Option<ProvenDir>,
    /// The last directory that is replaced by something else.
    replaced: Option<RelPath>,
    /// The last directory that is replaced or deleted: no area may be in its way.
    going: Option<RelPath>,
    refused: Vec<Refusal>,
}

impl<'a, 'w> Proof<'a, 'w> {
    fn new(
        tree: &'a mut OpenTree,
        areas: &'a mut Areas<'w>,
        is_whole: bool,
    ) -> io::Result<Proof<'a, 'w>> {
        let mut regions = BTreeMap::new();
        for root in areas.roots() {
            regions.insert(root.clone(), Region::of(tree.dir(root.as_ref())?, is_whole)?);
        }
        let region = Region::of(areas.stage(), is_whole)?;
        let (me, refused) = (geteuid(), Vec::new());
        let (dir, replaced, going) = (None, None, None);
        Ok(Proof { tree, areas, is_whole, me, region, regions, dir, replaced, going, refused })
    }

    fn run(mut self, plan: &mut dyn Actions) -> io::Result<Vec<Refusal>> {
        for position in plan.indices() {
            let Some(action) = plan.action(position)? else { break };
            let existing = action.known.map(|known| plan.existing(known)).transpose()?.flatten();
            self.action(&action, existing.map(|entry| entry.kind).as_ref())?;
            if self.refused.len() >= NAMED {
                break;
            }
        }
        Ok(self.refused)
    }

    fn action(&mut self, action: &Action, existing: Option<&Kind>) -> io::Result<()> {
        let path = &action.path;
        if is_in_place(action, existing) {
            return self.in_place(path, existing == Some(&Kind::Dir));
        }
        let is_going = self.going.as_ref().is_some_and(|dir| path.starts_with(dir));
        let needs_area = !is_going && action.what != ActionKind::Prune;
        let Some(dir) = self.dir_of(path, needs_area)? else { return Ok(()) };
        if existing.is_some() {
            self.entry(action, dir)?;
        }
        if existing == Some(&Kind::Dir) && !is_delete(action) {
            self.replaced = Some(path.clone());
        }
        Ok(())
    }

    fn refuse(&mut self, path: Option<&RelPath>, reach: Reach, reason: Reason) {
        let path = path.map_or_else(|| "the destination itself".into(), ToString::to_string);
        self.refused.push(Refusal { path, mount: mount_path(reach), reason });
    }

    /// Checks a file or directory whose permission bits or time are set. A push is not
    /// refused because the bits of another user's directory can't be set.
    fn in_place(&mut self, path: &RelPath, is_dir: bool) -> io::Result<()> {
        let parent = match self.tree.parent(path) {
            Ok(parent) => parent,
            Err(error) if is_no_dir(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let name = path.file_name();
        let Some(found) = existing(facts(parent, name))? else { return Ok(()) };
        let is_others = !self.me.is_root() && found.owner != self.me.as_raw();
        let reason = match attribute(&found) {
            None if is_others && !is_dir => Some(Reason::NotOwner { owner: found.owner }),
            None => {
                let access = accessat(parent, name, Access::WRITE_OK, AtFlags::EACCESS);
                (access == Err(Errno::ROFS)).then_some(Reason::ReadOnly)
            }
            reason => reason,
        };
        if let Some(reason) = reason {
            self.refuse(Some(path), found.reach, reason);
        }
        Ok(())
    }

    /// Checks an entry that is replaced, moved or deleted in `dir`.
    fn entry(&mut self, action: &Action, dir: Facts) -> io::Result<()> {
        let path = &action.path;
        let parent = self.tree.parent(path)?;
        let Some(found) = existing(facts(parent, path.file_name()))? else { return Ok(()) };
        let is_protected = dir.mode & 0o1000 != 0 && !self.me.is_root();
        let mine = [dir.owner, found.owner].contains(&self.me.as_raw());
        let is_replaced = self.replaced.as_ref().is_some_and(|dir| path.starts_with(dir));
        let reason = match attribute(&found) {
            Some(reason) => Some(reason),
            // Alone, it stays with a notice.
            None if found.mount_point => {
                self.going = None;
                (is_replaced || !is_delete(action)).then_some(Reason::MountPoint)
            }
            None => (is_protected && !mine).then_some(Reason::Sticky { owner: found.owner }),
        };
        if let Some(reason) = reason {
            self.refuse(Some(path), found.reach, reason);
        } else if found.is_dir() && !found.mount_point {
            self.going = Some(path.clone());
        }
        Ok(())
    }

    /// The directory of `path`, once it is known to be writable and, if that is needed, to have an
    /// area; `None` if it is not there yet, or refused.
    fn dir_of(&mut self, path: &RelPath, needs_area: bool) -> io::Result<Option<Facts>> {
        let dir = path.parent();
        if self.dir.as_ref().is_none_or(|last| last.path != dir) {
            let facts = self.check_dir(dir.as_ref())?;
            self.dir = Some(ProvenDir { path: dir.clone(), facts, has_area: false });
        }
        let Some(ProvenDir { facts: Some(found), has_area, .. }) = &mut self.dir else {
            return Ok(None);
        };
        let found = *found;
        if needs_area
            && !std::mem::replace(has_area, true)
            && let Err(error) = self.place(dir.as_ref())
        {
            self.refuse(dir.as_ref(), found.reach, Reason::Unreachable(error));
        }
        Ok(Some(found))
    }

    fn check_dir(&mut self, dir: Option<&RelPath>) -> io::Result<Option<Facts>> {
        let fd = match self.tree.dir(dir) {
            Ok(fd) => fd,
            Err(error) if is_no_dir(&error) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.refuse(dir, Reach::default(), Reason::Unreachable(error));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let found = facts(fd, b"")?;
        let reason = match attribute(&found) {
            None => writable(fd, &found, self.me)?,
            reason => reason,
        };
        if let Some(reason) = reason {
            self.refuse(dir, found.reach, reason);
            return Ok(None);
        }
        Ok(Some(found))
    }

    /// Makes sure that there is an area from which entries can be renamed into `dir`.
    fn place(&mut self, dir: Option<&RelPath>) -> io::Result<()> {
        let root = self.areas.root_of(dir).cloned();
        let of_area = root.and_then(|root| self.regions.get(&root)).unwrap_or(&self.region);
        let region = Region::of(self.tree.dir(dir)?, self.is_whole)?;
        if *of_area != region {
            let top = self.top(dir, &region)?;
            // The top may not be writable, even if this directory is.
            return self.add(top.as_ref()).or_else(|_| self.add(dir));
        }
        if must_be_tried(self.tree.dir(dir)?) && !self.try_rename(dir)? {
            return self.add(dir);
        }
        Ok(())
    }

    fn add(&mut self, root: Option<&RelPath>) -> io::Result<()> {
        self.areas.add(self.tree, root.cloned())?;
        let region = Region::of(self.tree.dir(root)?, self.is_whole)?;
        self.regions.insert(root.cloned(), region);
        Ok(())
    }

    /// The topmost directory above `dir` that is in the same region.
    fn top(&mut self, dir: Option<&RelPath>, region: &Region) -> io::Result<Option<RelPath>> {
        let mut top = dir.cloned();
        while let Some(below) = &top {
            let above = below.parent();
            if Region::of(self.tree.dir(above.as_ref())?, self.is_whole)? != *region {
                break;
            }
            top = above;
        }
        Ok(top)
    }

    /// Tries to rename a file into a directory and back; `false` if it is out of reach.
    fn try_rename(&mut self, dir: Option<&RelPath>) -> io::Result<bool> {
        let name = self.areas.trial(dir)?;
        let area = self.areas.area(self.tree, dir)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        drop(openat(area, &name, flags, Mode::RUSR | Mode::WUSR)?);
        let into = self.tree.dir(dir)?;
        let there = renameat(area, &name, into, &name);
        let back = there.and_then(|()| renameat(into, &name, area, &name));
        for at in [area, into] {
            let _ = unlinkat(at, &name, AtFlags::empty());
        }
        match back {
            Ok(()) => Ok(true),
            Err(Errno::XDEV) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether an action sets permission bits or times of what is there, and nothing else.
fn is_in_place(action: &Action, existing: Option<&Kind>) -> bool {
    match &action.what {
        ActionKind::File(file) => matches!(file.recipe, Recipe::Touch | Recipe::Keep),
        ActionKind::Dir { .. } => existing == Some(&Kind::Dir),
        _ => false,
    }
}

fn is_delete(action: &Action) -> bool {
    matches!(action.what, ActionKind::Delete | ActionKind::Prune)
}

fn existing(found: io::Result<Facts>) -> io::Result<Option<Facts>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_no_dir(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn attribute(found: &Facts) -> Option<Reason> {
    match (found.immutable, found.append_only) {
        (true, _) => Some(Reason::Immutable),
        (_, true) => Some(Reason::AppendOnly),
        _ => None,
    }
}

/// Why the entries of a directory can't be changed.
fn writable(dir: BorrowedFd<'_>, found: &Facts, me: Uid) -> io::Result<Option<Reason>> {
    match accessat(dir, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(None),
        // The owner can change the permission bits.
        Err(Errno::ACCESS) if found.owner == me.as_raw() => Ok(None),
        Err(Errno::ACCESS | Errno::PERM) => Ok(Some(Reason::DirNotWritable { owner: found.owner })),
        Err(Errno::ROFS) => Ok(Some(Reason::ReadOnly)),
        Err(error) => Err(error.into()),
    }
}
