//! Packs: the contents that one push added, in one file that never changes.
//!
//! Format: contents, each a zstd frame of its own, or as it is where that is not smaller; the
//! [index](PackIndex); how many there are (8 bytes, little endian), 16 bytes of magic, and the
//! BLAKE3 of the index and these two. A content is checked against its own digest whenever it is
//! read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use assetsync_core::digest::{Digest, ShortDigest};
use assetsync_core::limits;
use tempfile::NamedTempFile;

use super::layout;
use super::layout::StoreFile;
use super::pack_index::{PackIndex, SLOT_BYTES, Slot};

/// Largest content that is kept, in bytes (64 MiB).
pub const CONTENT_BYTES: u64 = 64 << 20;

const MAGIC: &[u8; 16] = b"assetsync-pack-1";
const COUNT_BYTES: usize = 8;
const HASH_BYTES: usize = 32;
const END_BYTES: usize = COUNT_BYTES + MAGIC.len() + HASH_BYTES;

/// The lowest level: higher ones gain little, and packs never leave this machine.
const LEVEL: i32 = 1;

/// An open pack. It can be read even when its file has been deleted meanwhile.
#[derive(Debug)]
pub struct Pack {
    file: File,
    index: PackIndex,
    /// Its file, as it was found.
    pub found: StoreFile,
}

impl Pack {
    /// Opens a pack; `None` if it is damaged so that nothing in it can be found.
    pub fn open(found: StoreFile) -> io::Result<Option<Pack>> {
        let file = File::open(&found.path)?;
        let length = file.metadata()?.len();
        let index = match read_index(&file, length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            index => index?,
        };
        Ok(index.map(|index| Pack { file, index, found }))
    }

    /// Its contents.
    pub fn index(&self) -> &PackIndex {
        &self.index
    }

    /// A content by its short digest and its size in bytes, if it is here and undamaged.
    pub fn get(&self, digest: ShortDigest, size: u64) -> Option<Vec<u8>> {
        let slot = self.index.find(digest, size)?;
        unpack(&slot, self.packed(&slot)?)
    }

    /// The packed form of a content that proves to be undamaged.
    pub fn get_packed(&self, slot: &Slot) -> Option<Vec<u8>> {
        let packed = self.packed(slot)?;
        unpack(slot, packed.clone())?;
        Some(packed)
    }

    fn packed(&self, slot: &Slot) -> Option<Vec<u8>> {
        let end = slot.offset.checked_add(u64::from(slot.packed))?;
        if u64::from(slot.size) > CONTENT_BYTES || slot.packed > slot.size || end > self.found.bytes
        {
            return None;
        }
        let mut packed = vec![0; slot.packed as usize];
        self.file.read_exact_at(&mut packed, slot.offset).ok()?;
        Some(packed)
    }
}

fn read_index(file: &File, length: u64) -> io::Result<Option<PackIndex>> {
    let Some(end_at) = length.checked_sub(END_BYTES as u64) else { return Ok(None) };
    let mut end = [0; END_BYTES];
    file.read_exact_at(&mut end, end_at)?;
    let (head, hash) = end.split_at(COUNT_BYTES + MAGIC.len());
    let count = head.first_chunk().map_or(0, |count| u64::from_le_bytes(*count));
    let index_at = count.checked_mul(SLOT_BYTES as u64).and_then(|bytes| end_at.checked_sub(bytes));
    let Some(index_at) = index_at.filter(|_| count <= limits::ENTRIES && head.ends_with(MAGIC))
    else {
        return Ok(None);
    };
    let mut index = vec![0; (end_at - index_at) as usize];
    file.read_exact_at(&mut index, index_at)?;
    let is_whole = blake3::Hasher::new().update(&index).update(head).finalize() == *hash;
    Ok(is_whole.then(|| PackIndex::from_bytes(index)))
}

fn unpack(slot: &Slot, packed: Vec<u8>) -> Option<Vec<u8>> {
    let content = match slot.packed == slot.size {
        true => packed,
        false => zstd::bulk::decompress(&packed, slot.size as usize).ok()?,
    };
    (content.len() == slot.size as usize && Digest::of(&content) == slot.digest).then_some(content)
}

