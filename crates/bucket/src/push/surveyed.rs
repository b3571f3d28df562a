//! Surveys a bucket, and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use assetsync_core::protocol::AgentStatistics;
use assetsync_core::sample::sample;
use assetsync_core::state::{self as engine, RetainedContent};
use assetsync_sync::{Policy, Survey};
use jiff::Timestamp;

use super::connect::BucketSettings;
use super::each::each;
use super::holder::LEASE;
use crate::error::BucketError;
use crate::headers::Headers;
use crate::http::client::Client;
use crate::memory::Memory;
use crate::objects::{Objects, Read};
use crate::plan::report::remote_entries;
use crate::state::resolve::resolve;
use crate::state::{Object, STATE, State, codec, kept_digest};
use crate::unlike::{ObjectDifference, UnlikeObject, differences};
use crate::url::BucketUrl;

/// Objects whose headers are asked for, at most: each takes a request.
const MOST: usize = 1000;

/// A bucket as it is: what the last push wrote down, and what a list shows.
pub struct SurveyedBucket {
    client: Client,
    url: BucketUrl,
    recorded: State,
    existing: State,
    /// Who is pushing.
    running: Option<String>,
}

/// What a comparison of a bucket with its state found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBucket {
    /// How many objects were asked for, besides the list of all.
    pub asked: usize,
    /// How many objects the last push left.
    pub all: usize,
    /// Those that are missing or different, in order.
    pub unlike: Vec<UnlikeObject>,
}

impl BucketSettings {
    /// Reads the state of a bucket, and lists it. A push from this machine that was interrupted,
    /// which `memory` knows, is not taken for one that is running.
    pub fn survey(
        &self,
        url: &BucketUrl,
        memory: Option<&Path>,
    ) -> Result<SurveyedBucket, BucketError> {
        let client = self.connect(url)?;
        let objects = Objects { client: &client, bucket: url.bucket(), prefix: url.prefix() };
        let (recorded, running) = match objects.read(STATE, None)? {
            Read::Found { content, age, .. } => {
                let recorded = decoded(&objects, &content)?;
                let holds = age.is_none_or(|age| age < LEASE);
                let ended = || Memory::ended_run(memory, &Memory::name_of(client.base_url(), url));
                let intent = recorded.intent.as_ref().filter(|_| holds);
                let running = intent.filter(|intent| ended().as_ref() != Some(&intent.run));
                let running = running.map(|intent| intent.who.clone());
                (recorded, running)
            }
            Read::Missing | Read::Same => (State::default(), None),
        };
        let existing = resolve(&recorded, &objects.list()?, objects.prefix);
        Ok(SurveyedBucket { client, url: url.clone(), recorded, existing, running })
    }
}

impl SurveyedBucket {
    /// The bucket as a deploy sees destinations.
    pub fn survey(&self) -> Survey {
        let survey = engine_survey(&self.existing, self.url.prefix());
        Survey { lock_holder: self.running.clone(), ..survey }
    }

    /// Compares the objects with what the last push left: all by the list, and the headers of at
    /// most 1000, of pages and manifests first.
    pub fn verify(&self) -> Result<VerifiedBucket, BucketError> {
        let mut unlike = BTreeMap::new();
        let mut same = Vec::new();
        for (path, written) in &self.recorded.objects {
            match self.existing.objects.get(path) {
                None => drop(unlike.insert(path, ObjectDifference::Missing)),
                Some(there) if there.etag != written.etag || there.size != written.size => {
                    unlike.insert(path, ObjectDifference::Content);
                }
                Some(_) => same.push((path, written)),
            }
        }
        let asked = chosen(&same);
        let found = each(&asked, |_| 0, |(path, written)| self.ask(path, written))?;
        for ((path, _), difference) in asked.iter().zip(found) {
            unlike.extend(difference.map(|difference| (*path, difference)));
        }
        let named =
            |(path, difference): (&String, _)| UnlikeObject { path: path.clone(), difference };
        let unlike = unlike.into_iter().map(named).collect();
        Ok(VerifiedBucket { asked: asked.len(), all: self.recorded.objects.len(), unlike })
    }

    /// Asks for the headers of an object.
    fn ask(&self, path: &str, written: &Object) -> Result<Option<ObjectDifference>, BucketError> {
        let (bucket, prefix) = (self.url.bucket(), self.url.prefix());
        let objects = Objects { client: &self.client, bucket, prefix };
        let none = Headers::default();
        let expected = written.headers.as_ref().unwrap_or(&none);
        Ok(match objects.head(path)? {
            None => Some(ObjectDifference::Missing),
            Some(answer) => differences(expected, |name| answer.header(name)),
        })
    }
}

/// At most [`MOST`] objects: pages and manifests first, and of the others as many, evenly spread.
fn chosen<'o>(objects: &[(&'o String, &'o Object)]) -> Vec<(&'o String, &'o Object)> {
    let policy = Policy::default();
    let (first, others): (Vec<_>, Vec<_>) = objects
        .iter()
        .copied()
        .partition(|(path, _)| policy.rank(path.as_bytes()).is_entry_point());
    sample(first, others, MOST).collect()
}

/// The state in the content of its object.
pub(super) fn decoded(objects: &Objects<'_>, content: &[u8]) -> Result<State, BucketError> {
    codec::decode(content).map_err(|error| {
        let key = format!("{}{STATE}", objects.prefix);
        BucketError::State { key, error }
    })
}

/// A bucket in this state, as a deploy sees destinations.
pub(super) fn engine_survey(state: &State, prefix: &str) -> Survey {
    let retained = state.kept.iter().filter_map(|name| kept_digest(name));
    let retained_contents = retained.map(|digest| RetainedContent { digest, size: 0 }).collect();
    Survey {
        state: engine::State { entries: remote_entries(state), partials: Vec::new() },
        history: state.history.clone(),
        history_path: format!("{prefix}{STATE}"),
        retained_contents,
        lock_holder: None,
        statistics: AgentStatistics {
            clock_secs: Timestamp::now().as_second(),
            writable: true,
            pushed_before: state.completed,
            ..AgentStatistics::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_objects_some_are_asked_for_and_all_pages() {
        let object = Object { digest: None, size: 1, etag: String::new(), headers: None };
        let mut paths: Vec<String> = (0..3000).map(|at| format!("{at:04}.png")).collect();
        paths.push("index.html".to_owned());
        let all: Vec<(&String, &Object)> = paths.iter().map(|path| (path, &object)).collect();
        let some = chosen(&all);
        assert!(some.len() <= MOST && some.len() > MOST / 2, "{}", some.len());
        assert_eq!(some[0].0, "index.html");
        assert_eq!(chosen(&all[..10]).len(), 10);
    }
}
