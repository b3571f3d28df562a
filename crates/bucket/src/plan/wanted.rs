//! The objects that a source makes: keys, contents and headers; pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use assetsync_core::digest::Digest;
use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_core::plan::PublishRank;
use assetsync_sync::{Policy, SourceEntry};

use crate::headers::{Compression, HeaderRules, Headers, Placing};

/// The longest key that servers take, in bytes.
const KEY_BYTES: usize = 1024;

/// How many names an error shows.
const SHOWN: usize = 5;

/// An object that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file of the source that has its content.
    pub source: RelPath,
    /// Bytes of content.
    pub size: u64,
    /// The digest of the content.
    pub digest: Digest,
    /// The headers.
    pub headers: Headers,
    /// When it is published.
    pub rank: PublishRank,
}

/// What of a source becomes an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The objects by their keys below the prefix.
    pub objects: BTreeMap<String, Wanted>,
    /// Symlinks, which a bucket can't have.
    pub symlinks: Vec<RelPath>,
}

/// Names that can't be keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// They are no text.
    #[error("Keys in a bucket are texts in UTF-8, and these names are not: {0}; rename them")]
    NoText(String),
    /// They are too long.
    #[error("Keys in a bucket have at most {KEY_BYTES} bytes, and these are longer: {0}")]
    TooLong(String),
}

impl Selection {
    /// The objects that these entries make below a prefix.
    pub fn of(
        entries: &[SourceEntry],
        policy: &Policy,
        rules: &HeaderRules,
        prefix: &str,
    ) -> Result<Selection, InvalidKeys> {
        let files = || entries.iter().filter(|local| local.entry.file_size().is_some());
        let texts: BTreeSet<&str> = files().filter_map(|local| path(local)).collect();
        refuse(files().filter(|local| path(local).is_none()), InvalidKeys::NoText)?;
        let is_long =
            |local: &&SourceEntry| prefix.len() + local.entry.path.as_bytes().len() > KEY_BYTES;
        refuse(files().filter(is_long), InvalidKeys::TooLong)?;
        let mut selection = Selection::default();
        for local in entries {
            if let Kind::Symlink { .. } = local.entry.kind {
                selection.symlinks.push(local.entry.path.clone());
            }
            let (Some(path), Some(size), Some(digest)) =
                (path(local), local.entry.file_size(), local.digest)
            else {
                continue;
            };
            let rank = policy.rank(path.as_bytes());
            let sibling = plain(path, &texts);
            let key = match (sibling, rules.placing) {
                (Some((plain, compression)), Placing::InPlace(chosen)) if compression == chosen => {
                    plain
                }
                _ if stored_compressed(path, &texts, rules.placing) => continue,
                _ => path,
            };
            let (named, compressed) =
                sibling.map_or((path, None), |(plain, compression)| (plain, Some(compression)));
            let headers = rules.headers(named, compressed, rank);
            let wanted = Wanted { source: local.entry.path.clone(), size, digest, headers, rank };
            selection.objects.insert(key.to_owned(), wanted);
        }
        Ok(selection)
    }

    /// Gives the objects whose content is compressed the headers of that: where a bucket's history
    /// is restored, files have the names of the objects that were stored in place of plain ones.
    pub fn restore(&mut self, compressed: &HashMap<Digest, Compression>, rules: &HeaderRules) {
        for (path, wanted) in &mut self.objects {
            let is_sibling = wanted.headers.get("content-encoding").is_some();
            if let Some(compression) = compressed.get(&wanted.digest).filter(|_| !is_sibling) {
                wanted.headers = rules.headers(path, Some(*compression), wanted.rank);
            }
        }
    }
}

fn path(local: &SourceEntry) -> Option<&str> {
    std::str::from_utf8(local.entry.path.as_bytes()).ok()
}

/// The plain file of a compressed one, if the source has it.
fn plain<'p>(path: &'p str, all: &BTreeSet<&str>) -> Option<(&'p str, Compression)> {
    Compression::ALL.into_iter().find_map(|compression| {
        let plain = path.strip_suffix(compression.suffix())?;
        all.contains(plain).then_some((plain, compression))
    })
}

/// Whether the object of a plain file has the content of its compressed one.
fn stored_compressed(path: &str, all: &BTreeSet<&str>, placing: Placing) -> bool {
    match placing {
        Placing::OwnKeys => false,
        Placing::InPlace(compression) => {
            all.contains(format!("{path}{}", compression.suffix()).as_str())
        }
    }
}

