//! What a bucket holds, as the last push wrote it down beside the objects; pure.

pub mod codec;
pub mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use assetsync_core::digest::Digest;

use crate::headers::Headers;

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
    /// The name under which its content is kept when it is replaced.
    pub fn kept_name(&self) -> String {
        match &self.digest {
            Some(digest) => digest.to_string(),
            None => format!("etag-{}", self.etag),
        }
    }
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

/// Whether a content can be kept under this name.
fn is_kept_name(name: &str) -> bool {
    let digits = name.strip_prefix("etag-").unwrap_or(name);
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=200).contains(&digits.len()) && digits.bytes().all(is_fine)
}
