//! What a deploy decides once it knows a destination: what is deleted and when, and what is kept there besides.

use std::collections::HashMap;
use std::error::Error;

use super::error::PushError;
use super::survey::Survey;
use crate::compare::SourceEntry;
use crate::digest::Digest;
use crate::limits;
use crate::path::RelPath;

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
    /// have; one that has another is not kept. At most [`limits::ASIDES`].
    pub set_aside: Vec<(RelPath, Digest)>,
    /// Contents set aside before that go at pruning; those that are not there are gone already.
    pub drop_aside: Vec<Digest>,
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
    Surplus,
    /// These paths, as far as they stand and the source does not have them.
    These(Vec<(RelPath, When)>),
}

/// When something is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
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
    pub(super) fn sort(&mut self) {
        if let Deletes::These(these) = self {
            these.sort_by(|a, b| a.0.cmp(&b.0));
        }
    }

    /// When something the source does not have is deleted, if it is.
    pub(super) fn when(&self, path: &RelPath) -> Option<When> {
        match self {
            Deletes::None => None,
            Deletes::Surplus => Some(When::Publishing),
            Deletes::These(these) => {
                let found = these.binary_search_by(|(this, _)| this.cmp(path)).ok()?;
                Some(these[found].1)
            }
        }
    }
}

/// A decision as the agent is told of it: what it knows is named by position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Positions in the state, ascending, and the digests that are expected there.
    pub set_aside: Vec<(u32, Digest)>,
    /// Bytes that setting these aside takes.
    pub bytes: u64,
    /// Positions in the list of what is set aside, ascending.
    pub drop_aside: Vec<u32>,
    /// What becomes of the history.
    pub history: Option<HistoryEdit>,
}

impl Wishes {
    /// The wishes of a decision about a surveyed destination.
    pub fn of(decision: &Decision, survey: &Survey) -> Result<Wishes, PushError> {
        let (mut set_aside, mut bytes) = (Vec::new(), 0);
        let entries = &survey.state.entries;
        for (path, digest) in &decision.set_aside {
            let found = entries.binary_search_by(|remote| remote.entry.path.cmp(path)).ok();
            let size = found.and_then(|at| entries[at].entry.file_size());
            let (Some(at), Some(size)) = (found, size) else {
                return Err(wrong(format!("{path} is to be set aside, but no file stands there")));
            };
            set_aside.push((at as u32, *digest));
            bytes += size;
        }
        set_aside.sort_unstable();
        set_aside.dedup_by_key(|(at, _)| *at);
        if set_aside.len() > limits::ASIDES {
            return Err(wrong(format!("{} contents are to be set aside", set_aside.len())));
        }
        let drop_aside = positions(&decision.drop_aside, survey);
        let history = decision.history.clone().filter(|edit| !edit.changes_nothing(survey));
        if let Some(edit) = &history {
            check_history(edit, survey)?;
        }
        Ok(Wishes { set_aside, bytes, drop_aside, history })
    }

    /// Whether there is nothing to wish for.
    pub fn is_empty(&self) -> bool {
        self.set_aside.is_empty() && self.drop_aside.is_empty() && self.history.is_none()
    }
}

impl HistoryEdit {
    fn changes_nothing(&self, survey: &Survey) -> bool {
        self.append.is_empty() && self.keep == survey.history.len() as u64
    }

    /// The new history, if the old one is as long as it should be.
    pub(super) fn apply(&self, old: &[u8]) -> Option<Vec<u8>> {
        let kept = old.get(..usize::try_from(self.keep).ok()?)?;
        Some([kept, &self.append].concat())
    }
}

fn positions(digests: &[Digest], survey: &Survey) -> Vec<u32> {
    let asides = survey.aside.iter().zip(0..);
    let asides: HashMap<Digest, u32> = asides.map(|(aside, at)| (aside.digest, at)).collect();
    let mut positions: Vec<u32> =
        digests.iter().filter_map(|digest| asides.get(digest).copied()).collect();
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
