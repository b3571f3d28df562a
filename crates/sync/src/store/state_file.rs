//! The remembered state of a destination, in a file of its own.
//!
//! Format: 16 bytes of magic, the state's id, bytes per second of the line (0: not measured), 1 and
//! the milliseconds in which the host answered to SSH (0: not measured), the destination's name for
//! people, how many entries there are, the entries as they travel in one zstd stream, the BLAKE3 of
//! all that. Format 3 has no milliseconds, format 2 a byte in place of both: 1 if the destination
//! was near.

use std::io::{self, Read};
use std::time::Duration;

use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::{
    CodecContext, Fields, decode_entry, put_bytes, put_entry, put_number,
};
use assetsync_core::state::{RemoteEntry, StateId};

use crate::cost::line::PastLine;

const MAGIC: &[u8; 16] = b"assetsync-state4";
const MAGIC_3: &[u8; 16] = b"assetsync-state3";
const MAGIC_2: &[u8; 16] = b"assetsync-state2";
const HASH_BYTES: usize = 32;
const LEVEL: i32 = 1;

/// Bytes per second where format 2 says that the destination was near.
const NEARBY_2: u64 = 60_000_000;

/// Longest name of a destination, in bytes; what is longer is cut.
const NAME_BYTES: usize = 8192;

/// No entry takes less than a byte for its kind, two for its path, and one for its path's text.
const ENTRY_BYTES: usize = 4;

/// A file's content that is known to be whole.
#[derive(Debug)]
pub struct StateFile<'a> {
    /// The destination's name for people.
    pub name: String,
    /// The state's id.
    pub id: StateId,
    /// What is known about the line.
    pub past_line: Option<PastLine>,
    /// How many entries there are.
    pub count: u64,
    packed: &'a [u8],
}

/// The bytes of a file.
pub fn encode(
    name: &str,
    past_line: Option<PastLine>,
    id: &StateId,
    entries: &[RemoteEntry],
) -> io::Result<Vec<u8>> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&id.0);
    put_number(&mut out, past_line.map_or(0, |line| line.rate));
    let response = past_line.and_then(|line| line.ssh_response);
    put_number(&mut out, response.map_or(0, |response| response.as_millis() as u64 + 1));
    put_bytes(&mut out, &name.as_bytes()[..name.len().min(NAME_BYTES)]);
    put_number(&mut out, entries.len() as u64);
    let (mut plain, mut codec_context) = (Vec::new(), CodecContext::default());
    entries.iter().for_each(|entry| put_entry(&mut plain, entry, &mut codec_context));
    zstd::stream::copy_encode(&plain[..], &mut out, LEVEL)?;
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    Ok(out)
}

