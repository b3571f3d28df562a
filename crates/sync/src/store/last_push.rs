//! What the last push to a destination did with each file that it changed, in a file of its own, so
//! that it can be explained afterwards.
//!
//! Format: 16 bytes of magic, one zstd stream, the BLAKE3 of both. In the stream: bytes sent, bytes
//! of new content, how many files were left out, the files in tree order.

use std::io::{self, Read};

use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::{Fields, put_bytes, put_number};

const MAGIC: &[u8; 16] = b"assetsync-pushd1";
const HASH_BYTES: usize = 32;
const LEVEL: i32 = 1;

/// More files are not remembered.
const FILES: usize = 20_000;

/// The stream is no longer than this, in bytes.
const STREAM_BYTES: u64 = 64 << 20;

/// The names of recipes, by their number in the file.
const RECIPES: [&str; 8] =
    ["keep", "touch", "copy", "rewrite", "patch", "delta", "regzip", "whole"];

/// A push, as it is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastPush {
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes of new content of all files.
    pub new_content: u64,
    /// Files that are not in the list.
    pub left_out: u64,
    /// What was done with files, in tree order.
    pub files: Vec<FileRecord>,
}

/// What a push did with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// The file.
    pub path: RelPath,
    /// The name of its recipe.
    pub recipe: &'static str,
    /// What it was made from.
    pub basis: Option<BasisName>,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes of it that were new content in the stream; `None` if another destination's encoding
    /// was sent.
    pub new_content: Option<u64>,
    /// Whether there was a file at its path.
    pub existed: bool,
    /// The recipes that were possible.
    pub offers: Vec<Offer>,
}

/// A recipe that was possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub recipe: &'static str,
    /// About how many bytes it sends.
    pub bytes: u64,
    /// Whether it was to be used on that line.
    pub allowed: bool,
}

/// What a file was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BasisName {
    /// A file that was there.
    Existing(RelPath),
    /// A file of the same push.
    Planned(RelPath),
    /// What an interrupted push had sent.
    Partial,
    /// What is kept for rollbacks.
    Retained,
}

impl LastPush {
    /// Keeps no more files than are remembered.
    pub fn bounded(mut self) -> LastPush {
        self.left_out += self.files.len().saturating_sub(FILES) as u64;
        self.files.truncate(FILES);
        self
    }

    /// The bytes of a file.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        for number in [self.sent, self.new_content, self.left_out, self.files.len() as u64] {
            put_number(&mut plain, number);
        }
        self.files.iter().for_each(|file| file.put(&mut plain));
        let mut out = MAGIC.to_vec();
        zstd::stream::copy_encode(&plain[..], &mut out, LEVEL)?;
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        Ok(out)
    }

    /// Reads a file; `None` if anything is damaged.
    pub fn decode(bytes: &[u8]) -> Option<LastPush> {
        let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
        let packed = body.strip_prefix(MAGIC).filter(|_| blake3::hash(body) == *hash)?;
        let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
        decoder.window_log_max(limits::WINDOW_LOG).ok()?;
        let mut plain = Vec::new();
        decoder.take(STREAM_BYTES).read_to_end(&mut plain).ok()?;
        let mut fields = Fields(&plain);
        let mut number = || fields.number().ok();
        let (sent, new_content, left_out) = (number()?, number()?, number()?);
        let count = fields.bounded("files", FILES as u64).ok()?;
        let files = (0..count).map(|_| FileRecord::read(&mut fields)).collect::<Option<_>>()?;
        fields.end().ok()?;
        Some(LastPush { sent, new_content, left_out, files })
    }
}

