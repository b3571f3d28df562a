//! Uploads content into the staging directory, and checks what arrived.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};

use assetsync_core::digest::Digest;
use assetsync_core::entry::{CARRIED_MODE, Entry, Kind};
use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction, Plan};
use assetsync_core::protocol::FailureCode;
use assetsync_ssh::sftp::{Change, Upload};

use super::host::{self, SftpHost};
use super::kept_attributes::{KeptAttributes, Wanted};
use super::names;
use super::publish_order::PublishOrder;
use super::staging_dir::StagingDir;
use crate::compare::content_match::SourceEntry;
use crate::converse::wire::Rate;
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::scan::source::read_again;
use crate::scan::source_tree::SourceTree;

/// How much of a file is read at a time to hash it again, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// How often a file that is not as planned is sent.
const TRIES: usize = 3;

/// Uploads all new content of a plan into a staging directory.
pub struct Uploader<'u, 'a> {
    remote: &'u mut SftpHost<'a>,
    stage: &'u StagingDir,
    tree: SourceTree,
    progress: RefCell<Progress<'a>>,
    /// Files that had to be sent again.
    pub retried: u64,
    /// Whether the server could not make every file durable.
    pub unsynced: bool,
}

/// How much is uploaded.
struct Progress<'a> {
    monitor: &'a dyn Monitor,
    rate: Option<Rate>,
    /// Bytes of the plan's content that are uploaded, and in total.
    done: u64,
    total: u64,
    /// Bytes of content written, including files that had to be sent again.
    written: u64,
}

impl Progress<'_> {
    fn sent(&mut self, count: usize) {
        if let Some(rate) = &mut self.rate {
            rate.pace(count);
        }
        self.done += count as u64;
        self.written += count as u64;
        let Progress { done, total, written: sent, .. } = *self;
        // A request under way counts as arrived: at most a window of them is.
        let (acknowledged, expected) = (sent, sent + total.saturating_sub(done));
        self.monitor.event(Event::Progress { done, total, sent, acknowledged, expected });
    }
}

impl<'u, 'a> Uploader<'u, 'a> {
    /// An uploader of files of `tree`.
    pub fn new(
        remote: &'u mut SftpHost<'a>,
        stage: &'u StagingDir,
        tree: SourceTree,
        bytes_per_second: Option<u64>,
    ) -> Uploader<'u, 'a> {
        let (monitor, rate) = (remote.monitor, bytes_per_second.map(Rate::new));
        let progress = Progress { monitor, rate, done: 0, total: 0, written: 0 };
        let (retried, unsynced) = (0, false);
        Uploader { remote, stage, tree, progress: progress.into(), retried, unsynced }
    }

    /// Bytes of content written, including files that had to be sent again.
    pub fn written(&self) -> u64 {
        self.progress.borrow().written
    }

    /// Creates links and uploads files, which must be as they were read. Nothing outside the
    /// staging directory changes. Modes and times that the server does not set as it is asked to
    /// are added to `kept`.
    pub fn run(
        &mut self,
        plan: &mut Plan,
        steps: &PublishOrder,
        kept: &mut KeptAttributes,
    ) -> Result<(), PushError> {
        self.progress.get_mut().total = upload_bytes(plan, steps);
        self.make_links(plan, steps)?;
        let mut pending = steps.uploads.clone();
        for attempt in 0..TRIES {
            pending = self.send(plan, &pending, attempt == 0)?;
            if pending.is_empty() {
                return self.verify(plan, steps, kept);
            }
            if attempt == 0 {
                self.retried = pending.len() as u64;
            }
            self.remote.monitor.event(Event::Retrying { files: pending.len() as u64 });
            self.check_unchanged(plan, &pending)?;
        }
        let changed = pending.first().and_then(|&at| at.of(&plan.actions));
        let path = changed.map_or_else(String::new, |action| action.path.to_string());
        let source = io::Error::other("it was changed during the push");
        Err(PushError::Changing { path, source })
    }

