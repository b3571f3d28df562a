//! Messages: what the two sides say to each other, field by field. `docs/protocol.md` shows the bytes.

use super::codec::{DecodeError, Fields, put_bytes, put_number, put_signed};
use super::item::{
    Memory, decode_entry, decode_order, decode_part, decode_rename, put_entry, put_order, put_part,
    put_rename,
};
use crate::delta::SignatureSpec;
use crate::digest::{Digest, ShortDigest};
use crate::entry::Mtime;
use crate::limits;
use crate::plan::{Order, Part, Rename};
use crate::state::{Aside, Leftover, RemoteEntry, StateId};

/// A message in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// To the agent: the next new path that succeeds an old one.
    Rename(Rename),
    /// To the agent: a text that is rewritten, like an old fingerprint is to a new one.
    Substitute {
        /// The old text.
        old: &'a [u8],
        /// The new text.
        new: &'a [u8],
    },
    /// To the agent: a question about the file at a position of the state.
    Ask(Ask),
    /// To the agent: all questions are asked.
    AskEnd,
    /// To the agent: the next action of the plan.
    Action(Order),
    /// To the agent: the plan is complete; content follows.
    PlanEnd,
    /// To the agent: the next part of the prefix of the zstd frame to come.
    Part(Part),
    /// To the agent: the zstd frame ends with this; the next one has a zero and the parts as its prefix.
    Prefix {
        /// The first bytes of the prefix's BLAKE3.
        check: [u8; 8],
    },
    /// To the agent: content operations for this action follow.
    FileStart {
        /// Position in the plan.
        action: u32,
    },
    /// To the agent: these bytes come next in the file.
    Literal(&'a [u8]),
    /// To the agent: this range of the basis comes next.
    Copy {
        /// First byte in the basis.
        offset: u64,
        /// Bytes; never 0.
        length: u64,
    },
    /// To the agent: that many bytes come next, in [`FrameKind::Stored`](super::FrameKind) frames.
    Stored {
        /// Bytes; never 0.
        length: u64,
    },
    /// To the agent: the file is complete.
    FileEnd,
    /// To the agent: the file could not be read to its end; it will come again.
    FileAbort,
    /// To the agent: no more content.
    ContentEnd {
        /// If everything is staged then, publish it without waiting for [`Message::Publish`].
        publish: bool,
    },
    /// To the agent: the source file changed since it was planned; its next content has these measures.
    Amend {
        /// Position in the plan.
        action: u32,
        /// New size in bytes.
        size: u64,
        /// New modification time.
        mtime: Mtime,
        /// New digest.
        digest: Digest,
    },
    /// To the agent: what stands at a position of the state is kept in the work directory before it is replaced or
    /// deleted.
    SetAside {
        /// Position in the state.
        known: u32,
        /// The content's digest; another content is not kept.
        digest: Digest,
    },
    /// To the agent: a content that was set aside goes at pruning.
    DropAside {
        /// Position in the list of what is set aside.
        aside: u32,
    },
    /// To the agent: the new history begins with the first bytes of the old one.
    History {
        /// How many bytes of the old one.
        keep: u64,
    },
    /// To the agent: these bytes come next in the new history. To the sender: in the one that is there.
    HistoryPiece(&'a [u8]),
    /// To the agent: put in place what is staged.
    Publish,
    /// To the agent: carry out what was left for pruning.
    Prune,
    /// To the agent: nothing (more) to do.
    Bye,
    /// To the sender: the next path at the destination.
    Entry(RemoteEntry),
    /// To the sender: the next paths are as in the state that *Hello* named.
    Kept {
        /// How many; never 0.
        count: u32,
    },
    /// To the sender: the next paths of the state that *Hello* named are gone, or other entries take their place.
    Dropped {
        /// How many; never 0.
        count: u32,
    },
    /// To the sender: a verified file of an interrupted push.
    Leftover(Leftover),
    /// To the sender: the history is the one that *Hello* named.
    HistoryKnown,
    /// To the sender: a content that is set aside.
    Aside(Aside),
    /// To the sender: the state is complete.
    StateEnd(Vitals),
    /// To the sender: the file has the expected digest (`true`) or another one.
    Compared(bool),
    /// To the sender: the signature of a file of `basis_bytes` follows.
    Signature {
        /// Size of the file in bytes.
        basis_bytes: u64,
    },
    /// To the sender: entries of the signature.
    Blocks(&'a [u8]),
    /// To the sender: the file can't be read (any more).
    Gone,
    /// To the sender: all questions are answered.
    AnswerEnd,
    /// To the sender: the file was not staged; it is needed again as a whole.
    Failed {
        /// Position in the plan.
        action: u32,
    },
    /// To the sender: everything else is staged and verified.
    StagedEnd,
    /// To the sender: something the user should know, in words.
    Notice(&'a [u8]),
    /// To the sender: everything is published.
    Published(Vitals),
}

/// A question about the file at position `known` of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Position in the state.
    pub known: u32,
    /// The digest it would have if it were the same; then the answer is [`Message::Compared`]. For a rewritten
    /// file only the first eight bytes travel, the others are zero.
    pub expected: Option<ShortDigest>,
    /// The signature wanted if it is not the same.
    pub signature: Option<SignatureSpec>,
    /// The file's content counts as it is after rewriting.
    pub rewritten: bool,
}

/// What an agent tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vitals {
    /// The agent's peak resident memory so far (`VmHWM`), in bytes; 0 where the system does not tell.
    pub peak_rss_bytes: u64,
    /// Bytes free for the user on the destination's file system.
    pub free_bytes: u64,
    /// Files of the destination that the agent has read so far.
    pub files_read: u64,
    /// The agent could make its index better, if it is told to publish, be it nothing.
    pub index_is_stale: bool,
    /// Under which id the agent will know what stands there, if it will.
    pub state: Option<StateId>,
    /// The destination's clock, in seconds since 1970 UTC; only deploys are told, to others it is 0.
    pub clock_secs: i64,
    /// The user may publish here: the destination, or the nearest directory above it that is there, can be written.
    /// Only deploys are told.
    pub writable: bool,
}

const ASK: u8 = 1;
const ASK_END: u8 = 2;
const ACTION: u8 = 3;
const PLAN_END: u8 = 4;
const FILE_START: u8 = 5;
const LITERAL: u8 = 6;
const COPY: u8 = 7;
const STORED: u8 = 8;
const FILE_END: u8 = 9;
const FILE_ABORT: u8 = 10;
const CONTENT_END: u8 = 11;
const AMEND: u8 = 12;
const PUBLISH: u8 = 13;
const BYE: u8 = 14;
const RENAME: u8 = 15;
const SUBSTITUTE: u8 = 16;
const PART: u8 = 17;
const PREFIX: u8 = 18;
const SET_ASIDE: u8 = 19;
const DROP_ASIDE: u8 = 20;
const HISTORY: u8 = 21;
const HISTORY_PIECE: u8 = 22;
const PRUNE: u8 = 23;
const ENTRY: u8 = 32;
const LEFTOVER: u8 = 33;
const STATE_END: u8 = 34;
const COMPARED: u8 = 35;
const SIGNATURE: u8 = 36;
const BLOCKS: u8 = 37;
const GONE: u8 = 38;
const ANSWER_END: u8 = 39;
const FAILED: u8 = 40;
const STAGED_END: u8 = 41;
const NOTICE: u8 = 42;
const PUBLISHED: u8 = 43;
const KEPT: u8 = 44;
const DROPPED: u8 = 45;
const HISTORY_KNOWN: u8 = 46;
const ASIDE: u8 = 47;

impl Message<'_> {
    /// Appends the message; `memory` is this direction's.
    pub fn encode(&self, out: &mut Vec<u8>, memory: &mut Memory) {
        match self {
            Message::Rename(rename) => tagged(out, RENAME, |out| put_rename(out, rename, memory)),
            Message::Substitute { old, new } => tagged(out, SUBSTITUTE, |out| {
                put_bytes(out, old);
                put_bytes(out, new);
            }),
            Message::Part(part) => tagged(out, PART, |out| put_part(out, part)),
            Message::Prefix { check } => tagged(out, PREFIX, |out| out.extend_from_slice(check)),
            Message::Kept { count } => {
                tagged(out, KEPT, |out| put_number(out, u64::from(*count)));
            }
            Message::Dropped { count } => {
                tagged(out, DROPPED, |out| put_number(out, u64::from(*count)));
            }
            Message::Ask(ask) => put_ask(out, ask, memory),
            Message::Action(order) => tagged(out, ACTION, |out| put_order(out, order, memory)),
            Message::PlanEnd => out.push(PLAN_END),
            Message::FileStart { action } => {
                tagged(out, FILE_START, |out| put_number(out, u64::from(*action)));
            }
            Message::Literal(bytes) => tagged(out, LITERAL, |out| put_bytes(out, bytes)),
            Message::Copy { offset, length } => tagged(out, COPY, |out| {
                put_signed(out, offset.wrapping_sub(memory.copied_to) as i64);
                put_number(out, *length);
                memory.copied_to = offset.wrapping_add(*length);
            }),
            Message::Stored { length } => tagged(out, STORED, |out| put_number(out, *length)),
            Message::Amend { action, size, mtime, digest } => tagged(out, AMEND, |out| {
                put_number(out, u64::from(*action));
                put_number(out, *size);
                put_signed(out, mtime.secs);
                put_number(out, u64::from(mtime.nanos));
                out.extend_from_slice(&digest.0);
            }),
            Message::Entry(entry) => tagged(out, ENTRY, |out| put_entry(out, entry, memory)),
            Message::Leftover(leftover) => tagged(out, LEFTOVER, |out| {
                put_number(out, leftover.size);
                out.extend_from_slice(&leftover.digest.0);
            }),
            Message::StateEnd(vitals) => tagged(out, STATE_END, |out| put_vitals(out, vitals)),
            Message::Compared(same) => out.extend([COMPARED, u8::from(*same)]),
            Message::Signature { basis_bytes } => {
                tagged(out, SIGNATURE, |out| put_number(out, *basis_bytes));
            }
            Message::Blocks(bytes) => tagged(out, BLOCKS, |out| put_bytes(out, bytes)),
            Message::Failed { action } => {
                tagged(out, FAILED, |out| put_number(out, u64::from(*action)));
            }
            Message::Notice(text) => tagged(out, NOTICE, |out| put_bytes(out, text)),
            Message::Published(vitals) => tagged(out, PUBLISHED, |out| put_vitals(out, vitals)),
            Message::SetAside { known, digest } => tagged(out, SET_ASIDE, |out| {
                put_number(out, u64::from(*known));
                out.extend_from_slice(&digest.0);
            }),
            Message::DropAside { aside } => {
                tagged(out, DROP_ASIDE, |out| put_number(out, u64::from(*aside)));
            }
            Message::History { keep } => tagged(out, HISTORY, |out| put_number(out, *keep)),
            Message::HistoryPiece(bytes) => tagged(out, HISTORY_PIECE, |out| put_bytes(out, bytes)),
            Message::Prune => out.push(PRUNE),
            Message::HistoryKnown => out.push(HISTORY_KNOWN),
            Message::Aside(aside) => tagged(out, ASIDE, |out| {
                put_number(out, aside.size);
                out.extend_from_slice(&aside.digest.0);
            }),
            Message::AskEnd => out.push(ASK_END),
            Message::FileEnd => out.push(FILE_END),
            Message::FileAbort => out.push(FILE_ABORT),
            Message::ContentEnd { publish } => out.extend([CONTENT_END, u8::from(*publish)]),
            Message::Publish => out.push(PUBLISH),
            Message::Bye => out.push(BYE),
            Message::Gone => out.push(GONE),
            Message::AnswerEnd => out.push(ANSWER_END),
            Message::StagedEnd => out.push(STAGED_END),
        }
    }

    /// Reads a message off the front of `fields`.
    ///
    /// [`DecodeError::UnexpectedEnd`] means that more bytes are needed; `memory` is then as it was.
    pub fn decode<'a>(
        fields: &mut Fields<'a>,
        memory: &mut Memory,
    ) -> Result<Message<'a>, DecodeError> {
        match fields.byte()? {
            tag @ ASK..=PRUNE => decode_for_agent(tag, fields, memory),
            tag => decode_for_sender(tag, fields, memory),
        }
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    body(out);
}

