//! What is staged becomes what visitors get: rank by rank, and all of it or nothing.

use std::collections::BTreeMap;

use assetsync_core::plan::PublishRank;
use assetsync_core::text;

use super::each::each;
use super::holder::Holder;
use super::session::Session;
use super::upload::{copy, put_new};
use crate::error::BucketError;
use crate::objects::Written;
use crate::plan::{BucketPlan, How, Retained, Step};
use crate::state::{Intent, KEPT, Object, RunId, State};

/// Why a publishing could not be undone.
pub struct NotPutBack {
    /// The reason.
    pub reason: Box<BucketError>,
    /// What may be new while the rest is old.
    pub paths: Vec<String>,
}

/// A push of which everything is sent.
pub struct Staged {
    pub(super) plan: BucketPlan,
    pub(super) retained: Retained,
    pub(super) state: State,
    pub(super) holder: Holder,
    /// The ETags of objects that are as wanted, by path.
    pub(super) etags: BTreeMap<String, String>,
}

impl Staged {
    /// Takes the bucket: no other push can publish until this one is over.
    pub(super) fn take(&mut self, session: &Session<'_>) -> Result<(), BucketError> {
        let next = self.plan.steps.iter().map(|step| {
            let etag = self.etags.get(&step.path).map_or("", String::as_str);
            (step.path.clone(), step.object(etag))
        });
        let (run, who) = (RunId::new(), session.who.to_owned());
        self.state.intent = Some(Intent { run, who, next: next.collect() });
        self.holder.take(&session.objects, &self.state)
    }

    /// Publishes rank by rank. A failure says up to which rank objects may have changed.
    pub(super) fn publish_ranks(
        &mut self,
        session: &Session<'_>,
    ) -> Result<(), (BucketError, Option<PublishRank>)> {
        self.keep_old(session).map_err(|error| (error, None))?;
        for rank in PublishRank::ALL {
            let renewed = self.holder.renew(&session.objects, &self.state);
            let published = renewed.and_then(|()| self.publish_rank(session, rank));
            self.etags.extend(published.map_err(|error| (error, Some(rank)))?);
        }
        Ok(())
    }

    /// Has the server keep every content that is replaced, or deleted and wanted again.
    fn keep_old(&mut self, session: &Session<'_>) -> Result<(), BucketError> {
        let replaced = self.plan.steps.iter().filter(|step| step.how != How::Headers);
        let replaced = replaced.filter_map(|step| Some((step.path.as_str(), step.old.as_ref()?)));
        let wanted = self.retained.to_keep.values();
        let wanted = wanted.filter_map(|path| Some((path.as_str(), self.state.objects.get(path)?)));
        let olds = replaced.chain(wanted).map(|it| (it.1.kept_name(), it));
        let mut olds: BTreeMap<String, (&str, &Object)> = olds.collect();
        olds.retain(|name, _| !self.state.kept.contains(name));
        let olds: Vec<_> = olds.into_iter().collect();
        each(
            &olds,
            |(_, (_, old))| old.size,
            |(name, (path, old))| {
                let to = format!("{KEPT}{name}");
                match session.objects.copy(path, &to, None, Some(&old.etag))? {
                    Written::Done(_) => Ok(()),
                    Written::Refused => Err(BucketError::Changed((*path).to_owned())),
                }
            },
        )?;
        self.state.kept.extend(olds.into_iter().map(|(name, _)| name));
        Ok(())
    }

    fn publish_rank(
        &self,
        session: &Session<'_>,
        rank: PublishRank,
    ) -> Result<Vec<(String, String)>, BucketError> {
        let late = self.late().filter(|step| step.wanted.rank == rank);
        let (late, size) = (late.collect::<Vec<_>>(), |step: &&Step| step.wanted.size);
        each(&late, size, |step| Ok((step.path.clone(), publish_one(session, step, &self.etags)?)))
    }

    /// The steps that change what visitors get.
    fn late(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.plan.steps.iter().filter(|step| !step.is_early())
    }

