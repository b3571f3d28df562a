//! Surveys the destination: scans it against the index and tells the sender what is there.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use assetsync_core::digest::Digest;
use assetsync_core::entry::Mtime;
use assetsync_core::limits;
use assetsync_core::protocol::{Deploy, ToSender};
use assetsync_core::state::{RetainedContent, StateId};
use assetsync_tree::open_file;

use super::agent_statistics;
use super::answer_queries::Learned;
use super::state_report::StateReport;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::retained::requests;
use crate::spool::Spool;
use crate::staging::staging_area::{PartialFile, StagingArea};
use crate::survey::index::IndexReader;
use crate::survey::index_entry::IndexEntry;
use crate::survey::scan::{ScannedEntry, scan};
use crate::work::work_dir::{WorkDir, was_pushed};

/// What the agent found.
pub struct Survey {
    /// Every path at the destination.
    pub records: Spool<IndexEntry>,
    /// What an interrupted push left.
    pub partials: Vec<PartialFile>,
    /// Files that were read.
    pub files_read: u64,
    /// The index on disk does not say all that is known now, or some file's digest is not known.
    pub index_is_stale: bool,
    /// The id of what was found, where the index knows it.
    pub state: Option<StateId>,
    /// What is set aside, if the push is part of a deploy.
    pub retained_contents: Vec<RetainedContent>,
    /// Digests that answers to the sender's questions took.
    pub learned: Learned,
}

/// How a survey is made.
pub struct SurveyOptions<'a> {
    /// Where the lists may overflow to.
    pub spool_dir: &'a Path,
    /// The work directory, if there is one.
    pub work: Option<BorrowedFd<'a>>,
    /// A directory on the destination's file system, to measure the room there.
    pub room: Option<BorrowedFd<'a>>,
    /// Read every file, whatever the index says.
    pub checksum: bool,
    /// The file system's clock before the survey; `None` where nothing may be written to read it.
    pub clock: Option<Mtime>,
    /// What the sender remembers.
    pub cached: Option<StateId>,
    /// What is told besides, if the push is part of a deploy.
    pub deploy: Option<DeploySurvey<'a>>,
}

/// What is told if the push is part of a deploy.
pub struct DeploySurvey<'a> {
    /// What the sender wants.
    pub wish: Deploy,
    /// The work directory's path, for messages.
    pub work: &'a Path,
    /// The user may publish here.
    pub writable: bool,
}

impl SurveyOptions<'_> {
    /// Scans `root` (nothing, if the destination is not there yet), telling the sender along the way.
    pub fn survey(
        &self,
        root: Option<BorrowedFd<'_>>,
        partials: Vec<PartialFile>,
        conversation: &mut Conversation,
    ) -> Result<Survey, AgentError> {
        let records = Spool::new(self.spool_dir);
        let mut survey = Survey {
            records,
            partials,
            files_read: 0,
            index_is_stale: false,
            state: None,
            retained_contents: Vec::new(),
            learned: Learned::new(),
        };
        if let Some(root) = root {
            self.scan(root, &mut survey, conversation)?;
        }
        for partial in &survey.partials {
            conversation.send(&ToSender::Partial(partial.partial()))?;
        }
        let mut statistics = agent_statistics::read(self.room, survey.files_read);
        if let Some(deploy) = &self.deploy {
            let work = self.work.map(|work| (work, deploy.work));
            survey.retained_contents = requests::send_retained(deploy.wish, work, conversation)?;
            (statistics.clock_secs, statistics.writable) =
                (agent_statistics::clock_secs(), deploy.writable);
        }
        statistics.index_is_stale = survey.index_is_stale;
        statistics.state = survey.state;
        statistics.pushed_before = self.work.is_some_and(was_pushed);
        conversation.send(&ToSender::StateEnd(statistics))?;
        conversation.flush()?;
        Ok(survey)
    }

    fn scan(
        &self,
        root: BorrowedFd<'_>,
        survey: &mut Survey,
        conversation: &mut Conversation,
    ) -> Result<(), AgentError> {
        let mut index = self.work.and_then(IndexReader::open);
        let state = index.as_ref().map(|index| index.state);
        let mut telling = StateReport::new(conversation, state.is_some() && state == self.cached);
        let mut buffer = vec![0; 64 * 1024];
        let mut broken = None;
        let scanned = scan(root, &mut |found| {
            let (passed, indexed) = match &mut index {
                Some(index) => index.take(&found.entry.path),
                None => (0, None),
            };
            let has_index = state.is_some();
            let record = self.record(found, indexed.as_ref(), has_index, survey, &mut buffer)?;
            survey.records.push(&record)?;
            if u64::from(survey.records.len()) > limits::ENTRIES {
                return Err(std::io::Error::other(format!("more than {} paths", limits::ENTRIES)));
            }
            let told = telling.dropped(passed);
            told.and_then(|()| telling.found(&record, indexed.as_ref())).map_err(|error| {
                broken = Some(error);
                std::io::Error::other("the sender is gone")
            })
        });
        if let Some(error) = broken {
            return Err(error);
        }
        scanned?;
        telling.dropped(index.map_or(0, IndexReader::rest))?;
        telling.flush_pending()?;
        survey.state = state.filter(|_| telling.as_indexed);
        Ok(())
    }

    /// What is known of a path: its digest from the index where that still holds. Else it is read, if this
    /// destination has an index at all, or reading was asked for; where nothing was ever pushed, the sender asks
    /// about the files that can be the same as its own, and no others are read.
    fn record(
        &self,
        found: ScannedEntry<'_>,
        indexed: Option<&IndexEntry>,
        has_index: bool,
        survey: &mut Survey,
        buffer: &mut [u8],
    ) -> std::io::Result<IndexEntry> {
        let version = found.file_metadata.version;
        let mut record = IndexEntry { entry: found.entry, version, digest: None, settled: false };
        let size = record.entry.file_size();
        let sure = indexed.filter(|indexed| indexed.settled && indexed.same_version(&record));
        let known = sure.and_then(|known| known.digest);
        if let (Some(digest), false) = (known, self.checksum) {
            (record.digest, record.settled) = (Some(digest), true);
            return Ok(record);
        }
        record.settled = self.clock.is_some_and(|now| is_settled(version.ctime, now));
        if size.is_some() && (has_index || self.checksum) {
            survey.index_is_stale = true;
            survey.files_read += 1;
            // One that can't be read stays unknown; if it has to be replaced, renaming will do.
            let read = open_file(found.parent, record.entry.path.file_name())
                .and_then(|file| Digest::of_reader(file, buffer));
            record.digest = read.ok().map(|(digest, _)| digest);
        }
        survey.index_is_stale |= size.is_some() && record.digest.is_none();
        Ok(record)
    }
}

