//! Messages from the sender to the agent.

use super::codec::{DecodeError, Fields, put_bytes, put_number, put_signed};
use super::codec_context::CodecContext;
use super::item::{decode_action, decode_rename, put_action, put_rename, whole_path};
use super::message::{Message, decode_bool, decode_index, decode_piece, put_index, unknown_tag};
use super::query::{Query, decode_query, put_query};
use super::recipe::{decode_prefix_part, put_prefix_part};
use crate::digest::Digest;
use crate::entry::Mtime;
use crate::index::{ActionIndex, EntryIndex, RetainedIndex};
use crate::limits;
use crate::path::RelPath;
use crate::plan::{PrefixPart, Rename, WireAction};

/// A message from the sender to the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToAgent<'a> {
    /// The next new path that is an old one with another fingerprint.
    Rename(Rename),
    /// A text that is rewritten like an old fingerprint.
    Substitute {
        /// The old text.
        old: Vec<u8>,
        /// The new text.
        new: Vec<u8>,
    },
    /// A question about a file of the state.
    Query(Query),
    /// A question: are two paths one to the destination's file system? These come before the
    /// queries.
    Alias {
        /// A path that the state does not have.
        path: RelPath,
        /// Another path.
        other: RelPath,
    },
    /// All questions are sent.
    QueriesEnd,
    /// The next action of the plan.
    Action(WireAction),
    /// The plan is complete; content follows.
    PlanEnd,
    /// The next part of the prefix of the next zstd frame.
    PrefixPart(PrefixPart),
    /// The zstd frame ends with this message; the prefix of the next one is a zero byte and the
    /// parts.
    Prefix {
        /// The first bytes of the prefix's BLAKE3.
        check: [u8; 8],
    },
    /// Content operations for this action follow.
    FileStart {
        /// Index in the plan.
        action: ActionIndex,
    },
    /// The next bytes of the file.
    Literal(&'a [u8]),
    /// The next bytes of the file are this range of the reference.
    Copy {
        /// First byte in the reference.
        offset: u64,
        /// Bytes; never 0.
        length: u64,
    },
    /// This many bytes of the file follow in [`FrameKind::Stored`](super::FrameKind) frames.
    Stored {
        /// Bytes; never 0.
        length: u64,
    },
    /// The file is complete.
    FileEnd,
    /// The file could not be read to its end; it will be sent again.
    FileAbort,
    /// No more content follows.
    ContentEnd {
        /// Publish once everything is staged, without waiting for [`ToAgent::Publish`].
        publish: bool,
    },
    /// The source file changed after it was planned; its content will be sent again.
    Amend {
        /// Index in the plan.
        action: ActionIndex,
        /// New size in bytes.
        size: u64,
        /// New modification time.
        mtime: Mtime,
        /// New digest.
        digest: Digest,
    },
    /// Keep the content of a file in the work directory before it is replaced or deleted.
    Retain {
        /// Index in the state.
        known: EntryIndex,
        /// The content's digest; a different content is not kept.
        digest: Digest,
    },
    /// Remove a retained content when pruning.
    DropRetained {
        /// Index in the list of retained contents.
        retained_contents: RetainedIndex,
    },
    /// A new history begins with the first bytes of the old one.
    History {
        /// Bytes of the old history that stay.
        keep: u64,
    },
    /// The next bytes of the new history.
    HistoryChunk(&'a [u8]),
    /// Publish the staged files.
    Publish,
    /// Run the deletes that were left for pruning.
    Prune,
    /// End without (more) work.
    Quit,
}

const QUERY: u8 = 1;
const QUERIES_END: u8 = 2;
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
const QUIT: u8 = 14;
const RENAME: u8 = 15;
const SUBSTITUTE: u8 = 16;
const PREFIX_PART: u8 = 17;
const PREFIX: u8 = 18;
const RETAIN: u8 = 19;
const DROP_RETAINED: u8 = 20;
const HISTORY: u8 = 21;
const HISTORY_CHUNK: u8 = 22;
const PRUNE: u8 = 23;
const ALIAS: u8 = 24;

impl Message for ToAgent<'_> {
    type Of<'a> = ToAgent<'a>;

    fn tag_and_name(&self) -> (u8, &'static str) {
        match self {
            ToAgent::Rename(_) => (RENAME, "rename"),
            ToAgent::Substitute { .. } => (SUBSTITUTE, "substitute"),
            ToAgent::Query(_) => (QUERY, "query"),
            ToAgent::Alias { .. } => (ALIAS, "alias"),
            ToAgent::QueriesEnd => (QUERIES_END, "queries end"),
            ToAgent::Action(_) => (ACTION, "action"),
            ToAgent::PlanEnd => (PLAN_END, "plan end"),
            ToAgent::PrefixPart(_) => (PREFIX_PART, "prefix part"),
            ToAgent::Prefix { .. } => (PREFIX, "prefix"),
            ToAgent::FileStart { .. } => (FILE_START, "file start"),
            ToAgent::Literal(_) => (LITERAL, "literal"),
            ToAgent::Copy { .. } => (COPY, "copy"),
            ToAgent::Stored { .. } => (STORED, "stored"),
            ToAgent::FileEnd => (FILE_END, "file end"),
            ToAgent::FileAbort => (FILE_ABORT, "file abort"),
            ToAgent::ContentEnd { .. } => (CONTENT_END, "content end"),
            ToAgent::Amend { .. } => (AMEND, "amend"),
            ToAgent::Retain { .. } => (RETAIN, "retain"),
            ToAgent::DropRetained { .. } => (DROP_RETAINED, "drop retained"),
            ToAgent::History { .. } => (HISTORY, "history"),
            ToAgent::HistoryChunk(_) => (HISTORY_CHUNK, "history chunk"),
            ToAgent::Publish => (PUBLISH, "publish"),
            ToAgent::Prune => (PRUNE, "prune"),
            ToAgent::Quit => (QUIT, "quit"),
        }
    }

    fn ends_turn(&self) -> bool {
        matches!(
            self,
            ToAgent::QueriesEnd | ToAgent::ContentEnd { .. } | ToAgent::Publish | ToAgent::Prune
        )
    }

    fn put_fields(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext) {
        match self {
            ToAgent::Rename(rename) => put_rename(out, rename, codec_context),
            ToAgent::Substitute { old, new } => {
                put_bytes(out, old);
                put_bytes(out, new);
            }
            ToAgent::PrefixPart(part) => put_prefix_part(out, part),
            ToAgent::Prefix { check } => out.extend_from_slice(check),
            ToAgent::Alias { path, other } => {
                put_bytes(out, path.as_bytes());
                put_bytes(out, other.as_bytes());
            }
            ToAgent::Query(query) => put_query(out, query, codec_context),
            ToAgent::Action(action) => put_action(out, action, codec_context),
            ToAgent::FileStart { action } => put_index(out, *action),
            ToAgent::Literal(bytes) => put_bytes(out, bytes),
            ToAgent::Copy { offset, length } => {
                put_signed(out, offset.wrapping_sub(codec_context.copied_to) as i64);
                put_number(out, *length);
                codec_context.copied_to = offset.wrapping_add(*length);
            }
            ToAgent::Stored { length } => put_number(out, *length),
            ToAgent::Amend { action, size, mtime, digest } => {
                put_index(out, *action);
                put_number(out, *size);
                put_signed(out, mtime.secs);
                put_number(out, u64::from(mtime.nanos));
                out.extend_from_slice(&digest.0);
            }
            ToAgent::Retain { known, digest } => {
                put_index(out, *known);
                out.extend_from_slice(&digest.0);
            }
            ToAgent::DropRetained { retained_contents } => put_index(out, *retained_contents),
            ToAgent::History { keep } => put_number(out, *keep),
            ToAgent::HistoryChunk(bytes) => put_bytes(out, bytes),
            ToAgent::ContentEnd { publish } => out.push(u8::from(*publish)),
            ToAgent::QueriesEnd
            | ToAgent::PlanEnd
            | ToAgent::FileEnd
            | ToAgent::FileAbort
            | ToAgent::Publish
            | ToAgent::Prune
            | ToAgent::Quit => {}
        }
    }

    fn decode<'b>(
        fields: &mut Fields<'b>,
        codec_context: &mut CodecContext,
    ) -> Result<(ToAgent<'static>, &'b [u8]), DecodeError> {
        Ok(match fields.byte()? {
            LITERAL => (ToAgent::Literal(&[]), decode_piece(fields, "literal length")?),
            HISTORY_CHUNK => (ToAgent::HistoryChunk(&[]), decode_piece(fields, "history chunk")?),
            tag => (decode_owned(tag, fields, codec_context)?, &[]),
        })
    }

    fn with_bytes<'a>(message: ToAgent<'static>, bytes: &'a [u8]) -> ToAgent<'a> {
        match message {
            ToAgent::Literal(_) => ToAgent::Literal(bytes),
            ToAgent::HistoryChunk(_) => ToAgent::HistoryChunk(bytes),
            owned => owned,
        }
    }
}