fn decode_for_agent<'a>(
    tag: u8,
    fields: &mut Fields<'a>,
    memory: &mut Memory,
) -> Result<Message<'a>, DecodeError> {
    Ok(match tag {
        ASK => Message::Ask(decode_ask(fields, memory)?),
        ASK_END => Message::AskEnd,
        ACTION => Message::Action(decode_order(fields, memory)?),
        PLAN_END => Message::PlanEnd,
        FILE_START => Message::FileStart { action: position(fields)? },
        LITERAL => Message::Literal(fields.bytes("literal length", limits::LITERAL_BYTES)?),
        COPY => decode_copy(fields, memory)?,
        STORED => Message::Stored { length: fields.bounded("stored length", limits::FILE_BYTES)? },
        FILE_END => Message::FileEnd,
        FILE_ABORT => Message::FileAbort,
        CONTENT_END => Message::ContentEnd { publish: decode_bool(fields)? },
        AMEND => decode_amend(fields)?,
        PUBLISH => Message::Publish,
        BYE => Message::Bye,
        RENAME => Message::Rename(decode_rename(fields, memory)?),
        SUBSTITUTE => Message::Substitute {
            old: fields.bytes("text length", limits::FINGERPRINT_BYTES)?,
            new: fields.bytes("text length", limits::FINGERPRINT_BYTES)?,
        },
        PART => Message::Part(decode_part(fields)?),
        PREFIX => Message::Prefix { check: fields.array()? },
        SET_ASIDE => {
            Message::SetAside { known: position(fields)?, digest: Digest(fields.array()?) }
        }
        DROP_ASIDE => {
            Message::DropAside { aside: fields.bounded("position", limits::ASIDES as u64)? as u32 }
        }
        HISTORY => Message::History { keep: fields.bounded("history", limits::HISTORY_BYTES)? },
        HISTORY_PIECE => {
            Message::HistoryPiece(fields.bytes("history piece", limits::LITERAL_BYTES)?)
        }
        _ => Message::Prune,
    })
}

