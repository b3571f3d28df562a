//! The sending half of a conversation: messages in, bytes out. It does no I/O.

use std::io;

use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

use super::codec_context::CodecContext;
use super::failure::Failure;
use super::frame::{FrameKind, put_frame};
use super::message::Message;
use super::stream_digest::StreamDigest;
use crate::limits;

/// Messages are compressed once this many bytes are pending.
const GATHER_BYTES: usize = 16 * 1024;

/// A packed frame ends once it has this many bytes.
const PACKED_BYTES: usize = 32 * 1024;

/// From this level on, zstd's hash table has an entry for each position of the window, not for
/// every second one.
const THOROUGH: i32 = 10;

/// Up to this level, zstd expects a window of 512 KiB, and its hash table is so small that nothing
/// is found in a wider one.
const QUICK: i32 = 2;

/// From this window on, quick levels get a larger hash table, as powers of two: 512 KiB of memory,
/// in which level 1 finds what level 3 does, without taking longer.
const WIDE_WINDOW_LOG: u32 = 22;
const QUICK_HASH_LOG: u32 = 17;

/// Turns the messages of one direction into bytes.
pub struct Outbox {
    deflater: Encoder<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
    out: Vec<u8>,
    codec_context: CodecContext,
    digest: StreamDigest,
    /// A zstd frame has begun and not ended.
    in_frame: bool,
}

impl Outbox {
    /// An outbox for one direction of one conversation that compresses at zstd's `level`, with
    /// zstd's own window for that level but never one over the limit.
    pub fn new(level: i32) -> io::Result<Outbox> {
        Outbox::with_window(level, None)
    }

    /// As [`new`](Outbox::new), with a window of 2^`window_log` bytes, which the other side must
    /// hold in memory.
    pub fn with_window(level: i32, window_log: Option<u32>) -> io::Result<Outbox> {
        let deflater = compressor(level, window_log.unwrap_or(20))?;
        let (plain, packed, out) = (Vec::new(), Vec::new(), Vec::new());
        let (codec_context, digest) = (CodecContext::default(), StreamDigest::default());
        let in_frame = false;
        Ok(Outbox { deflater, plain, packed, out, codec_context, digest, in_frame })
    }

    /// Encodes a part of a direction that begins with a codec context; a new zstd frame begins. The
    /// part ends no turn.
    pub fn after(codec_context: CodecContext, level: i32) -> io::Result<Outbox> {
        Ok(Outbox { codec_context, ..Outbox::new(level)? })
    }

    /// Notes that these bytes of a part that was encoded elsewhere are sent next.
    pub fn pass(&mut self, encoded: &[u8]) {
        self.digest.pass(encoded);
    }

    /// Continues after a part that was encoded elsewhere and ended with a codec context; a new zstd
    /// frame begins.
    pub fn resume(&mut self, codec_context: CodecContext, level: i32) -> io::Result<()> {
        let digest = std::mem::take(&mut self.digest);
        *self = Outbox { digest, ..Outbox::after(codec_context, level)? };
        Ok(())
    }

    /// Ends the zstd frame and returns this direction's codec context.
    pub fn end(&mut self) -> CodecContext {
        self.end_frame();
        self.cut_frame();
        self.codec_context.clone()
    }

    /// Sets level and window; a new zstd frame of the same stream begins.
    pub fn tune(&mut self, level: i32, window_log: u32) -> io::Result<()> {
        self.end_frame();
        self.deflater = compressor(level, window_log)?;
        Ok(())
    }

    fn end_frame(&mut self) {
        self.compress();
        if std::mem::take(&mut self.in_frame) {
            while self.run(|deflater, out| deflater.finish(out, true)) > 0 {}
        }
    }

    /// Encodes a message that is sent later, with [`send_encoded`](Outbox::send_encoded) or in a
    /// zstd frame that is compressed elsewhere. Messages must arrive in the order in which they
    /// were encoded.
    pub fn encode(&mut self, message: &impl Message, out: &mut Vec<u8>) {
        message.encode(out, &mut self.codec_context);
    }

    /// Adds messages that were [encoded](Outbox::encode) before.
    pub fn send_encoded(&mut self, messages: &[u8]) {
        self.plain.extend_from_slice(messages);
        if self.plain.len() >= GATHER_BYTES {
            self.compress();
        }
    }

    /// Adds a whole zstd frame of messages that were [encoded](Outbox::encode) before. It stands
    /// between two frames of the stream; [`tune`](Outbox::tune) begins the next one. Its prefix, if
    /// it has one, was announced by [`ToAgent::Prefix`](super::ToAgent), the last message before.
    pub fn send_frame(&mut self, frame: &[u8]) {
        self.end_frame();
        self.cut_frame();
        for piece in frame.chunks(limits::FRAME_BYTES) {
            self.put(FrameKind::Packed, piece);
        }
    }

    /// Adds a message. If it ends a turn, all messages so far are flushed, and a check follows.
    pub fn send(&mut self, message: &impl Message) {
        message.encode(&mut self.plain, &mut self.codec_context);
        if message.ends_turn() {
            self.flush();
            put_frame(&mut self.out, FrameKind::Check, &self.digest.check());
        } else if self.plain.len() >= GATHER_BYTES {
            self.compress();
        }
    }

