//! The digest of all that one side has sent, by which the other side finds that a byte was changed
//! on the way.
//!
//! Packed frames and the headers of stored ones count. Stored content does not: it has the digest
//! of its file. Nor do heartbeats and receipts, which are sent at any time and decide nothing.

use super::frame::{CHECK_BYTES, FrameKind, HEADER_BYTES};

/// The running digest of one direction.
#[derive(Debug, Clone, Default)]
pub struct StreamDigest {
    hasher: blake3::Hasher,
    header: [u8; HEADER_BYTES],
    /// Bytes of the header that have passed.
    header_bytes: usize,
    /// Bytes of the payload that have not.
    payload_left: usize,
}

impl StreamDigest {
    /// Adds bytes of frames, in pieces of any size.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let is_header = self.payload_left == 0;
            let wanted =
                if is_header { HEADER_BYTES - self.header_bytes } else { self.payload_left };
            let (piece, rest) = bytes.split_at(wanted.min(bytes.len()));
            if is_header {
                self.pass_header(piece);
            } else {
                self.payload_left -= piece.len();
                if FrameKind::of(self.header[0]) == Ok(FrameKind::Packed) {
                    self.hasher.update(piece);
                }
            }
            bytes = rest;
        }
    }

    fn pass_header(&mut self, piece: &[u8]) {
        let end = self.header_bytes + piece.len();
        self.header[self.header_bytes..end].copy_from_slice(piece);
        self.header_bytes = end % HEADER_BYTES;
        if self.header_bytes == 0 {
            let [kind, a, b, c] = self.header;
            self.payload_left = u32::from_le_bytes([a, b, c, 0]) as usize;
            if matches!(FrameKind::of(kind), Ok(FrameKind::Packed | FrameKind::Stored)) {
                self.hasher.update(&self.header);
            }
        }
    }

    /// The payload of a check frame: the first bytes of the BLAKE3 of all that has passed.
    pub fn check(&self) -> [u8; CHECK_BYTES] {
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&self.hasher.finalize().as_bytes()[..CHECK_BYTES]);
        check
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::put_frame;

    fn of(bytes: &[u8], piece: usize) -> [u8; CHECK_BYTES] {
        let mut digest = StreamDigest::default();
        bytes.chunks(piece).for_each(|piece| digest.pass(piece));
        digest.check()
    }

    #[test]
    fn pieces_of_any_size_give_the_same_digest() {
        let (mut bytes, mut expected) = (Vec::new(), blake3::Hasher::new());
        for (kind, payload, counts) in [
            (FrameKind::Packed, &b"messages"[..], 12),
            (FrameKind::Heartbeat, b"", 0),
            (FrameKind::Stored, b"content", 4),
            (FrameKind::Receipt, b"12345678", 0),
            (FrameKind::Packed, b"", 4),
            (FrameKind::Packed, b"more", 8),
        ] {
            let before = bytes.len();
            put_frame(&mut bytes, kind, payload);
            expected.update(&bytes[before..before + counts]);
        }
        let expected = expected.finalize();
        for piece in [1, 2, 3, 5, 7, 100] {
            assert_eq!(of(&bytes, piece), expected.as_bytes()[..CHECK_BYTES], "pieces of {piece}");
        }
    }
}