    fn make_links(&mut self, plan: &Plan, steps: &PublishOrder) -> Result<(), PushError> {
        let (mut links, mut paths) = (Vec::new(), Vec::new());
        for &at in &steps.links {
            if let Some(Action { path, what: ActionKind::Symlink { target, .. }, .. }) =
                at.of(&plan.actions)
            {
                let (target, at) = (target.clone(), self.stage.path(&names::staged(at)));
                links.push(Change::Symlink { target, path: at });
                paths.push(path);
            }
        }
        let made = self.remote.session.change_all(&links);
        let made = made.map_err(|error| self.remote.refused(&error))?;
        for (path, made) in paths.into_iter().zip(made) {
            match made {
                Err(error) if host::is_refusal(&error) => {
                    let text = format!(
                        "the server makes no symbolic link here ({}); exclude it, or put a file in \
                         its place; nothing was changed",
                        error.detail
                    );
                    return Err(self.remote.fail(FailureCode::Other, path.as_bytes(), &text));
                }
                made => made.map_err(|error| self.remote.refused(&error))?,
            }
        }
        Ok(())
    }

    /// Uploads these files; returns those that are not as planned any more.
    fn send(
        &mut self,
        plan: &Plan,
        which: &[ActionIndex],
        exclusive: bool,
    ) -> Result<Vec<ActionIndex>, PushError> {
        let Self { remote, stage, tree, progress, unsynced, .. } = self;
        let progress = &*progress;
        let files = which.iter().filter_map(|&at| {
            let action = at.of(&plan.actions)?;
            let file = action.file()?;
            let content = Content::new(at, file, tree.open_file(&action.path).ok(), progress);
            let (path, mtime) = (stage.path(&names::staged(at)), names::seconds(file.mtime));
            Some(Upload { path, mode: file.mode & CARRIED_MODE, mtime, exclusive, content })
        });
        let (mut changed, mut refused) = (Vec::new(), None);
        let sent = remote.session.upload_all(files, |uploaded| {
            let content = uploaded.content;
            *unsynced |= !uploaded.synced;
            match uploaded.written {
                Ok(()) if content.is_as_planned() => {}
                Ok(()) => {
                    progress.borrow_mut().done -= content.sent;
                    changed.push(content.at);
                }
                Err(error) => drop(refused.get_or_insert((error, content.size))),
            }
        });
        sent.map_err(|error| remote.refused(&error))?;
        match refused {
            None => Ok(changed),
            Some((error, size)) => Err(remote.refused_write(&error, stage.dir(), size)),
        }
    }

    /// Fails unless files are as they were read: all destinations get one source.
    fn check_unchanged(&mut self, plan: &Plan, which: &[ActionIndex]) -> Result<(), PushError> {
        let mut buffer = vec![0; READ_BYTES];
        for &at in which {
            let Some(Action { path, what: ActionKind::File(file), .. }) = at.of(&plan.actions)
            else {
                continue;
            };
            check_unchanged(&mut self.tree, path, file, &mut buffer)
                .map_err(|source| PushError::Changing { path: path.to_string(), source })?;
        }
        Ok(())
    }

    /// Compares what the server has with what was sent. Where modes or times are not as they were
    /// sent, they are set once more, by path.
    fn verify(
        &mut self,
        plan: &Plan,
        steps: &PublishOrder,
        kept: &mut KeptAttributes,
    ) -> Result<(), PushError> {
        let wanted = steps.uploads.iter().filter_map(|&at| {
            let action = at.of(&plan.actions)?;
            let file = action.file()?;
            let staged = self.stage.path(&names::staged(at));
            Some((file.size, wanted(&action.path, file, staged)))
        });
        let wanted: Vec<(u64, Wanted)> = wanted.collect();
        let paths: Vec<&[u8]> = wanted.iter().map(|(_, wanted)| &wanted.at[..]).collect();
        let looked = self.remote.session.lstat_all(&paths);
        let looked = looked.map_err(|error| self.remote.refused(&error))?;
        let mut unmet = Vec::new();
        for ((size, wanted), there) in wanted.into_iter().zip(looked) {
            let Some(there) = there.ok().filter(|there| there.size == Some(size)) else {
                self.stage.check_held(self.remote)?;
                let text = "the server does not have it as it was sent";
                return Err(self.remote.fail(FailureCode::Other, wanted.path.as_bytes(), text));
            };
            if !wanted.is_met(&there) {
                unmet.push(wanted);
            }
        }
        kept.set(self.remote, &unmet).map_err(|error| self.remote.refused(&error))
    }
}

