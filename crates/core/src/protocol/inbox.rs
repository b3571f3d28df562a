//! The receiving half of a conversation: bytes in, messages out, without I/O.

use std::ops::Range;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::codec::{DecodeError, Fields};
use super::codec_context::CodecContext;
use super::failure::Failure;
use super::frame::{FrameError, FrameKind, HEADER_BYTES, peek_frame};
use super::message::Message;
use super::receipt::Receipt;
use super::stream_digest::StreamDigest;
use crate::limits;

/// Bytes that are decompressed at a time.
const PLAIN_BYTES: usize = 64 * 1024;

/// A message `M`, or the content of another frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a, M> {
    /// A message.
    Message(M),
    /// Stored content, announced by [`ToAgent::Stored`](super::ToAgent).
    Stored(&'a [u8]),
    /// The other side failed and has ended.
    Failure(Failure),
}

/// Why received bytes are invalid.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// Not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Not a message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Not zstd, or with a window over the limit.
    #[error("Compressed data is damaged: {0}")]
    Packed(std::io::Error),
    /// A stored frame came in the middle of a message.
    #[error("Stored content came in the middle of a message")]
    StoredInsideMessage,
    /// A zstd frame goes on after the message that should have been its last.
    #[error("A prefix came in the middle of a frame")]
    PrefixInsideFrame,
    /// Something else came where a check has to be.
    #[error("Messages go on after the end of a turn")]
    Unchecked,
    /// The digest of what was sent is not that of what arrived.
    #[error(
        "What arrived is not what was sent: a byte changed on the way, so it was not used; push \
         again, and if that happens again, over ssh"
    )]
    Changed,
}

/// The item that [`Inbox::pop`] will return.
enum PendingItem<M> {
    /// A decoded message, and its borrowed field in the decompressed bytes.
    Message(M, Range<usize>),
    /// The payload of a stored frame.
    Stored(Range<usize>),
    /// The payload of a failure frame.
    Failure(Range<usize>),
}

/// Turns received bytes into the messages of one direction. Feed it with
/// [`receive`](Inbox::receive), then [`pop`](Inbox::pop) while it is [`ready`](Inbox::ready).
pub struct Inbox<M: Message> {
    /// Received bytes; those before `raw_at` are consumed.
    raw: Vec<u8>,
    raw_at: usize,
    /// Remaining bytes of the packed frame at `raw_at`.
    packed_left: usize,
    inflater: Decoder<'static>,
    /// A zstd frame has begun and not ended.
    in_frame: bool,
    /// The prefix of the next zstd frame.
    next_prefix: Option<Vec<u8>>,
    /// The frame that is being decompressed has a prefix.
    has_prefix: bool,
    /// The decompressor filled its output and may hold more.
    inflater_full: bool,
    plain: Vec<u8>,
    plain_at: usize,
    /// The message at `plain_at` is incomplete; more has to be decompressed before it can be
    /// decoded.
    needs_plain: bool,
    codec_context: CodecContext,
    front: Option<PendingItem<M::Of<'static>>>,
    /// The message at the front ends a turn; its check has not come.
    awaits_check: bool,
    digest: StreamDigest,
    /// What the other side has received, as far as it has said so.
    receipt: Receipt,
}

impl<M: Message> Inbox<M> {
    /// An inbox for one direction of one conversation.
    pub fn new() -> std::io::Result<Inbox<M>> {
        Ok(Inbox {
            raw: Vec::new(),
            raw_at: 0,
            packed_left: 0,
            inflater: decompressor(&[])?,
            in_frame: false,
            next_prefix: None,
            has_prefix: false,
            inflater_full: false,
            plain: Vec::with_capacity(PLAIN_BYTES + limits::MESSAGE_BYTES),
            plain_at: 0,
            needs_plain: true,
            codec_context: CodecContext::default(),
            front: None,
            awaits_check: false,
            digest: StreamDigest::default(),
            receipt: Receipt::default(),
        })
    }

    /// Sets the prefix of the next zstd frame: [`ToAgent::Prefix`](super::ToAgent) was popped last.
    pub fn expect_prefix(&mut self, prefix: Vec<u8>) -> Result<(), InboxError> {
        if self.plain_at < self.plain.len() || self.next_prefix.is_some() {
            return Err(InboxError::PrefixInsideFrame);
        }
        self.next_prefix = Some(prefix);
        self.needs_plain = true;
        Ok(())
    }