/// A pack that is being written, by any number of threads. Unless it is finished, it goes by
/// itself.
#[derive(Debug)]
pub struct PackWriter {
    file: NamedTempFile,
    end: AtomicU64,
    slots: Mutex<Vec<Slot>>,
}

impl PackWriter {
    /// Starts a pack in `dir`.
    pub fn create(dir: &Path) -> io::Result<PackWriter> {
        let file = layout::new_file(dir)?;
        Ok(PackWriter { file, end: AtomicU64::new(0), slots: Mutex::default() })
    }

    /// Bytes of contents so far.
    pub fn bytes(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Adds a content in its packed form; `size` is that of the content in bytes.
    pub fn append(&self, digest: Digest, size: u32, packed: &[u8]) -> io::Result<()> {
        let offset = self.end.fetch_add(packed.len() as u64, Ordering::Relaxed);
        self.file.as_file().write_all_at(packed, offset)?;
        let slot = Slot { digest, offset, packed: packed.len() as u32, size };
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        Ok(())
    }

    /// Puts the pack in place, and gives its path; one without contents is no pack. `modified` is
    /// the age it shall have, if it is not of now. It is not synced: one that is cut short is
    /// noticed and ignored.
    pub fn finish(self, modified: Option<SystemTime>) -> io::Result<Option<PathBuf>> {
        let slots = self.slots.into_inner().unwrap_or_else(PoisonError::into_inner);
        if slots.is_empty() {
            return Ok(None);
        }
        let count = (slots.len() as u64).to_le_bytes();
        let mut end = PackIndex::new(slots).as_bytes().to_vec();
        end.extend_from_slice(&count);
        end.extend_from_slice(MAGIC);
        let hash = blake3::hash(&end);
        end.extend_from_slice(hash.as_bytes());
        self.file.as_file().write_all_at(&end, self.end.into_inner())?;
        if let Some(modified) = modified {
            self.file.as_file().set_modified(modified)?;
        }
        let path = layout::pack_path(&self.file);
        self.file.persist_noclobber(&path)?;
        Ok(Some(path))
    }
}

/// Packs contents, one after the other.
pub struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
}

impl Packer {
    /// Fails only where memory is short.
    pub fn new() -> io::Result<Packer> {
        Ok(Packer { compressor: zstd::bulk::Compressor::new(LEVEL)?, packed: Vec::new() })
    }

    /// The packed form of a content: the content itself, if that is not longer.
    pub fn pack<'a>(&'a mut self, content: &'a [u8]) -> io::Result<&'a [u8]> {
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(content.len()));
        self.compressor.compress_to_buffer(content, &mut self.packed)?;
        Ok(if self.packed.len() < content.len() { &self.packed } else { content })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn write(contents: &[Vec<u8>]) -> (TempDir, StoreFile) {
        let dir = tempfile::tempdir().unwrap();
        let (writer, mut packer) =
            (PackWriter::create(dir.path()).unwrap(), Packer::new().unwrap());
        for content in contents {
            let packed = packer.pack(content).unwrap();
            writer.append(Digest::of(content), content.len() as u32, packed).unwrap();
        }
        let path = writer.finish(None).unwrap().unwrap();
        let found = found(&path);
        (dir, found)
    }

    fn found(path: &Path) -> StoreFile {
        let metadata = fs::metadata(path).unwrap();
        let modified = metadata.modified().unwrap();
        StoreFile { path: path.into(), bytes: metadata.len(), modified }
    }

    fn get(pack: &Pack, content: &[u8]) -> Option<Vec<u8>> {
        pack.get(Digest::of(content).short(), content.len() as u64)
    }

