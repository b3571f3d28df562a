//! Deletes what shall go.

use assetsync_core::plan::Action;
use assetsync_ssh::sftp::{Change, SftpError, SftpErrorKind};

use super::Publisher;
use crate::error::PushError;
use crate::sftp::host::ignore_missing;
use crate::sftp::publish_order::{Delete, PublishOrder};

impl Publisher<'_, '_> {
    /// Deletes everything that shall go; what can't be deleted does not keep the rest.
    pub(super) fn delete_all(&mut self, steps: &PublishOrder) -> Result<(), PushError> {
        let mut refused = Vec::new();
        for level in &steps.deletes {
            let removes: Vec<Change> =
                level.iter().filter_map(|step| self.remove_of(*step)).collect();
            let done = self.remote.session.change_all(&removes);
            let done = done.map_err(|error| self.live(&error))?;
            for (step, done) in level.iter().zip(done) {
                match ignore_missing(done) {
                    Ok(()) => {}
                    Err(error) if step.is_dir && self.stays(*step, &error) => {}
                    Err(error) => refused.push(error),
                }
            }
        }
        match (refused.first(), refused.len()) {
            (None, _) => Ok(()),
            (Some(error), 1) => Err(self.live(error)),
            (Some(error), count) => {
                let error = SftpError {
                    detail: format!("{} (of {count} such paths)", error.detail),
                    ..error.clone()
                };
                Err(self.live(&error))
            }
        }
    }

    fn remove_of(&self, step: Delete) -> Option<Change> {
        let path = self.at(&self.action(step.at)?.path);
        Some(match step.is_dir {
            true => Change::Rmdir { path },
            false => Change::Remove { path },
        })
    }

    /// Whether a directory stays because another process created something there meanwhile, or a
    /// filter protects it.
    fn stays(&mut self, step: Delete, error: &SftpError) -> bool {
        let Some(Action { path, .. }) = self.action(step.at) else { return false };
        let stays = error.kind == SftpErrorKind::Failure && self.has_content(&self.at(path));
        if stays {
            self.remote.notice(&format!("{path} is not empty and stays"));
        }
        stays
    }

    fn has_content(&mut self, path: &[u8]) -> bool {
        self.remote.session.read_dir(path).is_ok_and(|listed| !listed.is_empty())
    }
}
