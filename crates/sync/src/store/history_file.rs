//! The remembered history of a destination, in a file of its own: 16 bytes of magic, the history,
//! the BLAKE3 of both.

use assetsync_core::limits;

const MAGIC: &[u8; 16] = b"assetsync-hstry1";
const HASH_BYTES: usize = 32;

/// The bytes of a file.
pub fn encode(history: &[u8]) -> Vec<u8> {
    let mut out = [MAGIC, history].concat();
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out
}

/// The history in a file; `None` if anything is damaged.
pub fn open(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
    let is_whole = blake3::hash(body) == *hash && body.starts_with(MAGIC);
    let end = body.len();
    if !is_whole || (end - MAGIC.len()) as u64 > limits::HISTORY_BYTES {
        return None;
    }
    bytes.truncate(end);
    Some(bytes.split_off(MAGIC.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_of_format_1_is_still_read_and_written() {
        let written = encode(b"some deploys");
        let fixture = include_bytes!("../../tests/fixtures/history");
        assert_eq!(
            (&written[..], open(written.clone())),
            (&fixture[..], Some(b"some deploys".to_vec()))
        );
    }

    #[test]
    fn histories_survive_and_damage_anywhere_is_noticed() {
        let whole = encode(b"some deploys");
        assert_eq!(open(whole.clone()).as_deref(), Some(&b"some deploys"[..]));
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(open(flipped).is_none() && open(whole[..at].to_vec()).is_none(), "byte {at}");
        }
        assert!(open(blake3::hash(b"").as_bytes().to_vec()).is_none(), "no magic");
    }
}
