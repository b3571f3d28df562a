//! What a push does to a bucket, as a value; pure.

pub mod report;
pub mod wanted;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use assetsync_core::digest::Digest;
use assetsync_sync::{Count, Policy};

use self::wanted::Wanted;
use crate::state::{KEPT, Object, State};

/// The largest object that a server copies in one request.
const LARGEST_COPY: u64 = 5 << 30;

/// The smallest content that is copied and not sent again: a request to copy is longer than one to
/// write, and so is its answer.
const SMALLEST_COPY: u64 = 1 << 10;

/// How an object comes to be as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its content is sent.
    Send,
    /// The server copies another object.
    Copy(CopySource),
    /// The server sets its headers; the content stays.
    Headers,
}

impl How {
    fn copy(from: &str, etag: Option<&String>) -> How {
        How::Copy(CopySource { path: from.to_owned(), etag: etag.cloned() })
    }
}

/// What the server copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    /// Its key below the prefix.
    pub path: String,
    /// Its ETag. None if it has its content by its name, as what is kept, or if this push puts it
    /// there.
    pub etag: Option<String>,
}

/// One object that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its key below the prefix.
    pub path: String,
    /// How it is wanted.
    pub wanted: Wanted,
    /// The object that it replaces.
    pub old: Option<Object>,
    /// How it comes to be so.
    pub how: How,
}

impl Step {
    /// Whether it is put at its place before anything is published: nobody asks for it yet.
    pub fn is_early(&self) -> bool {
        self.old.is_none() && !self.wanted.rank.is_entry_point()
    }

    /// Whether its content is sent before anything is published, to be copied to its place.
    pub fn is_staged(&self) -> bool {
        self.old.is_some() && self.how == How::Send
    }

    /// The object as it will be, with this ETag.
    pub fn object(&self, etag: &str) -> Object {
        Object {
            digest: Some(self.wanted.digest),
            size: self.wanted.size,
            etag: etag.to_owned(),
            headers: Some(self.wanted.headers.clone()),
        }
    }
}

/// What stays beside the assets, and what goes later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retained {
    /// Names of contents that are kept when the push is over.
    pub kept: BTreeSet<String>,
    /// Contents that are kept before they are deleted, by name, each with the path it is at.
    pub to_keep: BTreeMap<String, String>,
    /// The new history of deploys, if it changes.
    pub history: Option<Vec<u8>>,
    /// Paths that are deleted when everything is live everywhere.
    pub pruned: Vec<String>,
    /// Names of contents that are dropped then.
    pub dropped: Vec<String>,
}

/// What a push does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BucketPlan {
    /// The objects that change: first those that are published first.
    pub steps: Vec<Step>,
    /// The paths of objects that are deleted.
    pub deletes: Vec<String>,
    /// What stays as it is.
    pub kept: Count,
}

impl BucketPlan {
    /// The plan that makes a bucket in this state as it is wanted.
    pub fn new(state: &State, wanted: &BTreeMap<String, Wanted>, policy: &Policy) -> BucketPlan {
        let stays = |path: &str, object: &Object| {
            wanted.get(path).is_none_or(|wanted| Some(wanted.digest) == object.digest)
        };
        let sources = state.objects.iter().filter(|(path, object)| stays(path, object));
        let sources: HashMap<Digest, (&String, &Object)> = sources
            .filter(|(_, object)| object.size <= LARGEST_COPY)
            .filter_map(|(path, object)| Some((object.digest?, (path, object))))
            .collect();
        let mut plan = BucketPlan::default();
        for (path, wanted) in wanted {
            let old = state.objects.get(path);
            let how = match old {
                Some(old) if old.digest == Some(wanted.digest) => {
                    if old.headers.as_ref() == Some(&wanted.headers) {
                        plan.kept.files += 1;
                        plan.kept.bytes += wanted.size;
                        continue;
                    }
                    if old.size <= LARGEST_COPY { How::Headers } else { How::Send }
                }
                _ => match sources.get(&wanted.digest) {
                    Some((path, object)) => How::copy(path, Some(&object.etag)),
                    None => match state.kept_as(&wanted.digest) {
                        Some(name) => How::copy(&format!("{KEPT}{name}"), None),
                        None => How::Send,
                    },
                },
            };
            let (path, wanted, old) = (path.clone(), wanted.clone(), old.cloned());
            plan.steps.push(Step { path, wanted, old, how });
        }
        plan.steps.sort_by_key(|step| step.wanted.rank);
        plan.send_once();
        if policy.delete {
            let extra = state.objects.keys().filter(|path| !wanted.contains_key(*path));
            let extra = extra.filter(|path| !policy.protects(path.as_bytes()));
            plan.deletes = extra.cloned().collect();
        }
        plan
    }

    /// Has each content sent once: where several objects get it, the server copies the one that is
    /// at its place first.
    fn send_once(&mut self) {
        let mut sent: HashMap<Digest, String> = HashMap::new();
        for step in self.steps.iter_mut().filter(|step| step.how == How::Send) {
            if !(SMALLEST_COPY..=LARGEST_COPY).contains(&step.wanted.size) {
                continue;
            }
            match sent.get(&step.wanted.digest) {
                Some(from) => step.how = How::copy(from, None),
                None if step.is_early() => {
                    sent.insert(step.wanted.digest, step.path.clone());
                }
                None => {}
            }
        }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.deletes.is_empty()
    }
}

#[cfg(test)]
mod tests;
