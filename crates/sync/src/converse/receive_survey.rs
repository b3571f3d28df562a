//! Receives the survey of a destination: its state, and the records of deploys there.

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::ToSender;
use assetsync_core::state::{RemoteEntry, State};

use super::session::Session;
use super::survey::{CachedSurvey, Survey};
use crate::error::PushError;
use crate::event::Event;

impl Session<'_> {
    /// Receives the state of the destination, in full or as differences from the `known` one.
    pub fn survey(&mut self, known: CachedSurvey) -> Result<Survey, PushError> {
        let mut hearing = SurveyReceiver {
            survey: Survey::default(),
            bytes: 0,
            cached: CachedEntries::new(known.entries),
            history: known.history,
            is_history_known: false,
            is_deploy: self.is_deploy(),
        };
        while !hearing.on_message(self.receive()?)? {}
        let survey = hearing.survey;
        self.set_survey(survey.statistics, &survey.state.partials);
        let (paths, partials) = (survey.state.entries.len(), survey.state.partials.len());
        let (paths, partials) = (paths as u64, partials as u64);
        self.monitor().event(Event::Surveyed { paths, partials });
        Ok(survey)
    }
}

/// A survey while it is received.
struct SurveyReceiver {
    survey: Survey,
    /// Heap memory of the entries, in bytes.
    bytes: usize,
    cached: CachedEntries,
    /// The cached history.
    history: Vec<u8>,
    is_history_known: bool,
    is_deploy: bool,
}

impl SurveyReceiver {
    /// Processes the next message. Returns `true` if it was the last.
    fn on_message(&mut self, message: ToSender<'_>) -> Result<bool, PushError> {
        match message {
            ToSender::Entry(entry) => self.add(entry)?,
            ToSender::Unchanged { count } => {
                for entry in self.cached.next(count)? {
                    self.add(entry)?;
                }
            }
            ToSender::Removed { count } => drop(self.cached.next(count)?),
            ToSender::Partial(partial) => self.survey.state.partials.push(partial),
            ToSender::StateEnd(statistics) => {
                self.cached.end()?;
                self.survey.statistics = statistics;
                return Ok(true);
            }
            ToSender::HistoryPath(path) if self.is_deploy => {
                self.survey.history_path = assetsync_core::text::name(path);
            }
            ToSender::HistoryKnown if self.is_deploy => self.history_known()?,
            ToSender::HistoryChunk(piece) if self.is_deploy => self.history_piece(piece)?,
            ToSender::Held(holder) if self.is_deploy => {
                self.survey.lock_holder = Some(assetsync_core::text::line(holder));
            }
            ToSender::Retained(retained_contents) if self.is_deploy => {
                if self.survey.retained_contents.len() == limits::RETAINED_CONTENTS {
                    return Err(PushError::Protocol("too many retained contents".into()));
                }
                self.survey.retained_contents.push(retained_contents);
            }
            other => return Err(PushError::unexpected(&other)),
        }
        let state = &self.survey.state;
        let items = (state.entries.len() + state.partials.len()) as u64;
        if items > limits::ENTRIES || self.bytes > limits::STATE_BYTES {
            return Err(PushError::Protocol("too many paths".into()));
        }
        Ok(false)
    }

    fn add(&mut self, entry: RemoteEntry) -> Result<(), PushError> {
        check_order(&self.survey.state, &entry.entry.path)?;
        self.bytes += entry_bytes(&entry.entry);
        self.survey.state.entries.push(entry);
        Ok(())
    }

    fn history_known(&mut self) -> Result<(), PushError> {
        if self.history.is_empty() || self.is_history_known || !self.survey.history.is_empty() {
            return Err(PushError::Protocol("it knows a history that nobody named".into()));
        }
        self.is_history_known = true;
        self.survey.history = std::mem::take(&mut self.history);
        Ok(())
    }

    fn history_piece(&mut self, piece: &[u8]) -> Result<(), PushError> {
        if piece.is_empty() || self.is_history_known {
            return Err(PushError::Protocol("a piece of no history".into()));
        }
        if (self.survey.history.len() + piece.len()) as u64 > limits::HISTORY_BYTES {
            return Err(PushError::Protocol("too long a history".into()));
        }
        self.survey.history.extend_from_slice(piece);
        Ok(())
    }
}

/// Cached entries that the agent has neither confirmed nor removed.
struct CachedEntries {
    rest: std::vec::IntoIter<RemoteEntry>,
    is_used: bool,
}

impl CachedEntries {
    fn new(entries: Vec<RemoteEntry>) -> CachedEntries {
        CachedEntries { rest: entries.into_iter(), is_used: false }
    }

    /// The next `count` entries.
    fn next(&mut self, count: u32) -> Result<Vec<RemoteEntry>, PushError> {
        self.is_used = true;
        let count = count as usize;
        if count == 0 || count > self.rest.len() {
            return Err(PushError::Protocol("it remembers another state".into()));
        }
        Ok(self.rest.by_ref().take(count).collect())
    }

    /// Checks that an agent that sends differences has accounted for every entry.
    fn end(&mut self) -> Result<(), PushError> {
        if self.is_used && self.rest.len() > 0 {
            return Err(PushError::Protocol("part of the state is missing".into()));
        }
        Ok(())
    }
}

/// Heap memory of an entry, in bytes.
fn entry_bytes(entry: &Entry) -> usize {
    let target = if let Kind::Symlink { target } = &entry.kind { target.len() } else { 0 };
    entry.path.as_bytes().len() + target
}

fn check_order(state: &State, path: &RelPath) -> Result<(), PushError> {
    match state.entries.last() {
        Some(last) if last.entry.path >= *path => {
            Err(PushError::Protocol(format!("{path} is out of order")))
        }
        _ => Ok(()),
    }
}
