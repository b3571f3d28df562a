//! Agent statistics: what the agent reports about itself.

use super::codec::{DecodeError, Fields, put_number, put_signed};
use crate::state::StateId;

/// Agent statistics: what the agent reports about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgentStatistics {
    /// The agent's peak resident memory so far (`VmHWM`), in bytes; 0 if unknown.
    pub peak_rss_bytes: u64,
    /// Free space for the user on the destination's file system, in bytes, if known.
    pub free_bytes: Option<u64>,
    /// Files of the destination that the agent has read so far.
    pub files_read: u64,
    /// Whether publishing, even an empty plan, would improve the index.
    pub index_is_stale: bool,
    /// The id of the destination's state, if the agent's index has it.
    pub state: Option<StateId>,
    /// The target host's clock, in seconds since 1970 UTC; 0 except in deploys.
    pub clock_secs: i64,
    /// Whether the user may publish here: the destination, or the nearest existing directory above
    /// it, can be written. False except in deploys.
    pub writable: bool,
    /// Whether a push has completed here before. Only set with the state.
    pub pushed_before: bool,
    /// Whether the deploy that wrote the history did not hear that it was published. Only set with
    /// the state, in deploys.
    pub unfinished: bool,
}

const STALE: u8 = 1;
const STATE: u8 = 2;
const CLOCK: u8 = 4;
const WRITABLE: u8 = 8;
const PUSHED: u8 = 16;
const UNFINISHED: u8 = 32;
const FLAGS: u8 = STALE | STATE | CLOCK | WRITABLE | PUSHED | UNFINISHED;

/// Appends agent statistics.
pub(super) fn put_statistics(out: &mut Vec<u8>, statistics: &AgentStatistics) {
    put_number(out, statistics.peak_rss_bytes);
    put_number(out, statistics.free_bytes.map_or(0, |free| free.saturating_add(1)));
    put_number(out, statistics.files_read);
    let stale = if statistics.index_is_stale { STALE } else { 0 };
    let clock = if statistics.clock_secs != 0 { CLOCK } else { 0 };
    let writable = if statistics.writable { WRITABLE } else { 0 };
    let state = if statistics.state.is_some() { STATE } else { 0 };
    let pushed = if statistics.pushed_before { PUSHED } else { 0 };
    let unfinished = if statistics.unfinished { UNFINISHED } else { 0 };
    out.push(stale | state | clock | writable | pushed | unfinished);
    out.extend(statistics.state.iter().flat_map(|state| state.0));
    if statistics.clock_secs != 0 {
        put_signed(out, statistics.clock_secs);
    }
}

/// Reads agent statistics.
pub(super) fn decode_statistics(fields: &mut Fields<'_>) -> Result<AgentStatistics, DecodeError> {
    let (peak_rss_bytes, free_bytes) = (fields.number()?, fields.number()?.checked_sub(1));
    let files_read = fields.number()?;
    let flags = fields.bounded("statistics flags", u64::from(FLAGS))? as u8;
    let state = match flags & STATE {
        0 => None,
        _ => Some(StateId(fields.array()?)),
    };
    let clock_secs = match flags & CLOCK {
        0 => 0,
        _ => fields.signed()?,
    };
    let index_is_stale = flags & STALE != 0;
    let writable = flags & WRITABLE != 0;
    Ok(AgentStatistics {
        peak_rss_bytes,
        free_bytes,
        files_read,
        index_is_stale,
        state,
        clock_secs,
        writable,
        pushed_before: flags & PUSHED != 0,
        unfinished: flags & UNFINISHED != 0,
    })
}
