//! Everything is sent before anything is published: new objects that nothing names yet to their
//! places, and what replaces others to where contents are kept.

use std::collections::{BTreeMap, HashMap, HashSet};

use assetsync_core::plan::PublishRank;

use super::each::each;
use super::holder::Holder;
use super::publish::Staged;
use super::session::Session;
use super::upload::{put_new, upload};
use crate::error::BucketError;
use crate::headers::Headers;
use crate::objects::Condition;
use crate::plan::{BucketPlan, How, Retained, Step};
use crate::state::{KEPT, State};

/// A push that is planned; nothing has changed yet.
pub struct Planned {
    /// The plan.
    pub plan: BucketPlan,
    /// What stays of what is no asset.
    pub retained: Retained,
    /// What the bucket holds.
    pub state: State,
    /// The state object.
    pub holder: Holder,
    /// Whether the state object says what the bucket holds.
    pub is_settled: bool,
}

impl Planned {
    /// Whether the bucket is as it should be, and says so.
    pub fn is_done(&self) -> bool {
        self.plan.is_empty()
            && self.is_settled
            && self.retained.history.is_none()
            && self.retained.pruned.is_empty()
            && self.retained.dropped.is_empty()
            && self.state.kept.is_subset(&self.retained.kept)
    }

    /// Sends everything.
    pub fn stage(self, session: &Session<'_>) -> Result<Staged, BucketError> {
        let Planned { plan, retained, mut state, holder, .. } = self;
        let sent = plan.steps.iter().filter(|step| step.how == How::Send);
        let bytes = sent.clone().map(|step| step.wanted.size).sum();
        session.progress.planned(sent.count() as u64, bytes);
        let mut etags = BTreeMap::new();
        for rank in [PublishRank::Fingerprinted, PublishRank::Ordinary] {
            let put = put_early(session, &plan, &etags, rank)?;
            etags.extend(put);
        }
        stage_contents(session, &plan, &mut state)?;
        Ok(Staged { plan, retained, state, holder, etags })
    }
}

/// Puts the new objects of a rank to their places; gives their ETags by path.
fn put_early(
    session: &Session<'_>,
    plan: &BucketPlan,
    etags: &BTreeMap<String, String>,
    rank: PublishRank,
) -> Result<Vec<(String, String)>, BucketError> {
    let steps = plan.steps.iter().filter(|step| step.is_early() && step.wanted.rank == rank);
    let sent = steps.clone().filter(|step| step.how == How::Send);
    let sent: HashSet<&str> = sent.map(|step| step.path.as_str()).collect();
    let (mut first, mut copies) = (Vec::new(), HashMap::<&str, Vec<&Step>>::new());
    for step in steps {
        match &step.how {
            How::Copy(from) if sent.contains(from.path.as_str()) => {
                copies.entry(&from.path).or_default().push(step);
            }
            _ => first.push(step),
        }
    }
    let size = |step: &&Step| step.wanted.size;
    let put = each(&first, size, |step| {
        let etag = put_new(session, step, etags)?;
        let known = BTreeMap::from([(step.path.clone(), etag)]);
        let copies = copies.get(step.path.as_str()).into_iter().flatten();
        let copied = copies.map(|copy| Ok((copy.path.clone(), put_new(session, copy, &known)?)));
        let copied = copied.collect::<Result<Vec<_>, BucketError>>()?;
        Ok(known.into_iter().chain(copied).collect::<Vec<_>>())
    })?;
    Ok(put.into_iter().flatten().collect())
}

/// Sends the contents that will replace others.
fn stage_contents(
    session: &Session<'_>,
    plan: &BucketPlan,
    state: &mut State,
) -> Result<(), BucketError> {
    let staged = plan.steps.iter().filter(|step| step.is_staged());
    let by_name: BTreeMap<String, &Step> =
        staged.map(|step| (step.wanted.digest.to_string(), step)).collect();
    let missing: Vec<_> =
        by_name.into_iter().filter(|(name, _)| !state.kept.contains(name)).collect();
    let (none, objects) = (Headers::default(), &session.objects);
    each(
        &missing,
        |(_, step)| step.wanted.size,
        |(name, step)| {
            let path = format!("{KEPT}{name}");
            let place = (path.as_str(), &none, Condition::Always);
            upload(objects, session.source, &step.wanted, place)?;
            session.progress.sent(step.wanted.size);
            Ok(())
        },
    )?;
    state.kept.extend(missing.into_iter().map(|(name, _)| name));
    Ok(())
}