impl StateFile<'_> {
    /// Reads all but the entries; `None` if anything is damaged.
    pub fn open(bytes: &[u8]) -> Option<StateFile<'_>> {
        let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
        if blake3::hash(body) != *hash {
            return None;
        }
        let (magic, rest) = body.split_first_chunk()?;
        let mut fields = Fields(rest);
        let id = StateId(fields.array().ok()?);
        let rate = fields.number().ok()?;
        let (rate, millis) = match magic {
            MAGIC => (rate, fields.number().ok()?),
            MAGIC_3 => (rate, 0),
            MAGIC_2 => (u64::from(rate == 1) * NEARBY_2, 0),
            _ => return None,
        };
        let ssh_response = millis.checked_sub(1).map(Duration::from_millis);
        let past_line = (rate > 0).then_some(PastLine { rate, ssh_response });
        let name = String::from_utf8_lossy(fields.bytes("name", NAME_BYTES).ok()?).into_owned();
        let count = fields.bounded("entries", limits::ENTRIES).ok()?;
        Some(StateFile { name, id, past_line, count, packed: fields.rest() })
    }

    /// The entries; `None` if they are not in tree order, as many as was said, and within all
    /// limits.
    pub fn entries(&self) -> Option<Vec<RemoteEntry>> {
        let plain = self.plain().ok()?;
        let (mut fields, mut codec_context) = (Fields(&plain), CodecContext::default());
        let most = plain.len() / ENTRY_BYTES + 1;
        let mut entries: Vec<RemoteEntry> = Vec::with_capacity(most.min(self.count as usize));
        for _ in 0..self.count {
            entries.push(decode_entry(&mut fields, &mut codec_context).ok()?);
        }
        let paths = || entries.iter().map(|remote| &remote.entry.path);
        (fields.end().is_ok() && paths().is_sorted_by(|a: &&RelPath, b| a < b)).then_some(entries)
    }

    fn plain(&self) -> io::Result<Vec<u8>> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(self.packed)?;
        decoder.window_log_max(limits::WINDOW_LOG)?;
        let mut plain = Vec::new();
        decoder.take(limits::STATE_BYTES as u64).read_to_end(&mut plain)?;
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::digest::ShortDigest;
    use assetsync_core::entry::{Entry, Kind, Mtime};
    use proptest::prelude::*;

    use super::*;

    const ID: StateId = StateId([7; 16]);

    fn entry(name: &str, kind: Kind, digest: Option<ShortDigest>) -> RemoteEntry {
        let path = RelPath::new(name.as_bytes()).unwrap();
        let mtime = Mtime { secs: name.len() as i64, nanos: 5 };
        RemoteEntry { entry: Entry { path, kind, mode: 0o644, mtime }, digest }
    }

    fn entries() -> Vec<RemoteEntry> {
        let link = Kind::Symlink { target: b"a".to_vec() };
        vec![
            entry("a", Kind::File { size: 1 << 40 }, Some(ShortDigest([3; 16]))),
            entry("d", Kind::Dir, None),
            entry("d/b", Kind::File { size: 0 }, None),
            entry("l", link, None),
        ]
    }

    fn line(rate: u64, millis: Option<u64>) -> Option<PastLine> {
        Some(PastLine { rate, ssh_response: millis.map(Duration::from_millis) })
    }

    fn decode(bytes: &[u8]) -> Option<(StateId, Vec<RemoteEntry>)> {
        let file = StateFile::open(bytes)?;
        Some((file.id, file.entries()?))
    }

    /// The same with a hash that fits: what only somebody who means harm would write.
    fn sealed(body: &[u8]) -> Vec<u8> {
        [body, blake3::hash(body).as_bytes()].concat()
    }

    #[test]
    fn states_survive() {
        for entries in [entries(), Vec::new()] {
            let bytes = encode("web1:/srv", line(7000, Some(0)), &ID, &entries).unwrap();
            let file = StateFile::open(&bytes).unwrap();
            let told = (file.name.as_str(), file.past_line, file.count);
            assert_eq!(told, ("web1:/srv", line(7000, Some(0)), entries.len() as u64));
            assert_eq!(decode(&bytes), Some((ID, entries)));
        }
        let long = encode(&"ä".repeat(NAME_BYTES), None, &ID, &[]).unwrap();
        assert!(StateFile::open(&long).unwrap().name.starts_with("ää"));
    }

    #[test]
    fn a_state_of_format_2_is_still_read() {
        let file = StateFile::open(include_bytes!("../../tests/fixtures/state")).unwrap();
        let found = (file.name.as_str(), file.past_line);
        assert_eq!(found, ("deploy@web1:shop", line(NEARBY_2, None)));
        assert_eq!((file.id, file.entries()), (ID, Some(entries())));
    }

    #[test]
    fn states_of_formats_3_and_4_are_read() {
        let formats: [(&[u8], _); 2] = [
            (include_bytes!("../../tests/fixtures/state3"), None),
            (include_bytes!("../../tests/fixtures/state4"), Some(40)),
        ];
        for (bytes, millis) in formats {
            let file = StateFile::open(bytes).unwrap();
            let found = (file.name.as_str(), file.past_line);
            assert_eq!(found, ("deploy@web1:shop", line(2_500_000, millis)));
            assert_eq!((file.id, file.entries()), (ID, Some(entries())));
        }
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let whole = encode("web1:/srv", line(1, Some(2)), &ID, &entries()).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(decode(&flipped).is_none() && decode(&whole[..at]).is_none(), "byte {at}");
        }
        assert!(decode(&[&whole[..], b"x"].concat()).is_none());
    }

    #[test]
    fn hostile_states_are_refused() {
        let mut plain = Vec::new();
        let mut codec_context = CodecContext::default();
        entries().iter().rev().for_each(|entry| put_entry(&mut plain, entry, &mut codec_context));
        let body = |count: u64, plain: &[u8]| {
            let mut body = [MAGIC, &ID.0[..], b"\x00\x00\x01n"].concat();
            put_number(&mut body, count);
            body.extend(zstd::stream::encode_all(plain, 1).unwrap());
            sealed(&body)
        };
        assert_eq!(decode(&body(0, b"")), Some((ID, Vec::new())));
        assert_eq!(decode(&body(4, &plain)), None, "not in tree order");
        assert_eq!(decode(&body(limits::ENTRIES, b"")), None, "fewer than said");
        assert_eq!(decode(&body(u64::MAX, b"")), None, "too many");
        assert_eq!(decode(&body(0, b"x")), None, "more than said");
        assert_eq!(
            decode(&sealed(&[&MAGIC[..], &ID.0, &[0], &[0xff; 9], &[1]].concat())),
            None,
            "long name"
        );
        assert_eq!(decode(&sealed(b"")), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&sealed(&body)), None);
            let behind = sealed(&[&MAGIC[..], &body].concat());
            if let Some(file) = StateFile::open(&behind) {
                let _ = file.entries();
            }
        }
    }
}
