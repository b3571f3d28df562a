//! Surveys the destination: compares it with the index and reports its state to the sender.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use assetsync_core::digest::Digest;
use assetsync_core::entry::Mtime;
use assetsync_core::limits;
use assetsync_core::protocol::{Deploy, ToSender};
use assetsync_core::state::{RetainedContent, StateId};
use assetsync_core::work_names::CLOCK;
use assetsync_tree::open_file;

use super::agent_statistics;
use super::answer_queries::Learned;
use super::state_report::StateReport;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::retained::requests;
use crate::spool::Spool;
use crate::staging::staging_area::PartialFile;
use crate::survey::index::IndexReader;
use crate::survey::index_entry::IndexEntry;
use crate::survey::scan::{ScannedEntry, look, scan};
use crate::work::file_names::FileNames;
use crate::work::sharing::create_file;
use crate::work::work_dir::WorkDir;

/// The result of a survey.
pub struct Survey {
    /// All index entries of the destination.
    pub index_entries: Spool<IndexEntry>,
    /// The partials.
    pub partials: Vec<PartialFile>,
    /// Number of files that were read.
    pub files_read: u64,
    /// Whether saving the index again would improve it, or some file's digest is unknown.
    pub index_is_stale: bool,
    /// The state id, if the state is that of the index.
    pub state: Option<StateId>,
    /// The retained contents, if the push is part of a deploy.
    pub retained_contents: Vec<RetainedContent>,
    /// Digests that answering queries took.
    pub learned: Learned,
}

/// The inputs of a survey.
pub struct SurveyOptions<'a> {
    /// The directory for spools.
    pub spool_dir: &'a Path,
    /// The work directory, if there is one.
    pub work: Option<BorrowedFd<'a>>,
    /// Whether a push has completed to the destination.
    pub pushed_before: bool,
    /// A directory on the destination's file system, to measure its free space.
    pub free_space_dir: Option<BorrowedFd<'a>>,
    /// Read every file, even if the index has it.
    pub checksum: bool,
    /// The file system's clock before the survey; `None` in a dry run, as reading it takes writing
    /// a file.
    pub clock: Option<Mtime>,
    /// The state that the sender has cached.
    pub cached: Option<StateId>,
    /// The additions of a deploy.
    pub deploy: Option<DeploySurvey<'a>>,
    /// If files are pushed and not a directory: their names. Nothing else is looked at.
    pub names: Option<&'a FileNames>,
}

/// The additions of a deploy to the survey.
pub struct DeploySurvey<'a> {
    /// The sender's request.
    pub deploy: Deploy,
    /// The work directory's path, for messages.
    pub work_path: &'a Path,
    /// In a dry run: who has locked the destination, if anybody has.
    pub holder: Option<&'a str>,
    /// Whether the user may publish here.
    pub writable: bool,
}

impl SurveyOptions<'_> {
    /// Scans `root` (`None` if the destination does not exist) and reports its state.
    pub fn survey(
        &self,
        root: Option<BorrowedFd<'_>>,
        partials: Vec<PartialFile>,
        conversation: &mut Conversation,
    ) -> Result<Survey, AgentError> {
        let index_entries = Spool::new(self.spool_dir);
        let mut survey = Survey {
            index_entries,
            partials,
            files_read: 0,
            index_is_stale: false,
            state: None,
            retained_contents: Vec::new(),
            learned: Learned::new(),
        };
        match (root, self.names) {
            (Some(root), Some(names)) => self.look_at(root, names, &mut survey, conversation)?,
            (Some(root), None) => self.scan(root, &mut survey, conversation)?,
            (None, _) => {}
        }
        for partial in &survey.partials {
            conversation.send(&ToSender::Partial(partial.partial()))?;
        }
        let mut statistics = agent_statistics::read(self.free_space_dir, survey.files_read);
        if let Some(deploy) = &self.deploy {
            let work = self.work.map(|work| (work, deploy.work_path));
            survey.retained_contents = requests::send_retained(deploy.deploy, work, conversation)?;
            if let Some(holder) = deploy.holder {
                conversation.send(&ToSender::Held(holder.as_bytes()))?;
            }
            (statistics.clock_secs, statistics.writable) =
                (agent_statistics::clock_secs(), deploy.writable);
            statistics.unfinished = requests::is_unfinished(work)?;
        }
        statistics.index_is_stale = survey.index_is_stale;
        statistics.state = survey.state;
        statistics.pushed_before = self.pushed_before;
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
        let mut report = StateReport::new(conversation, state.is_some() && state == self.cached);
        let mut reader = self.content_reader(state.is_some());
        let mut broken = None;
        let scanned = scan(root, self.clock.is_some(), &mut |found| {
            let (passed, indexed) = match &mut index {
                Some(index) => index.take(&found.entry.path),
                None => (0, None),
            };
            let index_entry = reader.index_entry(found, indexed.as_ref());
            survey.index_entries.push(&index_entry)?;
            if u64::from(survey.index_entries.len()) > limits::ENTRIES {
                return Err(std::io::Error::other(format!("more than {} paths", limits::ENTRIES)));
            }
            let sent = report.removed(passed);
            sent.and_then(|()| report.found(&index_entry, indexed.as_ref())).map_err(|error| {
                broken = Some(error);
                std::io::Error::other("the sender is gone")
            })
        });
        (survey.files_read, survey.index_is_stale) = (reader.files_read, reader.index_is_stale);
        if let Some(error) = broken {
            return Err(error);
        }
        scanned?;
        report.removed(index.map_or(0, IndexReader::rest))?;
        report.flush_pending()?;
        survey.state = state.filter(|_| report.as_indexed);
        Ok(())
    }
}