fn decode_for_sender<'a>(
    tag: u8,
    fields: &mut Fields<'a>,
    memory: &mut Memory,
) -> Result<Message<'a>, DecodeError> {
    Ok(match tag {
        ENTRY => Message::Entry(decode_entry(fields, memory)?),
        LEFTOVER => {
            let size = fields.bounded("leftover size", limits::FILE_BYTES)?;
            Message::Leftover(Leftover { size, digest: ShortDigest(fields.array()?) })
        }
        STATE_END => Message::StateEnd(decode_vitals(fields)?),
        KEPT => Message::Kept { count: decode_count(fields)? },
        DROPPED => Message::Dropped { count: decode_count(fields)? },
        COMPARED => Message::Compared(decode_bool(fields)?),
        SIGNATURE => {
            let basis_bytes = fields.bounded("basis size", limits::FILE_BYTES)?;
            Message::Signature { basis_bytes }
        }
        BLOCKS => Message::Blocks(fields.bytes("signature piece", limits::LITERAL_BYTES)?),
        GONE => Message::Gone,
        ANSWER_END => Message::AnswerEnd,
        FAILED => Message::Failed { action: position(fields)? },
        STAGED_END => Message::StagedEnd,
        HISTORY_KNOWN => Message::HistoryKnown,
        ASIDE => {
            let size = fields.bounded("aside size", limits::FILE_BYTES)?;
            Message::Aside(Aside { size, digest: Digest(fields.array()?) })
        }
        NOTICE => Message::Notice(fields.bytes("notice length", limits::ERROR_BYTES)?),
        PUBLISHED => Message::Published(decode_vitals(fields)?),
        other => return Err(DecodeError::Unknown { what: "message", value: u64::from(other) }),
    })
}

