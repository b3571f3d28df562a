//! Uploads content into the staging directory, and checks what arrived.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

use assetsync_core::digest::Digest;
use assetsync_core::entry::{CARRIED_MODE, Entry, Kind};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction, Plan};
use assetsync_core::protocol::FailureCode;
use assetsync_ssh::sftp::{Attributes, SftpError, SftpFile};
use assetsync_tree::OpenTree;

use super::host::{SftpHost, ignore_missing};
use super::names;
use super::publish_order::PublishOrder;
use super::staging_dir::StagingDir;
use crate::compare::content_match::SourceEntry;
use crate::converse::wire::Rate;
use crate::error::PushError;
use crate::event::Event;
use crate::scan::source::read_again;

/// How much of a file is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// How often a file that is not as planned is sent.
const TRIES: usize = 3;

/// Uploads all new content of a plan into a staging directory.
pub struct Uploader<'u, 'a> {
    remote: &'u mut SftpHost<'a>,
    stage: &'u StagingDir,
    tree: OpenTree,
    rate: Option<Rate>,
    buffer: Vec<u8>,
    /// Bytes of the plan's content that are uploaded, and in total.
    done: u64,
    total: u64,
    /// Bytes of content written, including files that had to be sent again.
    pub written: u64,
    /// Files that had to be sent again.
    pub retried: u64,
    /// Whether the server could not make every file durable.
    pub unsynced: bool,
}

impl<'u, 'a> Uploader<'u, 'a> {
    /// An uploader of files of `tree`.
    pub fn new(
        remote: &'u mut SftpHost<'a>,
        stage: &'u StagingDir,
        tree: OpenTree,
        bytes_per_second: Option<u64>,
    ) -> Uploader<'u, 'a> {
        Uploader {
            remote,
            stage,
            tree,
            rate: bytes_per_second.map(Rate::new),
            buffer: vec![0; READ_BYTES],
            done: 0,
            total: 0,
            written: 0,
            retried: 0,
            unsynced: false,
        }
    }

    /// Uploads files and creates links. Files that have changed since they were planned are planned
    /// again. Nothing outside the staging directory changes.
    pub fn run(&mut self, plan: &mut Plan, steps: &PublishOrder) -> Result<(), PushError> {
        self.total = upload_bytes(plan, steps);
        for &at in &steps.uploads {
            if let Some(action) = plan.actions.get_mut(at as usize) {
                self.upload(at, action)?;
            }
        }
        for &at in &steps.links {
            if let Some(Action { what: ActionKind::Symlink { target, .. }, .. }) =
                plan.actions.get(at as usize)
            {
                let made =
                    self.remote.session.symlink(target, &self.stage.path(&names::staged(at)));
                made.map_err(|error| self.remote.refused_write(&error, self.stage.dir(), 0))?;
            }
        }
        self.verify(plan, steps)
    }

    fn upload(&mut self, at: u32, action: &mut Action) -> Result<(), PushError> {
        let before = self.done;
        for attempt in 0..TRIES {
            let Action { path, what: ActionKind::File(file), .. } = &mut *action else {
                return Ok(());
            };
            if self.attempt(at, path, file)? {
                return Ok(());
            }
            self.done = before;
            ignore_missing(self.remote.session.remove(&self.stage.path(&names::staged(at))))
                .map_err(|error| self.remote.refused(&error))?;
            self.retried += u64::from(attempt == 0);
            self.remote.monitor.event(Event::Retrying { files: 1 });
            let planned = file.size;
            refresh(&mut self.tree, path, file, &mut self.buffer)
                .map_err(|source| changing(path, source))?;
            self.total = self.total - planned + file.size;
        }
        Err(changing(&action.path, io::Error::other("it is not what it was a moment before")))
    }

    /// Whether the file arrived as it was planned.
    fn attempt(&mut self, at: u32, path: &RelPath, file: &FileAction) -> Result<bool, PushError> {
        let Ok(source) = self.tree.open_file(path) else { return Ok(false) };
        let staged = self.stage.path(&names::staged(at));
        match self.send(&staged, source, file) {
            Ok(as_planned) => Ok(as_planned),
            Err(error) => Err(self.remote.refused_write(&error, self.stage.dir(), file.size)),
        }
    }

    fn send(&mut self, to: &[u8], source: File, file: &FileAction) -> Result<bool, SftpError> {
        let Self { remote, rate, buffer, done, total, written, unsynced, .. } = self;
        let monitor = remote.monitor;
        let mut pace = |count: usize| {
            if let Some(rate) = rate {
                rate.pace(count);
            }
            *done += count as u64;
            *written += count as u64;
            monitor.event(Event::Progress { done: *done, total: *total, sent: *written });
        };
        let mut staged = remote.session.create(to, 0o600, true)?;
        if !copy(source, file, &mut staged, buffer, &mut pace)? {
            return Ok(false);
        }
        staged.set_attributes(Some(file.mode & CARRIED_MODE), Some(names::seconds(file.mtime)))?;
        *unsynced |= !staged.sync()?;
        staged.close()?;
        Ok(true)
    }