impl FileRecord {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.path.as_bytes());
        out.push(number_of(self.recipe));
        out.push(u8::from(self.existed));
        put_number(out, self.size);
        put_number(out, self.new_content.map_or(0, |bytes| bytes.saturating_add(1)));
        let (kind, path) = match &self.basis {
            None => (0, None),
            Some(BasisName::Existing(path)) => (1, Some(path)),
            Some(BasisName::Planned(path)) => (2, Some(path)),
            Some(BasisName::Partial) => (3, None),
            Some(BasisName::Retained) => (4, None),
        };
        out.push(kind);
        path.into_iter().for_each(|path| put_bytes(out, path.as_bytes()));
        put_number(out, self.offers.len() as u64);
        for offer in &self.offers {
            out.extend([number_of(offer.recipe), u8::from(offer.allowed)]);
            put_number(out, offer.bytes);
        }
    }

    fn read(fields: &mut Fields<'_>) -> Option<FileRecord> {
        let path = read_path(fields)?;
        let (recipe, existed) = (read_recipe(fields)?, read_flag(fields)?);
        let (size, new_content) = (fields.number().ok()?, fields.number().ok()?.checked_sub(1));
        let basis = match fields.byte().ok()? {
            0 => None,
            1 => Some(BasisName::Existing(read_path(fields)?)),
            2 => Some(BasisName::Planned(read_path(fields)?)),
            3 => Some(BasisName::Partial),
            4 => Some(BasisName::Retained),
            _ => return None,
        };
        let count = fields.bounded("offers", RECIPES.len() as u64).ok()?;
        let offer = |_| {
            let (recipe, allowed) = (read_recipe(fields)?, read_flag(fields)?);
            Some(Offer { recipe, allowed, bytes: fields.number().ok()? })
        };
        let offers = (0..count).map(offer).collect::<Option<_>>()?;
        Some(FileRecord { path, recipe, basis, size, new_content, existed, offers })
    }
}

fn read_path(fields: &mut Fields<'_>) -> Option<RelPath> {
    RelPath::new(fields.bytes("path", limits::PATH_BYTES).ok()?).ok()
}

fn read_flag(fields: &mut Fields<'_>) -> Option<bool> {
    Some(fields.byte().ok()? == 1)
}

fn read_recipe(fields: &mut Fields<'_>) -> Option<&'static str> {
    RECIPES.get(usize::from(fields.byte().ok()?)).copied()
}

fn number_of(recipe: &str) -> u8 {
    RECIPES.iter().position(|name| *name == recipe).unwrap_or(RECIPES.len()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text.as_bytes()).unwrap()
    }

    fn example() -> LastPush {
        let file = |recipe, basis, new_content| FileRecord {
            path: path("app-2.js"),
            recipe,
            basis,
            size: 7,
            new_content,
            existed: new_content.is_none(),
            offers: vec![Offer { recipe: "whole", bytes: 34, allowed: true }],
        };
        let files = vec![
            file("patch", Some(BasisName::Existing(path("app-1.js"))), Some(0)),
            file("copy", Some(BasisName::Planned(path("a"))), None),
            file("copy", Some(BasisName::Partial), Some(u64::MAX / 2)),
            file("copy", Some(BasisName::Retained), Some(1)),
            file("whole", None, Some(7)),
        ];
        LastPush { sent: 100, new_content: 7, left_out: 2, files }
    }

    #[test]
    fn pushes_survive_and_damage_anywhere_is_noticed() {
        let whole = example().encode().unwrap();
        assert_eq!(LastPush::decode(&whole), Some(example()));
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            let cut = LastPush::decode(&whole[..at]);
            assert!(LastPush::decode(&flipped).is_none() && cut.is_none(), "byte {at}");
        }
    }

    #[test]
    fn no_more_files_are_remembered_than_are_read() {
        let file = example().files.remove(0);
        let many = LastPush { files: vec![file; FILES + 3], ..example() }.bounded();
        assert_eq!((many.files.len(), many.left_out), (FILES, 5));
        assert_eq!(LastPush::decode(&many.encode().unwrap()), Some(many));
    }

    /// A recipe that is new in core needs a number here.
    #[test]
    fn every_recipe_has_a_number() {
        use assetsync_core::recipe::{Basis, Recipe, Reference};
        let basis = Basis::Retained(assetsync_core::index::Index::new(0));
        let reference = Reference { basis, rewritten: false };
        let all = [
            Recipe::Keep,
            Recipe::Touch,
            Recipe::Copy { from: basis },
            Recipe::Rewrite { basis },
            Recipe::Patch { reference },
            Recipe::Delta { reference, block_bytes: 1 },
            Recipe::Regzip { plain: basis },
            Recipe::Whole,
        ];
        assert_eq!(all.map(|recipe| recipe.name()), RECIPES);
    }
}