/// A position in a plan or state.
fn position(fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
    Ok(fields.bounded("position", limits::ENTRIES)? as u32)
}

/// How many entries.
fn decode_count(fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
    Ok(fields.bounded("count", limits::ENTRIES)? as u32)
}

fn decode_bool(fields: &mut Fields<'_>) -> Result<bool, DecodeError> {
    Ok(fields.bounded("flag", 1)? == 1)
}

const ASK_EXPECTED: u8 = 1;
const ASK_SIGNATURE: u8 = 2;
const ASK_REWRITTEN: u8 = 4;

fn put_ask(out: &mut Vec<u8>, ask: &Ask, memory: &mut Memory) {
    let expected = if ask.expected.is_some() { ASK_EXPECTED } else { 0 };
    let signature = if ask.signature.is_some() { ASK_SIGNATURE } else { 0 };
    let rewritten = if ask.rewritten { ASK_REWRITTEN } else { 0 };
    out.extend([ASK, expected | signature | rewritten]);
    memory.put_known(out, ask.known);
    if let Some(digest) = ask.expected {
        out.extend_from_slice(&digest.0[..expected_bytes(ask.rewritten)]);
    }
    if let Some(spec) = ask.signature {
        put_number(out, u64::from(spec.block_bytes.ilog2()));
        out.push(spec.strong_bytes);
    }
}

