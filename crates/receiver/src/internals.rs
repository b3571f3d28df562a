//! What reads files of others, for fuzzing. Nothing here is promised to anyone else.

use assetsync_core::protocol::{CodecContext, Fields};

use crate::survey::index_entry::IndexEntry;

/// Reads entries of an index, up to the first bytes that are none; gives their number.
pub fn read_index_entries(bytes: &[u8]) -> usize {
    let (mut fields, mut codec_context) = (Fields(bytes), CodecContext::default());
    std::iter::from_fn(|| IndexEntry::decode(&mut fields, &mut codec_context).ok()).count()
}
