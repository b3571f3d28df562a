//! A push over SFTP whose files are uploaded.

use assetsync_core::state::State;

use super::cache::Remembered;
use super::host::SftpHost;
use super::kept_attributes::KeptAttributes;
use super::staging_dir::StagingDir;
use crate::error::PushError;
use crate::push::report::Report;

/// A push whose files are uploaded, and maybe published.
pub struct Uploaded<'a> {
    pub remote: SftpHost<'a>,
    pub cached: Remembered<'a>,
    /// Modes and times that the server has instead of the source's.
    pub kept: KeptAttributes,
    /// The destination before the push.
    pub state: State,
    /// The report, which has the plan.
    pub report: Report,
    /// The destination, and where the uploads are; none if there is nothing to do.
    pub staged: Option<(Vec<u8>, StagingDir)>,
    /// Whether it is recorded there that the push has completed.
    pub marks: bool,
    pub dry_run: bool,
}

impl Uploaded<'_> {
    /// Keeps the connection alive, and notices that it is lost, or that another push took over.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        match &self.staged {
            Some((_, stage)) => stage.check_held(&mut self.remote),
            None => Ok(()),
        }
    }

    /// Ends the connection.
    pub fn end(mut self) -> Report {
        let round_trips = self.remote.session.round_trips();
        self.report.round_trips = u32::try_from(round_trips).unwrap_or(u32::MAX);
        // Everything is done and answered, so errors of closing the session do not matter.
        let _ = self.remote.session.finish();
        self.report
    }
}
