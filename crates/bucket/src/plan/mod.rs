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

/// How an object comes to be as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its content is sent.
    Send,
    /// The server copies the object at this path.
    Copy(String),
    /// The server sets its headers; the content stays.
    Headers,
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
        let sources: HashMap<Digest, &str> = sources
            .filter(|(_, object)| object.size <= LARGEST_COPY)
            .filter_map(|(path, object)| Some((object.digest?, path.as_str())))
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
                    Some(from) => How::Copy((*from).to_owned()),
                    None if state.kept.contains(&wanted.digest.to_string()) => {
                        How::Copy(format!("{KEPT}{}", wanted.digest))
                    }
                    None => How::Send,
                },
            };
            let (path, wanted, old) = (path.clone(), wanted.clone(), old.cloned());
            plan.steps.push(Step { path, wanted, old, how });
        }
        plan.steps.sort_by_key(|step| step.wanted.rank);
        if policy.delete {
            let extra = state.objects.keys().filter(|path| !wanted.contains_key(*path));
            let extra = extra.filter(|path| !policy.protects(path.as_bytes()));
            plan.deletes = extra.cloned().collect();
        }
        plan
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.deletes.is_empty()
    }
}

#[cfg(test)]
mod tests;
