//! Messages: what the two sides say to each other, field by field. `docs/protocol.md` shows the bytes.

use super::agent_statistics::{AgentStatistics, decode_statistics, put_statistics};
use super::codec::{DecodeError, Fields, put_bytes, put_number, put_signed};
use super::item::{
    CodecContext, decode_action, decode_entry, decode_rename, put_action, put_entry, put_rename,
    whole_path,
};
use super::query::{Query, decode_query, put_query};
use super::recipe::{decode_prefix_part, put_prefix_part};
use crate::digest::{Digest, ShortDigest};
use crate::entry::Mtime;
use crate::limits;
use crate::path::RelPath;
use crate::plan::{PrefixPart, Rename, WireAction};
use crate::state::{Partial, RemoteEntry, RetainedContent};

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
    Query(Query),
    /// To the agent: a question whether two paths are one to the destination's file system. These come before the
    /// questions about files.
    Alias {
        /// A path that the state does not have.
        path: RelPath,
        /// Another path.
        other: RelPath,
    },
    /// To the agent: all questions are asked.
    QueriesEnd,
    /// To the agent: the next action of the plan.
    Action(WireAction),
    /// To the agent: the plan is complete; content follows.
    PlanEnd,
    /// To the agent: the next part of the prefix of the zstd frame to come.
    PrefixPart(PrefixPart),
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
    Retain {
        /// Position in the state.
        known: u32,
        /// The content's digest; another content is not kept.
        digest: Digest,
    },
    /// To the agent: a content that was set aside goes at pruning.
    DropRetained {
        /// Position in the list of what is set aside.
        retained_contents: u32,
    },
    /// To the agent: the new history begins with the first bytes of the old one.
    History {
        /// How many bytes of the old one.
        keep: u64,
    },
    /// To the agent: these bytes come next in the new history. To the sender: in the one that is there.
    HistoryChunk(&'a [u8]),
    /// To the agent: put in place what is staged.
    Publish,
    /// To the agent: carry out what was left for pruning.
    Prune,
    /// To the agent: nothing (more) to do.
    Quit,
    /// To the sender: the next path at the destination.
    Entry(RemoteEntry),
    /// To the sender: the next paths are as in the state that *Hello* named.
    Unchanged {
        /// How many; never 0.
        count: u32,
    },
    /// To the sender: the next paths of the state that *Hello* named are gone, or other entries take their place.
    Removed {
        /// How many; never 0.
        count: u32,
    },
    /// To the sender: a verified file of an interrupted push.
    Partial(Partial),
    /// To the sender: the history is the one that *Hello* named.
    HistoryKnown,
    /// To the sender: a content that is set aside.
    Retained(RetainedContent),
    /// To the sender: the state is complete.
    StateEnd(AgentStatistics),
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
    Unreadable,
    /// To the sender: all questions are answered.
    AnswersEnd,
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
    Published(AgentStatistics),
}