    /// Adds content that is not compressed; a [`ToAgent::Stored`](super::ToAgent) announced it.
    pub fn send_stored(&mut self, bytes: &[u8]) {
        self.flush();
        for piece in bytes.chunks(limits::FRAME_BYTES) {
            self.put(FrameKind::Stored, piece);
        }
    }

    /// Adds a failure; nothing may follow.
    pub fn fail(&mut self, failure: &Failure) {
        put_frame(&mut self.out, FrameKind::Failure, &failure.encode());
    }

    /// Flushes the compressor, so that the other side can decode all messages so far.
    pub fn flush(&mut self) {
        if self.plain.is_empty() && self.packed.is_empty() {
            return;
        }
        self.compress();
        while self.run(|deflater, out| deflater.flush(out)) > 0 {}
        self.cut_frame();
    }

    /// Bytes for the wire; empties the outbox.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Bytes waiting to be taken.
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    fn compress(&mut self) {
        let plain = std::mem::take(&mut self.plain);
        self.in_frame |= !plain.is_empty();
        let mut input = InBuffer::around(&plain[..]);
        while input.pos < plain.len() {
            self.run(|deflater, out| deflater.run(&mut input, out));
        }
        self.plain = plain;
        self.plain.clear();
    }

    /// One step of the compressor into the frame that is being filled.
    fn run(
        &mut self,
        step: impl FnOnce(&mut Encoder<'static>, &mut OutBuffer<'_, Vec<u8>>) -> io::Result<usize>,
    ) -> usize {
        let before = self.packed.len();
        self.packed.reserve(PACKED_BYTES);
        let mut out = OutBuffer::around_pos(&mut self.packed, before);
        // Compressing from memory to memory only fails when memory is exhausted.
        let left = step(&mut self.deflater, &mut out).expect("zstd has memory to compress");
        if self.packed.len() >= PACKED_BYTES {
            self.cut_frame();
        }
        left
    }

    fn cut_frame(&mut self) {
        let mut packed = std::mem::take(&mut self.packed);
        // The compressor fills the vector's capacity, which may be more than was reserved.
        for piece in packed.chunks(limits::FRAME_BYTES) {
            self.put(FrameKind::Packed, piece);
        }
        packed.clear();
        self.packed = packed;
    }

    fn put(&mut self, kind: FrameKind, payload: &[u8]) {
        let start = self.out.len();
        put_frame(&mut self.out, kind, payload);
        self.digest.pass(&self.out[start..]);
    }
}

fn compressor(level: i32, window_log: u32) -> io::Result<Encoder<'static>> {
    let mut deflater = with_parameters(Encoder::new(level)?, window_log)?;
    if let Some(hash_log) = hash_log(level, window_log) {
        deflater.set_parameter(CParameter::HashLog(hash_log))?;
    }
    Ok(deflater)
}

/// The size of the hash table as a power of two, where it is not zstd's own for the level.
fn hash_log(level: i32, window_log: u32) -> Option<u32> {
    match level {
        THOROUGH.. => Some(window_log.min(limits::WINDOW_LOG)),
        ..=QUICK if window_log >= WIDE_WINDOW_LOG => Some(QUICK_HASH_LOG),
        _ => None,
    }
}

fn with_parameters(
    mut deflater: Encoder<'static>,
    window_log: u32,
) -> io::Result<Encoder<'static>> {
    deflater.set_parameter(CParameter::ContentSizeFlag(false))?;
    deflater.set_parameter(CParameter::WindowLog(window_log.min(limits::WINDOW_LOG)))?;
    Ok(deflater)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of 1 KiB that look random, in two orders: each is repeated hundreds of KiB later, and
    /// nothing repeats nearby.
    fn shuffled_twice() -> Vec<u8> {
        const PIECES: u64 = 400;
        let piece = |at: u64| {
            let word = |salt: u64| (at + salt * PIECES).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed =
                |salt| (word(salt) ^ (word(salt) >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (0..64).map(|salt| format!("{:016x}", mixed(salt))).collect::<String>()
        };
        let first = (0..PIECES).map(piece);
        let second = (0..PIECES).map(|at| piece(at * 79 % PIECES));
        first.chain(second).collect::<String>().into_bytes()
    }

    #[test]
    fn a_quick_level_finds_what_is_far_back_in_a_wide_window() {
        let content = shuffled_twice();
        let packed = |window_log| {
            let mut deflater = compressor(1, window_log).unwrap();
            let mut packed = Vec::with_capacity(content.len());
            let mut input = InBuffer::around(&content[..]);
            let mut out = OutBuffer::around(&mut packed);
            deflater.run(&mut input, &mut out).unwrap();
            deflater.finish(&mut out, true).unwrap();
            assert_eq!(input.pos, content.len());
            out.pos() as f64 / content.len() as f64
        };
        let (narrow, wide) = (packed(WIDE_WINDOW_LOG - 1), packed(WIDE_WINDOW_LOG + 1));
        assert!(narrow > 0.4 && wide < 0.3, "{narrow} {wide}");
    }
}
