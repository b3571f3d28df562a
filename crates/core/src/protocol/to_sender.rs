//! Messages from the agent to the sender.

use super::agent_statistics::{AgentStatistics, decode_statistics, put_statistics};
use super::codec::{DecodeError, Fields, put_bytes, put_number};
use super::codec_context::CodecContext;
use super::item::{decode_entry, put_entry};
use super::message::{
    Message, decode_bool, decode_count, decode_index, decode_piece, put_index, unknown_tag,
};
use super::run_member::{LockReport, decode_lock_report, put_lock_report};
use crate::digest::{Digest, ShortDigest};
use crate::index::ActionIndex;
use crate::limits;
use crate::state::{Partial, RemoteEntry, RetainedContent};

/// A message from the agent to the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToSender<'a> {
    /// Whether the agent got the lock; the first message to a member of a run.
    Lock(LockReport),
    /// The next entry of the destination.
    Entry(RemoteEntry),
    /// The next entries are as in the state that *Hello* named.
    Unchanged {
        /// Number of entries; never 0.
        count: u32,
    },
    /// The next entries of the state that *Hello* named are gone, or replaced by entries that
    /// follow.
    Removed {
        /// Number of entries; never 0.
        count: u32,
    },
    /// A file of an interrupted push, whole or not.
    Partial(Partial),
    /// Where the history is: it follows.
    HistoryPath(&'a [u8]),
    /// The history is the one that *Hello* named.
    HistoryKnown,
    /// The next bytes of the history.
    HistoryChunk(&'a [u8]),
    /// A retained content.
    Retained(RetainedContent),
    /// In a dry run of a deploy: another push has locked the destination; who, and since when.
    Held(&'a [u8]),
    /// The state is complete.
    StateEnd(AgentStatistics),
    /// Whether the file has the expected digest, or the two paths are one.
    Compared(bool),
    /// The signature of a file of `basis_bytes` follows.
    Signature {
        /// Size of the file in bytes.
        basis_bytes: u64,
    },
    /// The next blocks of the signature.
    Blocks(&'a [u8]),
    /// The file can't be read.
    Unreadable,
    /// All questions are answered.
    AnswersEnd,
    /// The file was not staged; it has to be sent again, whole.
    Failed {
        /// Index in the plan.
        action: ActionIndex,
    },
    /// Everything else is staged and verified.
    StagedEnd,
    /// A text for the user.
    Notice(&'a [u8]),
    /// Everything is published.
    Published(AgentStatistics),
}

/// As to the agent: both sides send pieces of a history.
const HISTORY_CHUNK: u8 = 22;
const ENTRY: u8 = 32;
const PARTIAL: u8 = 33;
const STATE_END: u8 = 34;
const COMPARED: u8 = 35;
const SIGNATURE: u8 = 36;
const BLOCKS: u8 = 37;
const UNREADABLE: u8 = 38;
const ANSWERS_END: u8 = 39;
const FAILED: u8 = 40;
const STAGED_END: u8 = 41;
const NOTICE: u8 = 42;
const PUBLISHED: u8 = 43;
const UNCHANGED: u8 = 44;
const REMOVED: u8 = 45;
const HISTORY_KNOWN: u8 = 46;
const RETAINED: u8 = 47;
const LOCK: u8 = 48;
const HISTORY_PATH: u8 = 49;
const HELD: u8 = 50;

impl Message for ToSender<'_> {
    type Of<'a> = ToSender<'a>;

    fn tag_and_name(&self) -> (u8, &'static str) {
        match self {
            ToSender::Lock(_) => (LOCK, "lock"),
            ToSender::Entry(_) => (ENTRY, "entry"),
            ToSender::Unchanged { .. } => (UNCHANGED, "unchanged"),
            ToSender::Removed { .. } => (REMOVED, "removed"),
            ToSender::Partial(_) => (PARTIAL, "partial"),
            ToSender::HistoryPath(_) => (HISTORY_PATH, "history path"),
            ToSender::HistoryKnown => (HISTORY_KNOWN, "history known"),
            ToSender::HistoryChunk(_) => (HISTORY_CHUNK, "history chunk"),
            ToSender::Retained(_) => (RETAINED, "retained"),
            ToSender::Held(_) => (HELD, "held"),
            ToSender::StateEnd(_) => (STATE_END, "state end"),
            ToSender::Compared(_) => (COMPARED, "compared"),
            ToSender::Signature { .. } => (SIGNATURE, "signature"),
            ToSender::Blocks(_) => (BLOCKS, "blocks"),
            ToSender::Unreadable => (UNREADABLE, "unreadable"),
            ToSender::AnswersEnd => (ANSWERS_END, "answers end"),
            ToSender::Failed { .. } => (FAILED, "failed"),
            ToSender::StagedEnd => (STAGED_END, "staged end"),
            ToSender::Notice(_) => (NOTICE, "notice"),
            ToSender::Published(_) => (PUBLISHED, "published"),
        }
    }

    fn ends_turn(&self) -> bool {
        matches!(
            self,
            ToSender::Lock(_)
                | ToSender::StateEnd(_)
                | ToSender::AnswersEnd
                | ToSender::StagedEnd
                | ToSender::Published(_)
        )
    }

    fn put_fields(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext) {
        match self {
            ToSender::Lock(report) => put_lock_report(out, report),
            ToSender::Entry(entry) => put_entry(out, entry, codec_context),
            ToSender::Unchanged { count } => put_number(out, u64::from(*count)),
            ToSender::Removed { count } => put_number(out, u64::from(*count)),
            ToSender::Partial(partial) => {
                put_number(out, partial.size);
                out.extend_from_slice(&partial.digest.0);
            }
            ToSender::HistoryPath(bytes) | ToSender::HistoryChunk(bytes) => put_bytes(out, bytes),
            ToSender::Retained(retained_content) => {
                put_number(out, retained_content.size);
                out.extend_from_slice(&retained_content.digest.0);
            }
            ToSender::StateEnd(statistics) => put_statistics(out, statistics),
            ToSender::Compared(same) => out.push(u8::from(*same)),
            ToSender::Signature { basis_bytes } => put_number(out, *basis_bytes),
            ToSender::Blocks(bytes) => put_bytes(out, bytes),
            ToSender::Failed { action } => put_index(out, *action),
            ToSender::Held(text) | ToSender::Notice(text) => put_bytes(out, text),
            ToSender::Published(statistics) => put_statistics(out, statistics),
            ToSender::HistoryKnown
            | ToSender::Unreadable
            | ToSender::AnswersEnd
            | ToSender::StagedEnd => {}
        }
    }

    fn decode<'b>(
        fields: &mut Fields<'b>,
        codec_context: &mut CodecContext,
    ) -> Result<(ToSender<'static>, &'b [u8]), DecodeError> {
        Ok(match fields.byte()? {
            HISTORY_CHUNK => (ToSender::HistoryChunk(&[]), decode_piece(fields, "history chunk")?),
            BLOCKS => (ToSender::Blocks(&[]), decode_piece(fields, "signature chunk")?),
            HISTORY_PATH => {
                (ToSender::HistoryPath(&[]), fields.bytes("path length", limits::PATH_BYTES)?)
            }
            HELD => (
                ToSender::Held(&[]),
                fields.bytes("length of the holder's name", limits::ERROR_BYTES)?,
            ),
            NOTICE => (ToSender::Notice(&[]), fields.bytes("notice length", limits::ERROR_BYTES)?),
            tag => (decode_owned(tag, fields, codec_context)?, &[]),
        })
    }

    fn with_bytes<'a>(message: ToSender<'static>, bytes: &'a [u8]) -> ToSender<'a> {
        match message {
            ToSender::HistoryPath(_) => ToSender::HistoryPath(bytes),
            ToSender::HistoryChunk(_) => ToSender::HistoryChunk(bytes),
            ToSender::Blocks(_) => ToSender::Blocks(bytes),
            ToSender::Held(_) => ToSender::Held(bytes),
            ToSender::Notice(_) => ToSender::Notice(bytes),
            owned => owned,
        }
    }
}

/// Reads the fields of a message that borrows nothing.
fn decode_owned(
    tag: u8,
    fields: &mut Fields<'_>,
    codec_context: &mut CodecContext,
) -> Result<ToSender<'static>, DecodeError> {
    Ok(match tag {
        LOCK => ToSender::Lock(decode_lock_report(fields)?),
        ENTRY => ToSender::Entry(decode_entry(fields, codec_context)?),
        PARTIAL => {
            let size = fields.bounded("partial size", limits::FILE_BYTES)?;
            ToSender::Partial(Partial { size, digest: ShortDigest(fields.array()?) })
        }
        STATE_END => ToSender::StateEnd(decode_statistics(fields)?),
        UNCHANGED => ToSender::Unchanged { count: decode_count(fields)? },
        REMOVED => ToSender::Removed { count: decode_count(fields)? },
        COMPARED => ToSender::Compared(decode_bool(fields)?),
        SIGNATURE => {
            let basis_bytes = fields.bounded("basis size", limits::FILE_BYTES)?;
            ToSender::Signature { basis_bytes }
        }
        UNREADABLE => ToSender::Unreadable,
        ANSWERS_END => ToSender::AnswersEnd,
        FAILED => ToSender::Failed { action: decode_index(fields)? },
        STAGED_END => ToSender::StagedEnd,
        HISTORY_KNOWN => ToSender::HistoryKnown,
        RETAINED => {
            let size = fields.bounded("retained size", limits::FILE_BYTES)?;
            ToSender::Retained(RetainedContent { size, digest: Digest(fields.array()?) })
        }
        PUBLISHED => ToSender::Published(decode_statistics(fields)?),
        other => return Err(unknown_tag(other)),
    })
}