    /// Compares the server's listing with what was sent: one request for all files.
    fn verify(&mut self, plan: &Plan, steps: &PublishOrder) -> Result<(), PushError> {
        if steps.uploads.is_empty() {
            return Ok(());
        }
        let listed = self.remote.session.read_dir(self.stage.dir());
        let listed = listed.map_err(|error| self.remote.refused(&error))?;
        let arrived: HashMap<_, _> =
            listed.into_iter().map(|entry| (entry.name, entry.attributes)).collect();
        for &at in &steps.uploads {
            let Some(action) = plan.actions.get(at as usize) else { continue };
            let arrived = arrived.get(&names::staged(at));
            let as_sent =
                action.file().zip(arrived).is_some_and(|(file, there)| matches(file, there));
            if !as_sent {
                self.stage.check_held(self.remote)?;
                let text = "the server does not have it as it was sent";
                return Err(self.remote.fail(FailureCode::Other, action.path.as_bytes(), text));
            }
        }
        Ok(())
    }
}

/// Bytes of content that a plan uploads.
pub fn upload_bytes(plan: &Plan, steps: &PublishOrder) -> u64 {
    let actions = steps.uploads.iter().filter_map(|&at| plan.actions.get(at as usize));
    actions.filter_map(Action::file).map(|file| file.size).sum()
}

/// Uploads a source file, up to its planned size. Returns whether it was as planned.
fn copy(
    mut source: File,
    file: &FileAction,
    staged: &mut SftpFile<'_>,
    buffer: &mut [u8],
    pace: &mut dyn FnMut(usize),
) -> Result<bool, SftpError> {
    let mut hasher = blake3::Hasher::new();
    let mut left = file.size;
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Ok(count @ 1..) = source.read(&mut buffer[..most]) else { return Ok(false) };
        hasher.update(&buffer[..count]);
        pace(count);
        staged.write_all(&buffer[..count])?;
        left -= count as u64;
    }
    let ended = matches!(source.read(&mut [0]), Ok(0));
    Ok(ended && file.digest == Some(Digest(*hasher.finalize().as_bytes())))
}

/// Plans a file as it is now.
fn refresh(
    tree: &mut OpenTree,
    path: &RelPath,
    file: &mut FileAction,
    buffer: &mut [u8],
) -> io::Result<()> {
    let (kind, mode, mtime) = (Kind::File { size: file.size }, file.mode, file.mtime);
    let entry = Entry { path: path.clone(), kind, mode, mtime };
    let mut now = SourceEntry { entry, digest: None };
    read_again(tree, &mut now, buffer)?;
    file.size = now.entry.file_size().ok_or(io::ErrorKind::InvalidInput)?;
    (file.mode, file.mtime) = (now.entry.mode, names::carried(now.entry.mtime));
    file.digest = now.digest;
    Ok(())
}

fn changing(path: &RelPath, source: io::Error) -> PushError {
    PushError::Changing { path: path.to_string(), source }
}

/// Whether an uploaded file has the planned size, mode and mtime.
fn matches(file: &FileAction, there: &Attributes) -> bool {
    let bits = there.mode.map(|mode| mode & 0o7777);
    let same = |said: Option<u32>, sent| said.is_none_or(|said| said == sent);
    there.size == Some(file.size)
        && same(bits, file.mode & CARRIED_MODE)
        && same(there.mtime, names::seconds(file.mtime))
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Mtime;
    use assetsync_core::recipe::Recipe;

    use super::*;

    #[test]
    fn what_arrived_is_measured() {
        let mtime = Mtime { secs: 9, nanos: 5 };
        let (digest, recipe) = (Some(Digest::of(b"abc")), Recipe::Whole);
        let file = FileAction { size: 3, mode: 0o644, mtime, digest, recipe, entry_point: false };
        let there = |size, mode, mtime| Attributes { size, mode, mtime, owner: None };
        let rows = [
            (there(Some(3), Some(0o100644), Some(9)), true),
            (there(Some(3), None, None), true),
            (there(None, Some(0o100644), Some(9)), false),
            (there(Some(2), Some(0o100644), Some(9)), false),
            (there(Some(3), Some(0o100600), Some(9)), false),
            (there(Some(3), Some(0o100644), Some(8)), false),
        ];
        for (attributes, expected) in rows {
            assert_eq!(matches(&file, &attributes), expected, "{attributes:?}");
        }
    }

    #[test]
    fn a_changed_file_is_planned_again() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "abcd").unwrap();
        let mut tree = OpenTree::new(File::open(dir.path()).unwrap().into());
        let (mtime, recipe) = (Mtime::default(), Recipe::Whole);
        let mut file =
            FileAction { size: 3, mode: 0o600, mtime, digest: None, recipe, entry_point: true };
        let path = RelPath::new(b"a").unwrap();
        refresh(&mut tree, &path, &mut file, &mut [0; 16]).unwrap();
        assert_eq!((file.size, file.digest), (4, Some(Digest::of(b"abcd"))));
        assert!(file.mtime.secs > 0 && file.mtime.nanos == 0);
    }
}
