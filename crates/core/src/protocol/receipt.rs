//! Receipts: what the agent says of the bytes that it has received.

use std::time::Duration;

use super::frame::RECEIPT_BYTES;

/// What has arrived at the agent since the connection began. Both numbers only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Bytes that it has received.
    pub bytes: u64,
    /// How long it has waited for them, in whole microseconds. The rest of the time it worked, and
    /// the line may have carried more than it took.
    pub waited: Duration,
}

impl Receipt {
    /// The payload of a [`FrameKind::Receipt`](super::FrameKind).
    pub fn encode(self) -> [u8; RECEIPT_BYTES] {
        let mut payload = [0; RECEIPT_BYTES];
        let (bytes, waited) = payload.split_at_mut(size_of::<u64>());
        bytes.copy_from_slice(&self.bytes.to_le_bytes());
        let micros = u64::try_from(self.waited.as_micros()).unwrap_or(u64::MAX);
        waited.copy_from_slice(&micros.to_le_bytes());
        payload
    }

    /// The receipt with this payload; `None` if it has another length.
    pub(super) fn decode(payload: &[u8]) -> Option<Receipt> {
        let (bytes, waited) = payload.split_first_chunk()?;
        let waited = Duration::from_micros(u64::from_le_bytes(waited.try_into().ok()?));
        Some(Receipt { bytes: u64::from_le_bytes(*bytes), waited })
    }

    /// The later of two receipts, number by number.
    pub(super) fn max(self, other: Receipt) -> Receipt {
        Receipt { bytes: self.bytes.max(other.bytes), waited: self.waited.max(other.waited) }
    }
}