/// What a file, now at `at`, shall have.
pub fn wanted(path: &RelPath, file: &FileAction, at: Vec<u8>) -> Wanted {
    let (mode, mtime) = (file.mode & CARRIED_MODE, Some(names::seconds(file.mtime)));
    Wanted { path: path.clone(), at, mode, mtime }
}

/// Bytes of content that a plan uploads.
pub fn upload_bytes(plan: &Plan, steps: &PublishOrder) -> u64 {
    let actions = steps.uploads.iter().filter_map(|&at| at.of(&plan.actions));
    actions.filter_map(Action::file).map(|file| file.size).sum()
}

/// The content of a source file, up to its planned size.
struct Content<'c, 'a> {
    at: ActionIndex,
    size: u64,
    digest: Option<Digest>,
    /// None once it is read, or if it could not be opened.
    file: Option<File>,
    hasher: blake3::Hasher,
    sent: u64,
    /// Whether it ended where it was planned to.
    ended: bool,
    progress: &'c RefCell<Progress<'a>>,
}

impl<'c, 'a> Content<'c, 'a> {
    fn new(
        at: ActionIndex,
        planned: &FileAction,
        file: Option<File>,
        progress: &'c RefCell<Progress<'a>>,
    ) -> Content<'c, 'a> {
        let FileAction { size, digest, .. } = *planned;
        let (hasher, sent, ended) = (blake3::Hasher::new(), 0, false);
        Content { at, size, digest, file, hasher, sent, ended, progress }
    }

    fn is_as_planned(&self) -> bool {
        self.ended && self.digest == Some(Digest(*self.hasher.finalize().as_bytes()))
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let left = usize::try_from(self.size - self.sent).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let count = file.read(&mut buffer[..most])?;
        if count == 0 {
            self.ended = left == 0 && matches!(file.read(&mut [0]), Ok(0));
            self.file = None;
            return Ok(0);
        }
        self.hasher.update(&buffer[..count]);
        self.sent += count as u64;
        self.progress.borrow_mut().sent(count);
        Ok(count)
    }
}

/// Fails unless a file is as it was read.
fn check_unchanged(
    tree: &mut SourceTree,
    path: &RelPath,
    file: &FileAction,
    buffer: &mut [u8],
) -> io::Result<()> {
    let (kind, mode, mtime) = (Kind::File { size: file.size }, file.mode, file.mtime);
    let entry = Entry { path: path.clone(), kind, mode, mtime };
    let mut now = SourceEntry { entry, digest: None };
    read_again(tree, &mut now, buffer)?;
    match (now.entry.file_size(), now.digest) == (Some(file.size), file.digest) {
        true => Ok(()),
        false => Err(io::Error::other("it is not as it was when the source was read")),
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Mtime;
    use assetsync_core::plan::PublishRank;
    use assetsync_core::recipe::Recipe;
    use assetsync_tree::Symlinks;

    use super::*;
    use crate::scan::source_tree::SourceRoot;

    #[test]
    fn a_changed_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "abcd").unwrap();
        let root = SourceRoot::Dir(File::open(dir.path()).unwrap().into());
        let mut tree = SourceTree::of(&root, Symlinks::Refuse).unwrap();
        let (mtime, recipe) = (Mtime::default(), Recipe::Whole);
        let rank = PublishRank::Naming;
        let digest = Some(Digest::of(b"abcd"));
        let file = FileAction { size: 4, mode: 0o600, mtime, digest, recipe, rank };
        let path = RelPath::new(b"a").unwrap();
        check_unchanged(&mut tree, &path, &file, &mut [0; 16]).unwrap();
        std::fs::write(dir.path().join("a"), "abce").unwrap();
        assert!(check_unchanged(&mut tree, &path, &file, &mut [0; 16]).is_err());
    }
}
