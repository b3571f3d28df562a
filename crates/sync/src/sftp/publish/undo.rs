//! Takes back what was published when a later step fails.

use assetsync_ssh::sftp::{Change, SftpError};

use crate::sftp::host::{SftpHost, ignore_missing};

/// Most paths that are named.
const NAMED: usize = 10;

/// What undoes the changes that were made so far.
#[derive(Debug, Default)]
pub struct Undo {
    /// The changes of one group do not depend on each other. The last group is made first.
    groups: Vec<Vec<Change>>,
    /// Paths whose old content is gone.
    replaced: Vec<Vec<u8>>,
}

impl Undo {
    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.groups.iter().all(Vec::is_empty)
    }

    /// Adds changes that do not depend on each other.
    pub fn add(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.groups.push(changes.into_iter().collect());
    }

    /// Adds a path that can't be put back.
    pub fn lose(&mut self, path: Vec<u8>) {
        self.replaced.push(path);
    }

    /// Undoes everything. Returns the paths that are not as they were, with the reasons. Fails if
    /// the connection does.
    pub fn run(self, remote: &mut SftpHost<'_>) -> Result<Vec<String>, SftpError> {
        let name = |path: &[u8]| assetsync_core::text::name(path).to_string();
        let mut stuck: Vec<String> = self.replaced.iter().map(|path| name(path)).collect();
        for group in self.groups.iter().rev() {
            let done = remote.session.change_all(group)?;
            for (change, done) in group.iter().zip(done) {
                if let Err(error) = ignore_missing(done)
                    // A server that sets no modes and times has not changed them before either.
                    && !matches!(change, Change::SetAttributes { .. })
                {
                    stuck.push(error.to_string());
                }
            }
        }
        if stuck.len() > NAMED {
            let more = stuck.split_off(NAMED).len();
            stuck.push(format!("and {more} more"));
        }
        Ok(stuck)
    }
}
