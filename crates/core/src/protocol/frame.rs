//! Frames: how messages, stored content, heartbeats, receipts, checks and failures share one byte
//! stream.
//!
//! A frame is one byte of kind, three bytes of length (little endian), and the payload.

use crate::limits;

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 4;

/// The kind of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// The next piece of this direction's zstd stream, which holds messages.
    Packed,
    /// Content that is not compressed again.
    Stored,
    /// Only shows that the peer is alive; no payload.
    Heartbeat,
    /// The side that sends this frame gives up; the payload has the reason. Nothing follows.
    Failure,
    /// What the agent has received: a [`Receipt`](super::Receipt).
    Receipt,
    /// The [digest](super::StreamDigest) of all that the side has sent; follows each message that
    /// ends a turn.
    Check,
}

/// Bytes of the payload of a [`FrameKind::Receipt`].
pub const RECEIPT_BYTES: usize = 2 * size_of::<u64>();

/// Bytes of the payload of a [`FrameKind::Check`].
pub const CHECK_BYTES: usize = 16;

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A kind that this version does not know.
    #[error("Frame of unknown kind {0}")]
    Kind(u8),
    /// A payload over its limit.
    #[error("Frame of {0} bytes is too long")]
    Length(usize),
}

impl FrameKind {
    pub(super) fn of(byte: u8) -> Result<FrameKind, FrameError> {
        match byte {
            1 => Ok(FrameKind::Packed),
            2 => Ok(FrameKind::Stored),
            3 => Ok(FrameKind::Heartbeat),
            4 => Ok(FrameKind::Failure),
            5 => Ok(FrameKind::Receipt),
            6 => Ok(FrameKind::Check),
            other => Err(FrameError::Kind(other)),
        }
    }

    fn byte(self) -> u8 {
        match self {
            FrameKind::Packed => 1,
            FrameKind::Stored => 2,
            FrameKind::Heartbeat => 3,
            FrameKind::Failure => 4,
            FrameKind::Receipt => 5,
            FrameKind::Check => 6,
        }
    }

    fn limit(self) -> usize {
        match self {
            FrameKind::Packed | FrameKind::Stored => limits::FRAME_BYTES,
            FrameKind::Heartbeat => 0,
            FrameKind::Failure => limits::ERROR_BYTES,
            FrameKind::Receipt => RECEIPT_BYTES,
            FrameKind::Check => CHECK_BYTES,
        }
    }
}

/// Appends a frame; `payload` must be within the kind's limit.
pub fn put_frame(out: &mut Vec<u8>, kind: FrameKind, payload: &[u8]) {
    debug_assert!(payload.len() <= kind.limit());
    out.push(kind.byte());
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes()[..3]);
    out.extend_from_slice(payload);
}

/// Kind and length of the frame at the front of `bytes`, as soon as its header is there.
pub fn peek_frame(bytes: &[u8]) -> Result<Option<(FrameKind, usize)>, FrameError> {
    let Some(&[kind, a, b, c]) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let kind = FrameKind::of(kind)?;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if length > kind.limit() { Err(FrameError::Length(length)) } else { Ok(Some((kind, length))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back_and_bounded() {
        let mut out = Vec::new();
        put_frame(&mut out, FrameKind::Stored, &[7; 300]);
        assert_eq!(out[..4], [2, 44, 1, 0]);
        assert_eq!(peek_frame(&out), Ok(Some((FrameKind::Stored, 300))));
        assert_eq!(peek_frame(&out[..3]), Ok(None));
        assert_eq!(peek_frame(&[9, 0, 0, 0]), Err(FrameError::Kind(9)));
        assert_eq!(peek_frame(&[1, 1, 0, 1]), Err(FrameError::Length(65_537)));
        assert_eq!(peek_frame(&[3, 1, 0, 0]), Err(FrameError::Length(1)));
        assert_eq!(peek_frame(&[4, 255, 255, 255]), Err(FrameError::Length((1 << 24) - 1)));
    }
}