fn decode_ask(fields: &mut Fields<'_>, memory: &mut Memory) -> Result<Ask, DecodeError> {
    let flags = fields.byte()?;
    if flags & !(ASK_EXPECTED | ASK_SIGNATURE | ASK_REWRITTEN) != 0 {
        return Err(DecodeError::Unknown { what: "question", value: u64::from(flags) });
    }
    let (known, kept) = memory.peek_known(fields)?;
    let rewritten = flags & ASK_REWRITTEN != 0;
    let expected = match flags & ASK_EXPECTED {
        0 => None,
        _ => Some(decode_expected(rewritten, fields)?),
    };
    let signature = match flags & ASK_SIGNATURE {
        0 => None,
        _ => Some(decode_spec(fields)?),
    };
    *memory = kept;
    Ok(Ask { known, expected, signature, rewritten })
}

/// What a rewritten file is taken for is checked by its whole digest before it is published; here less will do.
fn expected_bytes(rewritten: bool) -> usize {
    if rewritten { 8 } else { 16 }
}

fn decode_expected(rewritten: bool, fields: &mut Fields<'_>) -> Result<ShortDigest, DecodeError> {
    let mut digest = ShortDigest([0; 16]);
    let bytes = expected_bytes(rewritten);
    digest.0[..bytes].copy_from_slice(fields.take(bytes)?);
    Ok(digest)
}

fn decode_spec(fields: &mut Fields<'_>) -> Result<SignatureSpec, DecodeError> {
    let log = fields.bounded("block size (log2)", 31)?;
    Ok(SignatureSpec::new(1 << log, u64::from(fields.byte()?))?)
}

fn decode_copy<'a>(
    fields: &mut Fields<'a>,
    memory: &mut Memory,
) -> Result<Message<'a>, DecodeError> {
    let offset = memory.copied_to.wrapping_add_signed(fields.signed()?);
    let length = fields.bounded("copy length", limits::FILE_BYTES)?;
    if offset > limits::FILE_BYTES {
        let limit = limits::FILE_BYTES;
        return Err(DecodeError::OverLimit { what: "copy offset", value: offset, limit });
    }
    memory.copied_to = offset + length;
    Ok(Message::Copy { offset, length })
}