const QUERY: u8 = 1;
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
const PREFIX_PART: u8 = 17;
const PREFIX: u8 = 18;
const SET_ASIDE: u8 = 19;
const DROP_ASIDE: u8 = 20;
const HISTORY: u8 = 21;
const HISTORY_PIECE: u8 = 22;
const PRUNE: u8 = 23;
const ALIAS: u8 = 24;
const ENTRY: u8 = 32;
const PARTIAL: u8 = 33;
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
    pub fn encode(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext) {
        match self {
            Message::Rename(rename) => {
                tagged(out, RENAME, |out| put_rename(out, rename, codec_context))
            }
            Message::Substitute { old, new } => tagged(out, SUBSTITUTE, |out| {
                put_bytes(out, old);
                put_bytes(out, new);
            }),
            Message::PrefixPart(part) => tagged(out, PREFIX_PART, |out| put_prefix_part(out, part)),
            Message::Prefix { check } => tagged(out, PREFIX, |out| out.extend_from_slice(check)),
            Message::Unchanged { count } => {
                tagged(out, KEPT, |out| put_number(out, u64::from(*count)));
            }
            Message::Removed { count } => {
                tagged(out, DROPPED, |out| put_number(out, u64::from(*count)));
            }
            Message::Alias { path, other } => tagged(out, ALIAS, |out| {
                put_bytes(out, path.as_bytes());
                put_bytes(out, other.as_bytes());
            }),
            Message::Query(ask) => tagged(out, QUERY, |out| put_query(out, ask, codec_context)),
            Message::Action(order) => {
                tagged(out, ACTION, |out| put_action(out, order, codec_context))
            }
            Message::PlanEnd => out.push(PLAN_END),
            Message::FileStart { action } => {
                tagged(out, FILE_START, |out| put_number(out, u64::from(*action)));
            }
            Message::Literal(bytes) => tagged(out, LITERAL, |out| put_bytes(out, bytes)),
            Message::Copy { offset, length } => tagged(out, COPY, |out| {
                put_signed(out, offset.wrapping_sub(codec_context.copied_to) as i64);
                put_number(out, *length);
                codec_context.copied_to = offset.wrapping_add(*length);
            }),
            Message::Stored { length } => tagged(out, STORED, |out| put_number(out, *length)),
            Message::Amend { action, size, mtime, digest } => tagged(out, AMEND, |out| {
                put_number(out, u64::from(*action));
                put_number(out, *size);
                put_signed(out, mtime.secs);
                put_number(out, u64::from(mtime.nanos));
                out.extend_from_slice(&digest.0);
            }),
            Message::Entry(entry) => tagged(out, ENTRY, |out| put_entry(out, entry, codec_context)),
            Message::Partial(partial) => tagged(out, PARTIAL, |out| {
                put_number(out, partial.size);
                out.extend_from_slice(&partial.digest.0);
            }),
            Message::StateEnd(statistics) => {
                tagged(out, STATE_END, |out| put_statistics(out, statistics))
            }
            Message::Compared(same) => out.extend([COMPARED, u8::from(*same)]),
            Message::Signature { basis_bytes } => {
                tagged(out, SIGNATURE, |out| put_number(out, *basis_bytes));
            }
            Message::Blocks(bytes) => tagged(out, BLOCKS, |out| put_bytes(out, bytes)),
            Message::Failed { action } => {
                tagged(out, FAILED, |out| put_number(out, u64::from(*action)));
            }
            Message::Notice(text) => tagged(out, NOTICE, |out| put_bytes(out, text)),
            Message::Published(statistics) => {
                tagged(out, PUBLISHED, |out| put_statistics(out, statistics))
            }
            Message::Retain { known, digest } => tagged(out, SET_ASIDE, |out| {
                put_number(out, u64::from(*known));
                out.extend_from_slice(&digest.0);
            }),
            Message::DropRetained { retained_contents } => {
                tagged(out, DROP_ASIDE, |out| put_number(out, u64::from(*retained_contents)));
            }
            Message::History { keep } => tagged(out, HISTORY, |out| put_number(out, *keep)),
            Message::HistoryChunk(bytes) => tagged(out, HISTORY_PIECE, |out| put_bytes(out, bytes)),
            Message::Prune => out.push(PRUNE),
            Message::HistoryKnown => out.push(HISTORY_KNOWN),
            Message::Retained(retained_contents) => tagged(out, ASIDE, |out| {
                put_number(out, retained_contents.size);
                out.extend_from_slice(&retained_contents.digest.0);
            }),
            Message::QueriesEnd => out.push(ASK_END),
            Message::FileEnd => out.push(FILE_END),
            Message::FileAbort => out.push(FILE_ABORT),
            Message::ContentEnd { publish } => out.extend([CONTENT_END, u8::from(*publish)]),
            Message::Publish => out.push(PUBLISH),
            Message::Quit => out.push(BYE),
            Message::Unreadable => out.push(GONE),
            Message::AnswersEnd => out.push(ANSWER_END),
            Message::StagedEnd => out.push(STAGED_END),
        }
    }

    /// Reads a message off the front of `fields`.
    ///
    /// [`DecodeError::UnexpectedEnd`] means that more bytes are needed; `memory` is then as it was.
    pub fn decode<'a>(
        fields: &mut Fields<'a>,
        codec_context: &mut CodecContext,
    ) -> Result<Message<'a>, DecodeError> {
        match fields.byte()? {
            tag @ QUERY..=ALIAS => decode_for_agent(tag, fields, codec_context),
            tag => decode_for_sender(tag, fields, codec_context),
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
    codec_context: &mut CodecContext,
) -> Result<Message<'a>, DecodeError> {
    Ok(match tag {
        QUERY => Message::Query(decode_query(fields, codec_context)?),
        ASK_END => Message::QueriesEnd,
        ACTION => Message::Action(decode_action(fields, codec_context)?),
        PLAN_END => Message::PlanEnd,
        FILE_START => Message::FileStart { action: position(fields)? },
        LITERAL => Message::Literal(fields.bytes("literal length", limits::LITERAL_BYTES)?),
        COPY => decode_copy(fields, codec_context)?,
        STORED => Message::Stored { length: fields.bounded("stored length", limits::FILE_BYTES)? },
        FILE_END => Message::FileEnd,
        FILE_ABORT => Message::FileAbort,
        CONTENT_END => Message::ContentEnd { publish: decode_bool(fields)? },
        AMEND => decode_amend(fields)?,
        PUBLISH => Message::Publish,
        BYE => Message::Quit,
        RENAME => Message::Rename(decode_rename(fields, codec_context)?),
        SUBSTITUTE => Message::Substitute {
            old: fields.bytes("text length", limits::FINGERPRINT_BYTES)?,
            new: fields.bytes("text length", limits::FINGERPRINT_BYTES)?,
        },
        PREFIX_PART => Message::PrefixPart(decode_prefix_part(fields)?),
        PREFIX => Message::Prefix { check: fields.array()? },
        SET_ASIDE => Message::Retain { known: position(fields)?, digest: Digest(fields.array()?) },
        DROP_ASIDE => Message::DropRetained {
            retained_contents: fields.bounded("position", limits::RETAINED_CONTENTS as u64)? as u32,
        },
        HISTORY => Message::History { keep: fields.bounded("history", limits::HISTORY_BYTES)? },
        HISTORY_PIECE => {
            Message::HistoryChunk(fields.bytes("history piece", limits::LITERAL_BYTES)?)
        }
        PRUNE => Message::Prune,
        _ => Message::Alias { path: whole_path(fields)?, other: whole_path(fields)? },
    })
}

