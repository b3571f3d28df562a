//! Modes and times that a server keeps instead of those that it was asked to set: it may refuse to
//! set them, or its file system may keep them less exactly.

use std::collections::BTreeMap;

use assetsync_core::entry::Entry;
use assetsync_core::path::RelPath;
use assetsync_ssh::sftp::{Attributes, Change, SftpError};

use super::host::{self, SftpHost};

/// What a path has instead of what was asked for.
#[derive(Debug, Default)]
pub struct KeptAttributes(BTreeMap<RelPath, Attributes>);

/// The mode and time that a path shall have.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The path in the destination.
    pub path: RelPath,
    /// Where it is on the server now.
    pub at: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Modification time in seconds since 1970; none for a directory.
    pub mtime: Option<u32>,
}

impl Wanted {
    /// Whether a path with these attributes has what is wanted, as far as the server says. What
    /// makes the files of a directory belong to its group is not the source's.
    pub fn is_met(&self, there: &Attributes) -> bool {
        let bits = if self.mtime.is_some() { 0o7777 } else { 0o777 };
        there.mode.is_none_or(|mode| mode & bits == self.mode)
            && (self.mtime.is_none() || there.mtime.is_none() || there.mtime == self.mtime)
    }

    /// The request to set it on a path that has these attributes.
    fn change(&self, there: Option<&Attributes>) -> Change {
        let group_bit = there.and_then(|there| there.mode).map_or(0, |mode| mode & 0o2000);
        let group_bit = if self.mtime.is_none() { group_bit } else { 0 };
        let (path, mode) = (self.at.clone(), Some(self.mode | group_bit));
        Change::SetAttributes { path, mode, mtime: self.mtime }
    }
}

impl KeptAttributes {
    /// What a path has instead of what was asked for.
    pub fn of(&self, path: &RelPath) -> Option<&Attributes> {
        self.0.get(path)
    }

    /// Adds a path that still has something else than what was asked for.
    pub fn insert(&mut self, there: &Entry) {
        let mtime = u32::try_from(there.mtime.secs).ok();
        let attributes = Attributes { mode: Some(there.mode), mtime, ..Attributes::default() };
        self.0.insert(there.path.clone(), attributes);
    }

    /// Sets what is wanted, and remembers where the server has something else after that. Missing
    /// paths are an error, refusals are none.
    pub fn set(&mut self, remote: &mut SftpHost<'_>, wanted: &[Wanted]) -> Result<(), SftpError> {
        let changes: Vec<Change> = wanted.iter().map(|wanted| wanted.change(None)).collect();
        self.apply(remote, &changes, wanted)
    }

    /// As [`KeptAttributes::set`], for directories. Most have what is wanted already.
    pub fn set_dirs(
        &mut self,
        remote: &mut SftpHost<'_>,
        mut wanted: Vec<Wanted>,
    ) -> Result<(), SftpError> {
        let looked = look(remote, &wanted)?;
        let mut looked = looked.into_iter();
        let mut changes = Vec::new();
        wanted.retain(|wanted| {
            let there = looked.next();
            let is_met = there.as_ref().is_some_and(|there| wanted.is_met(there));
            if !is_met {
                changes.push(wanted.change(there.as_ref()));
            }
            !is_met
        });
        self.apply(remote, &changes, &wanted)
    }

    fn apply(
        &mut self,
        remote: &mut SftpHost<'_>,
        changes: &[Change],
        wanted: &[Wanted],
    ) -> Result<(), SftpError> {
        for done in remote.session.change_all(changes)? {
            match done {
                Err(error) if host::is_refusal(&error) => {}
                done => done?,
            }
        }
        for (wanted, there) in wanted.iter().zip(look(remote, wanted)?) {
            self.0.remove(&wanted.path);
            if !wanted.is_met(&there) {
                self.0.insert(wanted.path.clone(), there);
            }
        }
        Ok(())
    }

    /// The user's warning, if there is anything to warn about.
    pub fn warning(&self) -> Option<String> {
        let (path, there) = self.0.iter().next()?;
        let bits =
            there.mode.map_or(String::new(), |mode| format!(" with mode {:04o}", mode & 0o7777));
        let more = match self.0.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "The server does not set modes and times as it is asked to: {path}{bits}{more}; the \
             contents are right, but check that the web server can read them"
        ))
    }
}

fn look(remote: &mut SftpHost<'_>, wanted: &[Wanted]) -> Result<Vec<Attributes>, SftpError> {
    let paths: Vec<&[u8]> = wanted.iter().map(|wanted| &wanted.at[..]).collect();
    remote.session.lstat_all(&paths)?.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(mode: u32, mtime: Option<u32>) -> Wanted {
        Wanted { path: RelPath::new(b"a").unwrap(), at: b"/a".to_vec(), mode, mtime }
    }

    #[test]
    fn modes_and_times_are_compared_as_far_as_the_server_says() {
        let there = |mode, mtime| Attributes { mode, mtime, ..Attributes::default() };
        let file = wanted(0o644, Some(9));
        assert!(file.is_met(&there(Some(0o100644), Some(9))));
        assert!(file.is_met(&there(None, None)));
        assert!(!file.is_met(&there(Some(0o100600), Some(9))));
        assert!(!file.is_met(&there(Some(0o100644), Some(8))));
        let dir = wanted(0o755, None);
        assert!(dir.is_met(&there(Some(0o042755), Some(1))));
        assert!(!dir.is_met(&there(Some(0o042700), Some(1))));
        let expected =
            Change::SetAttributes { path: b"/a".to_vec(), mode: Some(0o2755), mtime: None };
        assert_eq!(dir.change(Some(&there(Some(0o042700), None))), expected);
    }
}