fn decode_amend<'a>(fields: &mut Fields<'a>) -> Result<Message<'a>, DecodeError> {
    let action = position(fields)?;
    let size = fields.bounded("file size", limits::FILE_BYTES)?;
    let secs = fields.signed()?;
    let nanos = fields.bounded("nanoseconds", 999_999_999)? as u32;
    let digest = Digest(fields.array()?);
    Ok(Message::Amend { action, size, mtime: Mtime { secs, nanos }, digest })
}

const VITALS_STALE: u8 = 1;
const VITALS_STATE: u8 = 2;
const VITALS_CLOCK: u8 = 4;
const VITALS_WRITABLE: u8 = 8;
const VITALS_FLAGS: u8 = VITALS_STALE | VITALS_STATE | VITALS_CLOCK | VITALS_WRITABLE;

fn put_vitals(out: &mut Vec<u8>, vitals: &Vitals) {
    put_number(out, vitals.peak_rss_bytes);
    put_number(out, vitals.free_bytes);
    put_number(out, vitals.files_read);
    let stale = if vitals.index_is_stale { VITALS_STALE } else { 0 };
    let clock = if vitals.clock_secs != 0 { VITALS_CLOCK } else { 0 };
    let writable = if vitals.writable { VITALS_WRITABLE } else { 0 };
    let state = if vitals.state.is_some() { VITALS_STATE } else { 0 };
    out.push(stale | state | clock | writable);
    out.extend(vitals.state.iter().flat_map(|state| state.0));
    if vitals.clock_secs != 0 {
        put_signed(out, vitals.clock_secs);
    }
}

