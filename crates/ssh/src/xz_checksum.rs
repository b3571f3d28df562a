//! Recognises an xz file's content by the checksum in it, without unpacking.

use crc::{CRC_32_ISO_HDLC, CRC_64_XZ, Crc, Table};

static CRC_32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC_64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);

/// The footer: a CRC, the size of the index, the stream's flags, `YZ`.
const FOOTER: usize = 12;

/// Whether `packed` has a single block whose CRC is that of `plain`. It may still be damaged.
pub fn is_of(packed: &[u8], plain: &[u8]) -> bool {
    let Some((rest, footer)) = packed.split_last_chunk::<FOOTER>() else { return false };
    let [_, _, _, _, a, b, c, d, flags @ .., b'Y', b'Z'] = *footer else { return false };
    let index_size = (u64::from(u32::from_le_bytes([a, b, c, d])) + 1) * 4;
    let Some(end) = usize::try_from(index_size).ok().and_then(|size| rest.len().checked_sub(size))
    else {
        return false;
    };
    let (blocks, index) = rest.split_at(end);
    // An index begins with a zero byte and the number of blocks.
    index.starts_with(&[0, 1])
        && match flags {
            [0, 1] => blocks.ends_with(&CRC_32.checksum(plain).to_le_bytes()),
            [0, 4] => blocks.ends_with(&CRC_64.checksum(plain).to_le_bytes()),
            _ => false,
        }
}