/// Reads the fields of a message that borrows nothing.
fn decode_owned(
    tag: u8,
    fields: &mut Fields<'_>,
    codec_context: &mut CodecContext,
) -> Result<ToAgent<'static>, DecodeError> {
    Ok(match tag {
        QUERY => ToAgent::Query(decode_query(fields, codec_context)?),
        QUERIES_END => ToAgent::QueriesEnd,
        ACTION => ToAgent::Action(decode_action(fields, codec_context)?),
        PLAN_END => ToAgent::PlanEnd,
        FILE_START => ToAgent::FileStart { action: decode_index(fields)? },
        COPY => decode_copy(fields, codec_context)?,
        STORED => ToAgent::Stored { length: fields.bounded("stored length", limits::FILE_BYTES)? },
        FILE_END => ToAgent::FileEnd,
        FILE_ABORT => ToAgent::FileAbort,
        CONTENT_END => ToAgent::ContentEnd { publish: decode_bool(fields)? },
        AMEND => decode_amend(fields)?,
        PUBLISH => ToAgent::Publish,
        QUIT => ToAgent::Quit,
        RENAME => ToAgent::Rename(decode_rename(fields, codec_context)?),
        SUBSTITUTE => ToAgent::Substitute { old: decode_text(fields)?, new: decode_text(fields)? },
        PREFIX_PART => ToAgent::PrefixPart(decode_prefix_part(fields)?),
        PREFIX => ToAgent::Prefix { check: fields.array()? },
        RETAIN => ToAgent::Retain { known: decode_index(fields)?, digest: Digest(fields.array()?) },
        DROP_RETAINED => ToAgent::DropRetained { retained_contents: decode_index(fields)? },
        HISTORY => ToAgent::History { keep: fields.bounded("history", limits::HISTORY_BYTES)? },
        PRUNE => ToAgent::Prune,
        ALIAS => ToAgent::Alias { path: whole_path(fields)?, other: whole_path(fields)? },
        other => return Err(unknown_tag(other)),
    })
}