fn decode_vitals(fields: &mut Fields<'_>) -> Result<Vitals, DecodeError> {
    let (peak_rss_bytes, free_bytes) = (fields.number()?, fields.number()?);
    let files_read = fields.number()?;
    let flags = fields.bounded("vitals flags", u64::from(VITALS_FLAGS))? as u8;
    let state = match flags & VITALS_STATE {
        0 => None,
        _ => Some(StateId(fields.array()?)),
    };
    let clock_secs = match flags & VITALS_CLOCK {
        0 => 0,
        _ => fields.signed()?,
    };
    let index_is_stale = flags & VITALS_STALE != 0;
    let writable = flags & VITALS_WRITABLE != 0;
    Ok(Vitals {
        peak_rss_bytes,
        free_bytes,
        files_read,
        index_is_stale,
        state,
        clock_secs,
        writable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, Kind};
    use crate::path::RelPath;
    use crate::plan::{FileAction, Place, What};
    use crate::recipe::{Basis, Ground, Recipe};

    const MTIME: Mtime = Mtime { secs: 1, nanos: 300 };

    fn path(text: &str) -> RelPath {
        RelPath::new(text.as_bytes()).unwrap()
    }

    fn file(recipe: Recipe) -> What {
        let digest = Some(Digest([0xdd; 32]));
        What::File(FileAction {
            size: 5,
            mode: 0o644,
            mtime: MTIME,
            digest,
            recipe,
            entry_point: true,
        })
    }

    fn entry(kind: Kind) -> RemoteEntry {
        let entry = Entry { path: path("ab"), kind, mode: 0o644, mtime: MTIME };
        RemoteEntry { entry, digest: None }
    }

    /// The messages of `docs/protocol.md`, each from a fresh memory, with its bytes.
    fn golden() -> Vec<(Message<'static>, Vec<u8>)> {
        let spec = SignatureSpec { block_bytes: 1024, strong_bytes: 2 };
        let short = ShortDigest([0xee; 16]);
        let eight = ShortDigest([[0xee; 8], [0; 8]].concat().try_into().unwrap());
        let (d32, e16) = ([0xdd; 32], [0xee; 16]);
        let state = Some(StateId([0xaa; 16]));
        let vitals = Vitals {
            peak_rss_bytes: 1,
            free_bytes: 128,
            files_read: 9,
            index_is_stale: true,
            state,
            ..Vitals::default()
        };
        let told = Vitals { clock_secs: 300, writable: true, ..Vitals::default() };
        let order = |place, what| Message::Action(Order { place, what });
        let ground = Ground { basis: Basis::Leftover(2), rewritten: false };
        let delta = Recipe::Delta { ground, block_bytes: 1024 };
        let rewritten = Ground { basis: Basis::Known(2), rewritten: true };
        let rename = Rename { known: 3, start: 5, length: 2, new: b"xyz".to_vec() };
        let part = Part { ground: rewritten, offset: 300, length: 9 };
        vec![
            (
                Message::Ask(Ask {
                    known: 3,
                    expected: Some(short),
                    signature: Some(spec),
                    rewritten: false,
                }),
                [&[1, 3, 6][..], &e16, &[10, 2]].concat(),
            ),
            (
                Message::Ask(Ask {
                    known: 3,
                    expected: Some(eight),
                    signature: None,
                    rewritten: true,
                }),
                [&[1, 5, 6][..], &[0xee; 8]].concat(),
            ),
            (Message::AskEnd, vec![2]),
            (
                order(Place::New(path("d")), What::Dir { mode: 0o700 }),
                vec![3, 1, 0, 1, b'd', 0xc0, 3],
            ),
            (
                order(Place::Known(2), file(Recipe::Whole)),
                [&[3, 96, 4, 0xa4, 3, 2, 0xac, 2, 4, 5][..], &d32].concat(),
            ),
            (
                order(Place::Known(0), file(delta)),
                [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 3, 1, 2, 0x80, 8, 5][..], &d32].concat(),
            ),
            (
                order(Place::Renamed(1), file(Recipe::Patch { ground: rewritten })),
                [&[3, 160, 2, 0xa4, 3, 2, 0xac, 2, 14, 0, 2, 5][..], &d32].concat(),
            ),
            (
                order(Place::Known(0), file(Recipe::Rewrite { basis: Basis::Known(2) })),
                [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 5, 0, 2, 5][..], &d32].concat(),
            ),
            (
                order(Place::Known(0), file(Recipe::Regzip { plain: Basis::Planned(2) })),
                [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 7, 2, 2, 5][..], &d32].concat(),
            ),
            (order(Place::Known(1), What::Delete), vec![3, 67, 2]),
            (order(Place::Known(1), What::Prune), vec![3, 99, 2]),
            (
                order(Place::Known(0), file(Recipe::Copy { from: Basis::Aside(2) })),
                [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 2, 3, 2, 5][..], &d32].concat(),
            ),
            (Message::PlanEnd, vec![4]),
            (Message::FileStart { action: 7 }, vec![5, 7]),
            (Message::Literal(b"abc"), vec![6, 3, b'a', b'b', b'c']),
            (Message::Copy { offset: 10, length: 3 }, vec![7, 20, 3]),
            (Message::Stored { length: 300 }, vec![8, 0xac, 2]),
            (Message::FileEnd, vec![9]),
            (Message::FileAbort, vec![10]),
            (Message::ContentEnd { publish: true }, vec![11, 1]),
            (
                Message::Amend { action: 1, size: 5, mtime: MTIME, digest: Digest(d32) },
                [&[12, 1, 5, 2, 0xac, 2][..], &d32].concat(),
            ),
            (Message::Publish, vec![13]),
            (Message::Bye, vec![14]),
            (Message::Rename(rename), vec![15, 6, 5, 2, 3, b'x', b'y', b'z']),
            (Message::Substitute { old: b"a", new: b"bc" }, vec![16, 1, b'a', 2, b'b', b'c']),
            (Message::Part(part), vec![17, 8, 0, 2, 0xac, 2, 9]),
            (Message::Prefix { check: [7; 8] }, [&[18][..], &[7; 8]].concat()),
            (
                Message::SetAside { known: 300, digest: Digest(d32) },
                [&[19, 0xac, 2][..], &d32].concat(),
            ),
            (Message::DropAside { aside: 3 }, vec![20, 3]),
            (Message::History { keep: 300 }, vec![21, 0xac, 2]),
            (Message::HistoryPiece(b"h"), vec![22, 1, b'h']),
            (Message::Prune, vec![23]),
            (
                Message::Entry(entry(Kind::File { size: 9 })),
                vec![32, 0, 0, 2, b'a', b'b', 0xa4, 3, 2, 0xac, 2, 9],
            ),
            (
                Message::Entry(entry(Kind::Symlink { target: b"t".to_vec() })),
                vec![32, 2, 0, 2, b'a', b'b', 0xa4, 3, 2, 0xac, 2, 1, b't'],
            ),
            (Message::Leftover(Leftover { digest: short, size: 1 }), [&[33, 1][..], &e16].concat()),
            (Message::StateEnd(vitals), [&[34, 1, 0x80, 1, 9, 3][..], &[0xaa; 16]].concat()),
            (Message::Compared(true), vec![35, 1]),
            (Message::Signature { basis_bytes: 2 }, vec![36, 2]),
            (Message::Blocks(b"x"), vec![37, 1, b'x']),
            (Message::Gone, vec![38]),
            (Message::AnswerEnd, vec![39]),
            (Message::Failed { action: 4 }, vec![40, 4]),
            (Message::StagedEnd, vec![41]),
            (Message::Notice(b"n"), vec![42, 1, b'n']),
            (Message::Published(Vitals::default()), vec![43, 0, 0, 0, 0]),
            (Message::Kept { count: 300 }, vec![44, 0xac, 2]),
            (Message::Dropped { count: 1 }, vec![45, 1]),
            (Message::HistoryKnown, vec![46]),
            (Message::Aside(Aside { digest: Digest(d32), size: 9 }), [&[47, 9][..], &d32].concat()),
            (Message::StateEnd(told), vec![34, 0, 0, 0, 12, 0xd8, 4]),
        ]
    }

    #[test]
    fn messages_are_the_bytes_the_protocol_document_says() {
        for (message, bytes) in golden() {
            let mut out = Vec::new();
            message.encode(&mut out, &mut Memory::default());
            assert_eq!(out, bytes, "{message:?}");
            let mut fields = Fields(&bytes);
            assert_eq!(Message::decode(&mut fields, &mut Memory::default()), Ok(message));
            assert_eq!(fields.end(), Ok(()));
        }
    }

    #[test]
    fn a_cut_message_asks_for_more_and_changes_nothing() {
        for (message, bytes) in golden() {
            for end in 0..bytes.len() {
                let mut memory = Memory::default();
                let cut = Message::decode(&mut Fields(&bytes[..end]), &mut memory);
                assert_eq!(cut, Err(DecodeError::UnexpectedEnd), "{message:?} cut at {end}");
                assert_eq!(format!("{memory:?}"), format!("{:?}", Memory::default()));
            }
        }
    }

    #[test]
    fn numbers_over_their_limits_are_refused() {
        let bad: [&[u8]; 13] = [
            &[0],                                                       // unknown tag
            &[99],                                                      // unknown tag
            &[6, 0x81, 0x80, 2],                                        // literal over 32,768 bytes
            &[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], // stored over 16 TiB
            &[1, 2, 0, 5, 2],                                           // blocks of 32 bytes
            &[1, 8, 0],                                                 // unknown question
            &[5, 0xff, 0xff, 0xff, 0xff, 0xf],                          // position over ten million
            &[11, 2],                                                   // flag that is neither
            &[19, 0xff, 0xff, 0xff, 0xff, 0xf],                         // position over ten million
            &[20, 0x81, 0x80, 1],                                       // over 16,384 set aside
            &[21, 0x81, 0x80, 0x80, 0x20],                              // history over 64 MiB
            &[22, 0x81, 0x80, 2],                                       // piece over 32,768 bytes
            &[34, 0, 0, 0, 16],                                         // unknown vitals
        ];
        for bytes in bad {
            let refused = Message::decode(&mut Fields(bytes), &mut Memory::default());
            assert!(
                !matches!(refused, Ok(_) | Err(DecodeError::UnexpectedEnd)),
                "{bytes:?}: {refused:?}"
            );
        }
    }
}
