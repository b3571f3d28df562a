//! What a deploy decides once it knows a destination: what is deleted and when, and what is kept there besides.

use std::collections::HashMap;
use std::error::Error;

use assetsync_core::digest::Digest;
use assetsync_core::limits;
use assetsync_core::path::RelPath;

use crate::compare::content_match::SourceEntry;
use crate::converse::receive_survey::Survey;
use crate::error::PushError;

/// Decides, once a destination is surveyed, what goes and what is kept there.
pub trait Decide: Sync {
    /// Decides what becomes of what stands at the destination when `wanted`, in tree order, is published there. An
    /// error ends the push before anything is planned; its text is shown as it is.
    fn decide(
        &self,
        survey: &Survey,
        wanted: &[SourceEntry],
    ) -> Result<Decision, Box<dyn Error + Send + Sync>>;
}

/// What was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is deleted.
    pub deletes: Deletes,
    /// Files of which the content is kept before they are replaced or deleted, each with the digest it is expected to
    /// have; one that has another is not kept. At most [`limits::RETAINED_CONTENTS`].
    pub to_retain: Vec<(RelPath, Digest)>,
    /// Contents set aside before that go at pruning; those that are not there are gone already.
    pub retained_to_drop: Vec<Digest>,
    /// What becomes of the history; without it it stays as it is.
    pub history: Option<HistoryEdit>,
}

/// What is deleted. What a filter protects never is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Deletes {
    /// Nothing.
    #[default]
    None,
    /// All that the source does not have, when the rest is published.
    Extraneous,
    /// These paths, as far as they stand and the source does not have them.
    Listed(Vec<(RelPath, DeleteAt)>),
}

/// When something is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteAt {
    /// When all else is in place.
    Publishing,
    /// When the destination is told to prune.
    Pruning,
}

/// A new history, made from the old one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryEdit {
    /// How many bytes of the old one stay, from its beginning.
    pub keep: u64,
    /// What follows them. Both together are at most [`limits::HISTORY_BYTES`].
    pub append: Vec<u8>,
}

impl Deletes {
    /// Puts paths into tree order; the planner looks them up.
    pub(crate) fn sort(&mut self) {
        if let Deletes::Listed(these) = self {
            these.sort_by(|a, b| a.0.cmp(&b.0));
        }
    }

    /// When something the source does not have is deleted, if it is.
    pub(crate) fn when(&self, path: &RelPath) -> Option<DeleteAt> {
        match self {
            Deletes::None => None,
            Deletes::Extraneous => Some(DeleteAt::Publishing),
            Deletes::Listed(these) => {
                let found = these.binary_search_by(|(this, _)| this.cmp(path)).ok()?;
                Some(these[found].1)
            }
        }
    }
}

/// A decision as the agent is told of it: what it knows is named by position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployRequests {
    /// Positions in the state, ascending, and the digests that are expected there.
    pub to_retain: Vec<(u32, Digest)>,
    /// Bytes that setting these aside takes.
    pub bytes: u64,
    /// Positions in the list of what is set aside, ascending.
    pub retained_to_drop: Vec<u32>,
    /// What becomes of the history.
    pub history: Option<HistoryEdit>,
}

impl DeployRequests {
    /// The wishes of a decision about a surveyed destination.
    pub fn of(decision: &Decision, survey: &Survey) -> Result<DeployRequests, PushError> {
        let (mut to_retain, mut bytes) = (Vec::new(), 0);
        let entries = &survey.state.entries;
        for (path, digest) in &decision.to_retain {
            let found = entries.binary_search_by(|remote| remote.entry.path.cmp(path)).ok();
            let size = found.and_then(|at| entries[at].entry.file_size());
            let (Some(at), Some(size)) = (found, size) else {
                return Err(wrong(format!("{path} is to be set aside, but no file stands there")));
            };
            to_retain.push((at as u32, *digest));
            bytes += size;
        }
        to_retain.sort_unstable();
        to_retain.dedup_by_key(|(at, _)| *at);
        if to_retain.len() > limits::RETAINED_CONTENTS {
            return Err(wrong(format!("{} contents are to be set aside", to_retain.len())));
        }
        let retained_to_drop = positions(&decision.retained_to_drop, survey);
        let history = decision.history.clone().filter(|edit| !edit.changes_nothing(survey));
        if let Some(edit) = &history {
            check_history(edit, survey)?;
        }
        Ok(DeployRequests { to_retain, bytes, retained_to_drop, history })
    }

    /// Whether there is nothing to wish for.
    pub fn is_empty(&self) -> bool {
        self.to_retain.is_empty() && self.retained_to_drop.is_empty() && self.history.is_none()
    }
}

impl HistoryEdit {
    fn changes_nothing(&self, survey: &Survey) -> bool {
        self.append.is_empty() && self.keep == survey.history.len() as u64
    }

    /// The new history, if the old one is as long as it should be.
    pub(crate) fn apply(&self, old: &[u8]) -> Option<Vec<u8>> {
        let kept = old.get(..usize::try_from(self.keep).ok()?)?;
        Some([kept, &self.append].concat())
    }
}

fn positions(digests: &[Digest], survey: &Survey) -> Vec<u32> {
    let retained_contents = survey.retained_contents.iter().zip(0..);
    let retained_contents: HashMap<Digest, u32> =
        retained_contents.map(|(retained_contents, at)| (retained_contents.digest, at)).collect();
    let mut positions: Vec<u32> =
        digests.iter().filter_map(|digest| retained_contents.get(digest).copied()).collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}

fn check_history(edit: &HistoryEdit, survey: &Survey) -> Result<(), PushError> {
    let old = survey.history.len() as u64;
    if edit.keep > old {
        let text = format!("{} bytes of a history of {old} are to stay", edit.keep);
        return Err(wrong(text));
    }
    let new = edit.keep.saturating_add(edit.append.len() as u64);
    if new > limits::HISTORY_BYTES {
        let limit = limits::HISTORY_BYTES;
        return Err(wrong(format!("The history would have {new} bytes, the limit is {limit}")));
    }
    Ok(())
}

fn wrong(text: String) -> PushError {
    PushError::Decision(text.into())
}