/// Leftovers of interrupted pushes, where there is a work directory.
pub fn partials(stage: Option<&StagingArea<'_>>) -> Result<Vec<PartialFile>, AgentError> {
    stage.map_or(Ok(Vec::new()), |stage| stage.partials().map_err(AgentError::WorkFiles))
}

/// How old a version must be, by the file system's own clock, before any change is sure to show in its ctime.
///
/// Systems stamp files with the time of the last timer tick, at most 10 ms ago; file systems without fractions of
/// a second need two whole ones.
fn margin(ctime: Mtime) -> Duration {
    if ctime.nanos == 0 { Duration::from_secs(2) } else { Duration::from_millis(12) }
}

/// Whether a version is old enough at `now` to be told from any later one.
pub fn is_settled(ctime: Mtime, now: Mtime) -> bool {
    let nanos = |time: Mtime| i128::from(time.secs) * 1_000_000_000 + i128::from(time.nanos);
    nanos(ctime) + (margin(ctime).as_nanos() as i128) < nanos(now)
}

/// The file system's clock, once everything done until now is settled; where that would take seconds, at once.
pub fn settled_now(work: &WorkDir) -> std::io::Result<Mtime> {
    let done = file_system_now(work)?;
    let mut now = done;
    while done.nanos != 0 && !is_settled(done, now) {
        std::thread::sleep(Duration::from_millis(2));
        now = file_system_now(work)?;
    }
    Ok(now)
}

/// The file system's clock: the ctime of a file written just now.
pub fn file_system_now(work: &WorkDir) -> std::io::Result<Mtime> {
    use rustix::fs::{Mode, OFlags, openat};
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file =
        std::fs::File::from(openat(work.dir(), "clock", flags, Mode::RUSR | Mode::WUSR)?);
    std::io::Write::write_all(&mut file, b"now")?;
    Ok(assetsync_tree::metadata_of_open(file.as_fd())?.version.ctime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn young_versions_are_not_settled() {
        let at = |secs, nanos| Mtime { secs, nanos };
        assert!(!is_settled(at(10, 5), at(10, 5)));
        assert!(!is_settled(at(10, 5), at(10, 12_000_005)));
        assert!(is_settled(at(10, 5), at(10, 12_000_006)));
        assert!(!is_settled(at(10, 0), at(11, 900_000_000)));
        assert!(is_settled(at(10, 0), at(12, 1)));
        assert!(!is_settled(at(20, 5), at(10, 5)));
    }
}