fn refuse<'e>(
    entries: impl Iterator<Item = &'e SourceEntry>,
    error: fn(String) -> InvalidKeys,
) -> Result<(), InvalidKeys> {
    let names: Vec<String> = entries.map(|local| local.entry.path.to_string()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(error(format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))))
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::{Entry, Mtime};

    use super::*;

    fn entry(path: &[u8], kind: Kind) -> SourceEntry {
        let digest = matches!(kind, Kind::File { .. }).then(|| Digest::of(path));
        let path = RelPath::new(path).unwrap();
        SourceEntry { entry: Entry { path, kind, mode: 0o644, mtime: Mtime::default() }, digest }
    }

    fn select(paths: &[&str], placing: Placing) -> Vec<(String, String, Option<String>)> {
        let file = |path: &&str| entry(path.as_bytes(), Kind::File { size: path.len() as u64 });
        let entries: Vec<SourceEntry> = paths.iter().map(file).collect();
        let rules = HeaderRules { placing, ..HeaderRules::default() };
        let selection = Selection::of(&entries, &Policy::default(), &rules, "").unwrap();
        let shown = |(key, wanted): (String, Wanted)| {
            let encoding = wanted.headers.get("content-encoding").map(str::to_owned);
            (key, wanted.source.to_string(), encoding)
        };
        selection.objects.into_iter().map(shown).collect()
    }

    #[test]
    fn compressed_files_are_stored_beside_or_in_place_of_plain_ones() {
        let paths = ["a.js", "a.js.br", "a.js.gz", "b.js", "c.tar.gz"];
        let row = |key: &str, source: &str, encoding: Option<&str>| {
            (key.to_owned(), source.to_owned(), encoding.map(str::to_owned))
        };
        let beside = vec![
            row("a.js", "a.js", None),
            row("a.js.br", "a.js.br", Some("br")),
            row("a.js.gz", "a.js.gz", Some("gzip")),
            row("b.js", "b.js", None),
            row("c.tar.gz", "c.tar.gz", None),
        ];
        assert_eq!(select(&paths, Placing::OwnKeys), beside);
        let in_place = vec![
            row("a.js", "a.js.br", Some("br")),
            row("a.js.gz", "a.js.gz", Some("gzip")),
            row("b.js", "b.js", None),
            row("c.tar.gz", "c.tar.gz", None),
        ];
        assert_eq!(select(&paths, Placing::InPlace(Compression::Brotli)), in_place);
    }

    #[test]
    fn restored_objects_have_the_headers_of_what_they_were_stored_as() {
        let file = |path: &str| entry(path.as_bytes(), Kind::File { size: 1 });
        let (rules, policy) = (HeaderRules::default(), Policy::default());
        let entries = [file("a.js"), file("b.js")];
        let mut selection = Selection::of(&entries, &policy, &rules, "").unwrap();
        let compressed = HashMap::from([(Digest::of(b"a.js"), Compression::Gzip)]);
        selection.restore(&compressed, &rules);
        let header = |path: &str, name| selection.objects[path].headers.get(name);
        assert_eq!(header("a.js", "content-encoding"), Some("gzip"));
        assert_eq!(header("a.js", "content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(header("b.js", "content-encoding"), None);
    }

    #[test]
    fn names_that_can_not_be_keys_are_refused_and_symlinks_left_out() {
        let file = Kind::File { size: 1 };
        let of = |entries: &[SourceEntry], prefix: &str| {
            Selection::of(entries, &Policy::default(), &HeaderRules::default(), prefix)
        };
        let bad = of(&[entry(b"a\xff", file.clone())], "");
        assert!(matches!(bad, Err(InvalidKeys::NoText(names)) if names.contains('a')));
        let long = of(&[entry(&[b'a'; 201], file)], &"p/".repeat(412));
        assert!(matches!(long, Err(InvalidKeys::TooLong(_))));
        let link = entry(b"link", Kind::Symlink { target: b"a".to_vec() });
        let selection = of(&[link, entry(b"dir", Kind::Dir)], "").unwrap();
        assert_eq!((selection.objects.len(), selection.symlinks.len()), (0, 1));
    }
}