    /// Puts everything back that was published up to a rank, and releases the bucket. A failure
    /// has the paths that may be new.
    pub(super) fn take_back(
        mut self,
        session: &Session<'_>,
        up_to: Option<PublishRank>,
    ) -> Result<(), NotPutBack> {
        let is_published = |step: &&Step| up_to.is_some_and(|rank| step.wanted.rank <= rank);
        let steps: Vec<&Step> = self.late().rev().filter(is_published).collect();
        let (mut now, mut paths, mut reason) = (Vec::new(), Vec::new(), None);
        for (path, restored) in restore_all(session, &steps) {
            match restored {
                Ok(object) => now.push((path, object)),
                Err(error) => {
                    paths.push(text::name(path.as_bytes()));
                    reason.get_or_insert(error);
                }
            }
        }
        if let Some(reason) = reason {
            return Err(NotPutBack { reason: Box::new(reason), paths });
        }
        let new = steps.iter().filter(|step| step.old.is_none()).map(|step| step.path.clone());
        let new: Vec<String> = new.collect();
        let early = self.plan.steps.iter().filter_map(|step| {
            let etag = self.etags.get(&step.path).filter(|_| step.is_early())?;
            Some((step.path.clone(), step.object(etag)))
        });
        now.extend(early);
        let deleted = match new.is_empty() {
            true => Ok(Vec::new()),
            false => session.objects.delete(&new),
        };
        self.state.intent = None;
        self.state.objects.extend(now);
        match deleted.map_err(BucketError::from) {
            // The next push looks what is there.
            Ok(_) => drop(self.holder.release(&session.objects, &self.state)),
            Err(error) => return Err(NotPutBack { reason: Box::new(error), paths: new }),
        }
        Ok(())
    }
}

/// Puts the objects of these steps back, those that were published last first. One that fails does
/// not keep others from being put back.
fn restore_all(
    session: &Session<'_>,
    steps: &[&Step],
) -> Vec<(String, Result<Object, BucketError>)> {
    let mut restored = Vec::new();
    for rank in PublishRank::ALL.into_iter().rev() {
        let replaced = steps.iter().filter(|step| step.wanted.rank == rank);
        let replaced: Vec<(&Step, &Object)> =
            replaced.filter_map(|step| Some((*step, step.old.as_ref()?))).collect();
        let size = |(_, old): &(&Step, &Object)| old.size;
        let results = each(&replaced, size, |(step, old)| {
            let etag = restore(session, step, old);
            Ok((step.path.clone(), etag.map(|etag| Object { etag, ..(*old).clone() })))
        });
        restored.extend(results.unwrap_or_default());
    }
    restored
}

/// Puts the object of a step at its place.
fn publish_one(
    session: &Session<'_>,
    step: &Step,
    put: &BTreeMap<String, String>,
) -> Result<String, BucketError> {
    let (path, headers) = (step.path.as_str(), Some(&step.wanted.headers));
    let written = match (&step.how, &step.old) {
        (_, None) => return put_new(session, step, put),
        (How::Send, Some(_)) => {
            let from = format!("{KEPT}{}", step.wanted.digest);
            session.objects.copy(&from, path, headers, None)?
        }
        (How::Copy(from), Some(_)) => return copy(session, from, step, put),
        (How::Headers, Some(old)) => session.objects.copy(path, path, headers, Some(&old.etag))?,
    };
    match written {
        Written::Done(etag) => Ok(etag),
        Written::Refused => Err(BucketError::Changed(step.path.clone())),
    }
}

/// Puts the object back that a step replaces; gives its ETag.
fn restore(session: &Session<'_>, step: &Step, old: &Object) -> Result<String, BucketError> {
    let kept = format!("{KEPT}{}", old.kept_name());
    let from = if step.how == How::Headers { &step.path } else { &kept };
    let copied = match (&old.headers, &step.how) {
        // Its headers are not known, and its content is the same.
        (None, How::Headers) => return Ok(old.etag.clone()),
        (headers, _) => session.objects.copy(from, &step.path, headers.as_ref(), None),
    };
    match copied {
        Ok(Written::Done(etag)) => Ok(etag),
        Ok(Written::Refused) => Err(BucketError::Changed(step.path.clone())),
        // What the server refused to change is as it was.
        Err(error) => match session.objects.etag(&step.path) {
            Ok(Some(etag)) if etag == old.etag => Ok(etag),
            _ => Err(error.into()),
        },
    }
}