impl<'a> SurveyOptions<'a> {
    /// Looks at the named files alone, and reports those that exist. The index has no part in it.
    fn look_at(
        &self,
        root: BorrowedFd<'_>,
        names: &FileNames,
        survey: &mut Survey,
        conversation: &mut Conversation,
    ) -> Result<(), AgentError> {
        let mut reader = self.content_reader(false);
        for name in names.here() {
            let Some(found) = look(root, name)? else { continue };
            let index_entry = reader.index_entry(found, None);
            survey.index_entries.push(&index_entry).map_err(AgentError::WorkFiles)?;
            let mut remote = index_entry.remote();
            remote.entry.path = names.to_sender(name);
            conversation.send(&ToSender::Entry(remote))?;
        }
        survey.files_read = reader.files_read;
        Ok(())
    }

    fn content_reader(&'a self, has_index: bool) -> ContentReader<'a> {
        let buffer = vec![0; 64 * 1024];
        ContentReader { options: self, has_index, buffer, files_read: 0, index_is_stale: false }
    }
}

/// Finds the digests of scanned files: in the index, or by reading.
struct ContentReader<'a> {
    options: &'a SurveyOptions<'a>,
    has_index: bool,
    buffer: Vec<u8>,
    files_read: u64,
    index_is_stale: bool,
}

impl ContentReader<'_> {
    /// The index entry of a scanned path. Its digest is that of the index if the file has not
    /// changed. Else the file is read if this destination has an index at all, or if all files are
    /// to be read. Without an index the sender asks about the files that may equal its own; no
    /// others are read.
    fn index_entry(&mut self, found: ScannedEntry<'_>, indexed: Option<&IndexEntry>) -> IndexEntry {
        let version = found.file_metadata.version;
        let indexed = indexed.filter(|indexed| indexed.is(&found.entry, version));
        let (entry, kept) = (found.entry, None);
        let mut new = IndexEntry { entry, kept, version, digest: None, settled: false };
        if let Some(indexed) = indexed {
            new.asked((indexed.entry.mode, indexed.entry.mtime));
        }
        let is_file = new.entry.file_size().is_some();
        let unchanged = indexed.filter(|indexed| indexed.settled);
        let known = unchanged.and_then(|indexed| indexed.digest);
        if let (Some(digest), false) = (known, self.options.checksum) {
            (new.digest, new.settled) = (Some(digest), true);
            return new;
        }
        new.settled = self.options.clock.is_some_and(|now| is_settled(version.ctime, now));
        if is_file && (self.has_index || self.options.checksum) {
            self.index_is_stale = true;
            self.files_read += 1;
            // An unreadable file has no digest; if it has to be replaced, renaming over it works.
            let read = open_file(found.parent, new.entry.path.file_name())
                .and_then(|file| Digest::of_reader(file, &mut self.buffer));
            new.digest = read.ok().map(|(digest, _)| digest);
        }
        self.index_is_stale |= is_file && new.digest.is_none();
        new
    }
}

/// The age, by the file system's clock, from which every change of a version shows in its ctime.
///
/// Kernels use the time of the last timer tick, at most 10 ms ago; file systems without fractions
/// of a second need two seconds.
fn margin(ctime: Mtime) -> Duration {
    if ctime.nanos == 0 { Duration::from_secs(2) } else { Duration::from_millis(12) }
}

/// Whether a version is so old at `now` that any later one differs from it.
pub fn is_settled(ctime: Mtime, now: Mtime) -> bool {
    let nanos = |time: Mtime| i128::from(time.secs) * 1_000_000_000 + i128::from(time.nanos);
    nanos(ctime) + (margin(ctime).as_nanos() as i128) < nanos(now)
}

/// The file system's clock, once all changes until `done`, a time of that clock, are settled;
/// without waiting if that would take seconds.
pub fn settled_since(work: &WorkDir, done: Mtime) -> std::io::Result<Mtime> {
    let mut now = file_system_now(work)?;
    while done.nanos != 0 && !is_settled(done, now) {
        std::thread::sleep(Duration::from_millis(2));
        now = file_system_now(work)?;
    }
    Ok(now)
}

/// The file system's clock: the ctime of a file written now.
pub fn file_system_now(work: &WorkDir) -> std::io::Result<Mtime> {
    let mut file = create_file(work.dir(), CLOCK)?;
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
