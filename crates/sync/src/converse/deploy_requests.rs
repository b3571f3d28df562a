//! A deploy's decision in terms of the protocol.

use std::collections::HashMap;

use assetsync_core::digest::Digest;
use assetsync_core::index::{EntryIndex, Index, RetainedIndex};
use assetsync_core::limits;

use super::survey::Survey;
use crate::error::PushError;
use crate::plan::decision::{Decision, HistoryEdit};

/// A decision in terms of the protocol, with positions in place of paths and digests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployRequests {
    /// Files whose contents are to be retained: positions in the state, ascending, and the expected
    /// digests.
    pub to_retain: Vec<(EntryIndex, Digest)>,
    /// Bytes that retaining these takes.
    pub bytes: u64,
    /// Positions in the list of retained contents, ascending.
    pub retained_to_drop: Vec<RetainedIndex>,
    /// The change of the history.
    pub history: Option<HistoryEdit>,
}

impl DeployRequests {
    /// The requests that carry out a decision about a surveyed destination.
    pub fn of(decision: &Decision, survey: &Survey) -> Result<DeployRequests, PushError> {
        let (mut to_retain, mut bytes) = (Vec::new(), 0);
        let entries = &survey.state.entries;
        for (path, digest) in &decision.to_retain {
            let found = entries.binary_search_by(|remote| remote.entry.path.cmp(path)).ok();
            let size = found.and_then(|at| entries[at].entry.file_size());
            let (Some(at), Some(size)) = (found, size) else {
                return Err(wrong(format!("{path} is to be retained, but there is no such file")));
            };
            to_retain.push((Index::at(at), *digest));
            bytes += size;
        }
        to_retain.sort_unstable();
        to_retain.dedup_by_key(|(at, _)| *at);
        if to_retain.len() > limits::RETAINED_CONTENTS {
            return Err(wrong(format!("{} contents are to be retained", to_retain.len())));
        }
        let retained_to_drop = positions(&decision.retained_to_drop, survey);
        let history = decision.history.clone().filter(|edit| !changes_nothing(edit, survey));
        if let Some(edit) = &history {
            check_history(edit, survey)?;
        }
        Ok(DeployRequests { to_retain, bytes, retained_to_drop, history })
    }

    /// Whether there are no requests.
    pub fn is_empty(&self) -> bool {
        self.to_retain.is_empty() && self.retained_to_drop.is_empty() && self.history.is_none()
    }
}

fn positions(digests: &[Digest], survey: &Survey) -> Vec<RetainedIndex> {
    let retained_contents = Index::enumerate(&survey.retained_contents);
    let retained_contents: HashMap<Digest, RetainedIndex> =
        retained_contents.map(|(index, content)| (content.digest, index)).collect();
    let mut positions: Vec<RetainedIndex> =
        digests.iter().filter_map(|digest| retained_contents.get(digest).copied()).collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}

fn changes_nothing(edit: &HistoryEdit, survey: &Survey) -> bool {
    edit.append.is_empty() && edit.keep == survey.history.len() as u64
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