    /// Adds received bytes, in pieces of any size.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.raw_at > 0 {
            self.raw.drain(..self.raw_at);
            self.raw_at = 0;
        }
        self.raw.extend_from_slice(bytes);
    }

    /// Received bytes that are not yet consumed.
    pub fn waiting(&self) -> usize {
        self.raw.len() - self.raw_at
    }

    /// What the other side has received, according to its receipts so far.
    pub fn receipt(&self) -> Receipt {
        self.receipt
    }

    /// Whether [`pop`](Inbox::pop) has something to return; if not, more bytes are needed. A
    /// message that ends a turn is there once its check has come, and is right.
    pub fn ready(&mut self) -> Result<bool, InboxError> {
        while self.front.is_none() || self.awaits_check {
            if self.awaits_check && self.plain_at < self.plain.len() {
                return Err(InboxError::Unchecked);
            }
            if !self.needs_plain && !self.awaits_check {
                self.front = self.decode()?;
            } else if self.packed_left > 0 || self.inflater_full {
                if !self.inflate()? {
                    return Ok(false);
                }
            } else if !self.next_frame()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next message or frame, once [`ready`](Inbox::ready).
    pub fn pop(&mut self) -> Result<Received<'_, M::Of<'_>>, InboxError> {
        match self.front.take() {
            Some(PendingItem::Stored(payload)) => Ok(Received::Stored(&self.raw[payload])),
            Some(PendingItem::Failure(payload)) => {
                Ok(Received::Failure(Failure::decode(&self.raw[payload])))
            }
            Some(PendingItem::Message(message, bytes)) => {
                Ok(Received::Message(M::with_bytes(message, &self.plain[bytes])))
            }
            None => Err(DecodeError::UnexpectedEnd.into()),
        }
    }

    /// Looks at the frame at the front; `false` if more bytes are needed.
    fn next_frame(&mut self) -> Result<bool, InboxError> {
        let Some((kind, length)) = peek_frame(&self.raw[self.raw_at..])? else { return Ok(false) };
        if self.awaits_check && matches!(kind, FrameKind::Packed | FrameKind::Stored) {
            return Err(InboxError::Unchecked);
        }
        if kind == FrameKind::Packed {
            self.digest.pass(&self.raw[self.raw_at..self.raw_at + HEADER_BYTES]);
            self.raw_at += HEADER_BYTES;
            self.packed_left = length;
            return Ok(true);
        }
        let Some(payload) = self.whole_frame(length) else { return Ok(false) };
        match kind {
            FrameKind::Stored if self.plain_at < self.plain.len() => {
                return Err(InboxError::StoredInsideMessage);
            }
            FrameKind::Stored => self.front = Some(PendingItem::Stored(payload)),
            FrameKind::Failure => {
                self.front = Some(PendingItem::Failure(payload));
                self.awaits_check = false;
            }
            FrameKind::Receipt => self.acknowledge(payload)?,
            FrameKind::Check => self.check(payload)?,
            FrameKind::Packed | FrameKind::Heartbeat => {}
        }
        Ok(true)
    }

    fn acknowledge(&mut self, payload: Range<usize>) -> Result<(), InboxError> {
        let length = payload.len();
        let receipt = Receipt::decode(&self.raw[payload]).ok_or(FrameError::Length(length))?;
        self.receipt = self.receipt.max(receipt);
        Ok(())
    }

    fn check(&mut self, payload: Range<usize>) -> Result<(), InboxError> {
        if self.raw[payload] != self.digest.check() {
            return Err(InboxError::Changed);
        }
        self.awaits_check = false;
        Ok(())
    }

    /// Consumes the frame at the front and returns its payload, once all of it has arrived.
    fn whole_frame(&mut self, length: usize) -> Option<Range<usize>> {
        let start = self.raw_at + HEADER_BYTES;
        let end = start + length;
        (end <= self.raw.len()).then(|| {
            self.digest.pass(&self.raw[self.raw_at..end]);
            self.raw_at = end;
            start..end
        })
    }

    /// Decompresses some of the packed frame at the front; `false` if more bytes are needed.
    fn inflate(&mut self) -> Result<bool, InboxError> {
        let here = self.packed_left.min(self.raw.len() - self.raw_at);
        if here == 0 && !self.inflater_full {
            return Ok(false);
        }
        if !self.in_frame {
            self.begin_frame().map_err(InboxError::Packed)?;
        }
        self.plain.drain(..self.plain_at);
        self.plain_at = 0;
        let before = self.plain.len();
        self.plain.reserve(PLAIN_BYTES);
        let mut input = InBuffer::around(&self.raw[self.raw_at..self.raw_at + here]);
        let mut output = OutBuffer::around_pos(&mut self.plain, before);
        let left = self.inflater.run(&mut input, &mut output).map_err(InboxError::Packed)?;
        let (read, is_full) = (input.pos(), output.pos() == output.capacity());
        self.digest.pass(&self.raw[self.raw_at..self.raw_at + read]);
        let written = self.plain.len() - before;
        self.raw_at += read;
        self.packed_left -= read;
        if self.next_prefix.is_some() && written > 0 && self.in_frame {
            return Err(InboxError::PrefixInsideFrame);
        }
        self.in_frame = left > 0;
        self.inflater_full = self.in_frame && is_full;
        self.needs_plain = written == 0;
        Ok(true)
    }

    /// A prefix applies to one frame.
    fn begin_frame(&mut self) -> std::io::Result<()> {
        if let Some(prefix) = self.next_prefix.take() {
            self.inflater = decompressor(&prefix)?;
            self.has_prefix = true;
        } else if std::mem::take(&mut self.has_prefix) {
            self.inflater = decompressor(&[])?;
        }
        self.in_frame = true;
        Ok(())
    }

    /// Decodes the message at the front of the decompressed bytes, if all of it is there.
    fn decode(&mut self) -> Result<Option<PendingItem<M::Of<'static>>>, InboxError> {
        let rest = &self.plain[self.plain_at..];
        let mut fields = Fields(rest);
        match M::decode(&mut fields, &mut self.codec_context) {
            Ok((message, bytes)) => {
                self.plain_at = self.plain.len() - fields.0.len();
                self.awaits_check = message.ends_turn();
                let bytes = match self.awaits_check {
                    // It borrows nothing, and bytes go on being decompressed.
                    true => 0..0,
                    false => self.plain_at - bytes.len()..self.plain_at,
                };
                Ok(Some(PendingItem::Message(message, bytes)))
            }
            Err(DecodeError::UnexpectedEnd) if rest.len() < limits::MESSAGE_BYTES => {
                self.needs_plain = true;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn decompressor(prefix: &[u8]) -> std::io::Result<Decoder<'static>> {
    let mut inflater = Decoder::with_dictionary(prefix)?;
    inflater.set_parameter(DParameter::WindowLogMax(limits::WINDOW_LOG))?;
    Ok(inflater)
}

#[cfg(test)]
mod tests;