fn decode_text(fields: &mut Fields<'_>) -> Result<Vec<u8>, DecodeError> {
    Ok(fields.bytes("text length", limits::FINGERPRINT_BYTES)?.to_vec())
}

fn decode_copy(
    fields: &mut Fields<'_>,
    codec_context: &mut CodecContext,
) -> Result<ToAgent<'static>, DecodeError> {
    let offset = codec_context.copied_to.wrapping_add_signed(fields.signed()?);
    let length = fields.bounded("copy length", limits::FILE_BYTES)?;
    if offset > limits::FILE_BYTES {
        let limit = limits::FILE_BYTES;
        return Err(DecodeError::OverLimit { what: "copy offset", value: offset, limit });
    }
    codec_context.copied_to = offset + length;
    Ok(ToAgent::Copy { offset, length })
}

fn decode_amend(fields: &mut Fields<'_>) -> Result<ToAgent<'static>, DecodeError> {
    let action = decode_index(fields)?;
    let size = fields.bounded("file size", limits::FILE_BYTES)?;
    let secs = fields.signed()?;
    let nanos = fields.bounded("nanoseconds", 999_999_999)? as u32;
    let digest = Digest(fields.array()?);
    Ok(ToAgent::Amend { action, size, mtime: Mtime { secs, nanos }, digest })
}