    fn contents() -> Vec<Vec<u8>> {
        let noise: Vec<u8> = (0..100_u64).flat_map(|n| Digest::of(&n.to_le_bytes()).0).collect();
        vec![b"x".to_vec(), vec![7; 10_000], noise, b"compressible ".repeat(50)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn contents_survive(contents in proptest::collection::vec(proptest::collection::vec(0_u8..4, 1..5000), 1..20)) {
            let (_dir, found) = write(&contents);
            let pack = Pack::open(found).unwrap().unwrap();
            for content in &contents {
                let bytes = get(&pack, content);
                prop_assert_eq!(bytes.as_ref(), Some(content));
                prop_assert_eq!(pack.get(Digest::of(content).short(), content.len() as u64 + 1), None);
            }
        }
    }

    /// The pack has a content that is compressed, and one that is not.
    #[test]
    fn a_pack_of_format_1_is_still_read() {
        let contents = [b"0123456789".repeat(30), b"short".to_vec()];
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pack");
        let pack = Pack::open(found(&fixture)).unwrap().unwrap();
        let digests: Vec<_> = pack.index().iter().map(|slot| slot.digest).collect();
        assert_eq!(digests.len(), 2);
        for content in &contents {
            assert!(digests.contains(&Digest::of(content)));
            assert_eq!(get(&pack, content).as_ref(), Some(content));
        }
    }

    #[test]
    fn what_is_written_is_small_and_private() {
        let (_dir, found) = write(&[vec![0; 1 << 20]]);
        let metadata = fs::metadata(&found.path).unwrap();
        assert!(metadata.len() < 400 && metadata.mode() & 0o777 == 0o600, "{metadata:?}");
    }

    #[test]
    fn a_pack_without_contents_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(PackWriter::create(dir.path()).unwrap().finish(None).unwrap(), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    /// Every way of damage gives each content as it was, or not at all.
    #[test]
    fn damage_costs_contents_and_nothing_else() {
        let contents = contents();
        let (dir, written) = write(&contents);
        let whole = fs::read(&written.path).unwrap();
        let path = dir.path().join("damaged");
        let check = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let pack = Pack::open(found(&path)).unwrap()?;
            let got: Vec<_> = contents.iter().map(|content| get(&pack, content)).collect();
            let right = got
                .iter()
                .zip(&contents)
                .all(|(got, content)| got.as_ref().is_none_or(|got| got == content));
            assert!(right, "wrong bytes");
            Some(got.iter().flatten().count())
        };
        assert_eq!(check(&whole), Some(contents.len()));
        let index_at = whole.len() - END_BYTES - contents.len() * SLOT_BYTES;
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            let expected = if at < index_at { Some(contents.len() - 1) } else { None };
            assert_eq!(check(&flipped), expected, "bit {} of byte {at} flipped", at % 8);
            assert_eq!(check(&whole[..at]), None, "cut at {at}");
        }
        assert_eq!(check(&[&whole[..], b"more"].concat()), None);
        assert_eq!(check(&vec![0; whole.len()]), None);
    }

    /// An index that is whole but lies: nothing is read beyond the file or allocated for it.
    #[test]
    fn hostile_slots_give_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"x");
        let huge = (CONTENT_BYTES + 1) as u32;
        for (offset, packed, size) in [
            (u64::MAX, 1, 1),
            (1 << 40, 1, 1),
            (0, 2, 1),
            (0, 1, u32::MAX),
            (0, 1, huge),
            (0, huge, huge),
            (0, 1, 2),
            (0, 0, 0),
            (1, 1, 1),
        ] {
            let writer = PackWriter::create(dir.path()).unwrap();
            writer.append(Digest::of(b"y"), 1, b"x").unwrap();
            writer.slots.lock().unwrap().push(Slot { digest, offset, packed, size });
            let pack = Pack::open(found(&writer.finish(None).unwrap().unwrap())).unwrap().unwrap();
            assert_eq!(pack.get(digest.short(), u64::from(size)), None, "{offset} {packed} {size}");
        }
    }

    #[test]
    fn hostile_counts_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pack");
        for count in [1, 2, limits::ENTRIES, limits::ENTRIES + 1, u64::MAX / 48, u64::MAX] {
            let mut bytes = count.to_le_bytes().to_vec();
            bytes.extend_from_slice(MAGIC);
            bytes.extend_from_slice(blake3::hash(&bytes.clone()).as_bytes());
            fs::write(&path, bytes).unwrap();
            assert!(Pack::open(found(&path)).unwrap().is_none(), "{count}");
        }
    }
}
