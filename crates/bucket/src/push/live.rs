//! A push that is published: old objects go, and the bucket is released.

use std::collections::{BTreeMap, BTreeSet};

use assetsync_core::plan::PublishRank;
use assetsync_sync::Event;

use super::holder::Holder;
use super::publish::{NotPutBack, Staged};
use super::session::Session;
use crate::error::BucketError;
use crate::state::{KEPT, Object, State};

/// A push whose objects are what visitors get; it still holds the bucket.
pub struct Live(Staged);

/// A push that is written down, and holds the bucket no more.
pub struct Settled {
    state: State,
    holder: Holder,
    /// What goes when everything is live everywhere.
    later: Vec<String>,
}

impl Staged {
    /// Takes the bucket and publishes; if that fails, puts everything back.
    pub fn publish(mut self, session: &Session<'_>) -> Result<Live, BucketError> {
        self.take(session)?;
        session.progress.monitor.event(Event::Sent);
        match self.publish_ranks(session) {
            Ok(()) => {
                session.progress.monitor.event(Event::Published);
                Ok(Live(self))
            }
            // Whoever has the bucket now finds what this push was about.
            Err((BucketError::Overtaken, _)) => Err(BucketError::Overtaken),
            Err((error, up_to)) => Err(match self.take_back(session, up_to) {
                Ok(()) => error,
                Err(NotPutBack { reason, paths }) => {
                    BucketError::NotPutBack { error: Box::new(error), reason, paths }
                }
            }),
        }
    }
}

impl Live {
    /// Deletes what is to go at once, and writes down what is there.
    pub fn settle(self, session: &Session<'_>) -> Result<Settled, BucketError> {
        let Staged { plan, retained, mut state, mut holder, etags } = self.0;
        let objects = plan.steps.iter().filter_map(|step| {
            let etag = etags.get(&step.path)?;
            Some((step.path.clone(), step.object(etag)))
        });
        let objects: BTreeMap<String, Object> = objects.collect();
        state.objects.extend(objects);
        if let Some(history) = retained.history {
            state.history = history;
        }
        (state.intent, state.completed) = (None, true);
        let kept = state.kept.iter().filter(|name| !retained.kept.contains(*name));
        let kept = kept.map(|name| format!("{KEPT}{name}"));
        let gone: Vec<String> = plan.deletes.iter().cloned().chain(kept).collect();
        // Hosts may have published meanwhile, for longer than the bucket is held.
        holder.renew(&session.objects, &state)?;
        let undeleted = delete(session, &mut state, &gone)?;
        holder.release(&session.objects, &state)?;
        refuse_undeleted(undeleted)?;
        let dropped = retained.dropped.iter().map(|name| format!("{KEPT}{name}"));
        let later = retained.pruned.iter().cloned().chain(dropped).collect();
        Ok(Settled { state, holder, later })
    }

    /// Writes down what is there, and deletes no object: pages of others may name the old ones.
    pub fn keep(mut self, session: &Session<'_>) -> Result<(), BucketError> {
        self.0.plan.deletes.clear();
        self.settle(session).map(drop)
    }

    /// Puts everything back as it was before, because of what happened elsewhere.
    pub fn put_back(self, session: &Session<'_>) -> Result<(), BucketError> {
        let taken_back = self.0.take_back(session, Some(PublishRank::ServiceWorker));
        taken_back.map_err(|not| *not.reason)
    }
}

impl Settled {
    /// Deletes what nobody wants any more, now that everything is live everywhere.
    pub fn prune(mut self, session: &Session<'_>) -> Result<(), BucketError> {
        if self.later.is_empty() {
            return Ok(());
        }
        // First the state: what it does not name, nobody relies on.
        forget(&mut self.state, &self.later);
        self.holder.release(&session.objects, &self.state)?;
        refuse_undeleted(session.objects.delete(&self.later)?)
    }
}

/// Deletes objects, in the state, too; gives those that could not be, with the reasons.
fn delete(
    session: &Session<'_>,
    state: &mut State,
    paths: &[String],
) -> Result<Vec<(String, String)>, BucketError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let undeleted = session.objects.delete(paths)?;
    let prefix = session.objects.prefix;
    let stays: BTreeSet<&str> =
        undeleted.iter().filter_map(|(key, _)| key.strip_prefix(prefix)).collect();
    let gone: Vec<String> =
        paths.iter().filter(|path| !stays.contains(path.as_str())).cloned().collect();
    forget(state, &gone);
    Ok(undeleted)
}

fn forget(state: &mut State, paths: &[String]) {
    for path in paths {
        match path.strip_prefix(KEPT) {
            Some(name) => drop(state.kept.remove(name)),
            None => drop(state.objects.remove(path)),
        }
    }
}

fn refuse_undeleted(undeleted: Vec<(String, String)>) -> Result<(), BucketError> {
    match undeleted.into_iter().next() {
        None => Ok(()),
        Some((path, reason)) => Err(BucketError::Undeleted { path, reason }),
    }
}