fn decode_for_sender<'a>(
    tag: u8,
    fields: &mut Fields<'a>,
    codec_context: &mut CodecContext,
) -> Result<Message<'a>, DecodeError> {
    Ok(match tag {
        ENTRY => Message::Entry(decode_entry(fields, codec_context)?),
        PARTIAL => {
            let size = fields.bounded("leftover size", limits::FILE_BYTES)?;
            Message::Partial(Partial { size, digest: ShortDigest(fields.array()?) })
        }
        STATE_END => Message::StateEnd(decode_statistics(fields)?),
        KEPT => Message::Unchanged { count: decode_count(fields)? },
        DROPPED => Message::Removed { count: decode_count(fields)? },
        COMPARED => Message::Compared(decode_bool(fields)?),
        SIGNATURE => {
            let basis_bytes = fields.bounded("basis size", limits::FILE_BYTES)?;
            Message::Signature { basis_bytes }
        }
        BLOCKS => Message::Blocks(fields.bytes("signature piece", limits::LITERAL_BYTES)?),
        GONE => Message::Unreadable,
        ANSWER_END => Message::AnswersEnd,
        FAILED => Message::Failed { action: position(fields)? },
        STAGED_END => Message::StagedEnd,
        HISTORY_KNOWN => Message::HistoryKnown,
        ASIDE => {
            let size = fields.bounded("aside size", limits::FILE_BYTES)?;
            Message::Retained(RetainedContent { size, digest: Digest(fields.array()?) })
        }
        NOTICE => Message::Notice(fields.bytes("notice length", limits::ERROR_BYTES)?),
        PUBLISHED => Message::Published(decode_statistics(fields)?),
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

fn decode_copy<'a>(
    fields: &mut Fields<'a>,
    codec_context: &mut CodecContext,
) -> Result<Message<'a>, DecodeError> {
    let offset = codec_context.copied_to.wrapping_add_signed(fields.signed()?);
    let length = fields.bounded("copy length", limits::FILE_BYTES)?;
    if offset > limits::FILE_BYTES {
        let limit = limits::FILE_BYTES;
        return Err(DecodeError::OverLimit { what: "copy offset", value: offset, limit });
    }
    codec_context.copied_to = offset + length;
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

#[cfg(test)]
mod tests;
