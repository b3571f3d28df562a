//! What a bucket holds, as the last push wrote it down beside the objects; pure.

pub mod codec;
pub mod resolve;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use assetsync_core::digest::Digest;

use crate::headers::{Compression, Headers};

/// Where, below the prefix of the destination, everything is that is no asset.
pub const OWN: &str = ".assetsync/";

/// The key of the state, below the prefix.
pub const STATE: &str = ".assetsync/state";

/// What the keys of kept contents begin with, below the prefix.
pub const KEPT: &str = ".assetsync/kept/";

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The digest of its content; unknown if another program put it there.
    pub digest: Option<Digest>,
    /// Bytes of content.
    pub size: u64,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its headers, if they are known.
    pub headers: Option<Headers>,
}

impl Object {
    /// The name under which its content is kept when it is replaced. It says how the content is
    /// compressed, because a rollback must know.
    pub fn kept_name(&self) -> String {
        match (&self.digest, self.compression()) {
            (Some(digest), Some(compression)) => format!("{digest}-{}", compression.encoding()),
            (Some(digest), None) => digest.to_string(),
            (None, _) => format!("etag-{}", self.etag),
        }
    }

    /// How its content is compressed, by its headers.
    fn compression(&self) -> Option<Compression> {
        Compression::of_encoding(self.headers.as_ref()?.get("content-encoding")?)
    }
}

/// The digest of a kept content, by its name.
pub fn kept_digest(name: &str) -> Option<Digest> {
    Digest::from_hex(name.split('-').next()?)
}

/// The number of a push, which no other has.
#[derive(Clone, PartialEq, Eq)]
pub struct RunId(pub String);

impl RunId {
    /// A new one.
    pub fn new() -> RunId {
        RunId(format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a push is about to do, or was when it ended unexpectedly: it holds the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The push.
    pub run: RunId,
    /// Who pushes, as `ada@laptop`.
    pub who: String,
    /// The objects as they will be, of those that change.
    pub next: BTreeMap<String, Object>,
}

/// What is at a destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Whether a push has completed: until then, what others put there is not known to be meant.
    pub completed: bool,
    /// Objects by their keys below the prefix.
    pub objects: BTreeMap<String, Object>,
    /// Names of contents that are kept.
    pub kept: BTreeSet<String>,
    /// The history of deploys: for a bucket, it is bytes.
    pub history: Vec<u8>,
    /// The push that holds the bucket.
    pub intent: Option<Intent>,
}

impl State {
    /// The name under which a content is kept.
    pub fn kept_as(&self, digest: &Digest) -> Option<&String> {
        let next = self.kept.range(digest.to_string()..).next();
        next.filter(|name| kept_digest(name) == Some(*digest))
    }

    /// The contents that are compressed, of objects and of what is kept.
    pub fn compressed(&self) -> HashMap<Digest, Compression> {
        let objects = self.objects.values();
        let objects = objects.filter_map(|object| Some((object.digest?, object.compression()?)));
        let kept = self.kept.iter().filter_map(|name| {
            let (_, encoding) = name.split_once('-')?;
            Some((kept_digest(name)?, Compression::of_encoding(encoding)?))
        });
        objects.chain(kept).collect()
    }
}

/// Whether a content can be kept under this name.
fn is_kept_name(name: &str) -> bool {
    let digits = name.strip_prefix("etag-").unwrap_or(name);
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=200).contains(&digits.len()) && digits.bytes().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_contents_are_found_by_digest_and_tell_how_they_are_compressed() {
        let object = |content: &str, encoding: Option<&str>| {
            let mut headers = Headers::default();
            if let Some(encoding) = encoding {
                headers.try_set("content-encoding", encoding).unwrap();
            }
            let digest = Some(Digest::of(content.as_bytes()));
            Object { digest, size: 1, etag: "12".into(), headers: Some(headers) }
        };
        let plain = object("plain", None);
        let (gz, br) = (object("gz", Some("gzip")), object("br", Some("br")));
        let foreign = Object { digest: None, ..gz.clone() };
        let kept = [&plain, &gz, &foreign].map(Object::kept_name);
        assert!(kept.iter().all(|name| is_kept_name(name)), "{kept:?}");
        let objects = [("a.js".to_owned(), br.clone())].into();
        let state = State { kept: kept.into(), objects, ..State::default() };
        for object in [&plain, &gz] {
            assert_eq!(state.kept_as(&object.digest.unwrap()), Some(&object.kept_name()));
        }
        assert_eq!(state.kept_as(&br.digest.unwrap()), None);
        let compressed = state.compressed();
        assert_eq!(compressed.len(), 2);
        assert_eq!(compressed[&gz.digest.unwrap()], Compression::Gzip);
        assert_eq!(compressed[&br.digest.unwrap()], Compression::Brotli);
    }
}
