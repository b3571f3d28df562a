//! The trait of all messages, and the fields that several of them have. `docs/protocol.md` shows
//! the bytes.

use std::fmt::Debug;

use super::codec::{DecodeError, Fields, put_number};
use super::codec_context::CodecContext;
use crate::index::{Index, List};
use crate::limits;

/// Messages of one direction: [`ToAgent`](super::ToAgent) or [`ToSender`](super::ToSender).
///
/// At most one field of a message is borrowed, and it is the last one. So a received message is
/// decoded once, without that field, as soon as all of it has arrived;
/// [`with_bytes`](Message::with_bytes) adds the field when the message is taken.
pub trait Message: Sized + Debug {
    /// The messages of this direction whose bytes are borrowed for `'a`.
    type Of<'a>: Message;

    /// Its tag, and its name in `docs/protocol.md`.
    fn tag_and_name(&self) -> (u8, &'static str);

    /// Appends what follows the tag; `codec_context` is this direction's.
    fn put_fields(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext);

    /// Reads a message off the front of `fields`, and the bytes of its borrowed field.
    ///
    /// [`DecodeError::UnexpectedEnd`] means that more bytes are needed; `codec_context` is then
    /// unchanged. The tag of a message to the other side is unknown.
    fn decode<'b>(
        fields: &mut Fields<'b>,
        codec_context: &mut CodecContext,
    ) -> Result<(Self::Of<'static>, &'b [u8]), DecodeError>;

    /// Adds the borrowed field to a decoded message.
    fn with_bytes<'a>(message: Self::Of<'static>, bytes: &'a [u8]) -> Self::Of<'a>;

    /// Whether the side that sends it now waits for the other one to do something. What it has sent
    /// so far is checked then, before anything is done about the message.
    fn ends_turn(&self) -> bool;

    /// Appends the message.
    fn encode(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext) {
        out.push(self.tag_and_name().0);
        self.put_fields(out, codec_context);
    }

    /// Its name, for errors: the content may be anything that the other side sends.
    fn name(&self) -> &'static str {
        self.tag_and_name().1
    }
}

/// The error for a tag that no message of this direction has.
pub(super) fn unknown_tag(tag: u8) -> DecodeError {
    DecodeError::Unknown { what: "message", value: u64::from(tag) }
}

/// Appends an index.
pub(super) fn put_index<L>(out: &mut Vec<u8>, index: Index<L>) {
    put_number(out, u64::from(index.number()));
}

/// Reads an index within the limit of its list.
pub(super) fn decode_index<L: List>(fields: &mut Fields<'_>) -> Result<Index<L>, DecodeError> {
    Ok(Index::new(fields.bounded("position", L::LIMIT)? as u32))
}

/// Reads a number of entries.
pub(super) fn decode_count(fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
    Ok(fields.bounded("count", limits::ENTRIES)? as u32)
}

/// Reads a flag.
pub(super) fn decode_bool(fields: &mut Fields<'_>) -> Result<bool, DecodeError> {
    Ok(fields.bounded("flag", 1)? == 1)
}

/// Reads a piece of content, a signature or a history.
pub(super) fn decode_piece<'b>(
    fields: &mut Fields<'b>,
    what: &'static str,
) -> Result<&'b [u8], DecodeError> {
    fields.bytes(what, limits::LITERAL_BYTES)
}
