//! A destination that this push has locked.

use std::path::Path;

use assetsync_core::protocol::Hello;
use assetsync_tree::OpenTree;

use super::context::PushContext;
use super::surveyed::Surveyed;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::publishing::areas::{self, Areas};
use crate::publishing::exchange::{self, ExchangePoint};
use crate::staging::staging_area::{PartialFile, StagingArea};
use crate::survey::walk::{DeploySurvey, SurveyOptions, file_system_now};
use crate::work::destination::{self, Destination};
use crate::work::lookup::Found;
use crate::work::work_dir::WorkDir;

/// A destination that is locked and cleaned up. The next step surveys it.
pub struct Locked<'p> {
    context: PushContext<'p>,
    hello: &'p Hello,
    partials: Vec<PartialFile>,
}

impl<'p> Locked<'p> {
    /// Removes what interrupted pushes left, except their partials.
    pub fn new(
        conversation: &'p mut Conversation,
        hello: &'p Hello,
        destination: Destination,
        work: &'p WorkDir,
    ) -> Result<Locked<'p>, AgentError> {
        // A new tree that was not finished, or an old one that was not removed.
        exchange::remove(work).map_err(AgentError::WorkFiles)?;
        let stage = StagingArea::new(work, std::process::id() ^ seconds());
        let partials = stage.partials().map_err(AgentError::WorkFiles)?;
        let Destination { found: Found { dir, parent, path }, names } = destination;
        let mut tree = OpenTree::new(dir);
        // Where this fails, a mount is read-only now; it stays on the list.
        let _ = areas::remove_left(work, &mut tree);
        let areas = Areas::new(work, &stage);
        let exchange_point = hello.whole_directory.then_some(ExchangePoint { path, parent });
        // Only now: an interrupted check leaves files that listing the partials removes.
        if let Some(point) = &exchange_point {
            exchange::check(work, tree.root(), point)?;
        }
        let context = PushContext {
            conversation,
            tree,
            work,
            stage,
            areas,
            exchange_point,
            names,
            files_read: 0,
        };
        Ok(Locked { context, hello, partials })
    }

    /// Surveys the destination and reports its state.
    pub fn survey(self) -> Result<Surveyed<'p>, AgentError> {
        let Locked { mut context, hello, partials } = self;
        let work = context.work;
        let options = SurveyOptions {
            spool_dir: work.path(),
            work: Some(work.dir()),
            pushed_before: work.was_pushed(),
            free_space_dir: Some(work.dir()),
            checksum: hello.checksum,
            clock: Some(file_system_now(work).map_err(AgentError::WorkFiles)?),
            cached: hello.cached,
            deploy: deploy_survey(hello, work.path(), None),
            names: context.names.as_ref(),
        };
        let survey = options.survey(Some(context.tree.root()), partials, context.conversation)?;
        context.files_read = survey.files_read;
        Ok(Surveyed { context, survey, is_deploy: hello.deploy.is_some() })
    }
}

/// The part of a survey that only a deploy has.
pub fn deploy_survey<'a>(
    hello: &Hello,
    work_path: &'a Path,
    holder: Option<&'a str>,
) -> Option<DeploySurvey<'a>> {
    let writable = || destination::is_writable(&hello.destination);
    hello.deploy.map(|deploy| DeploySurvey { deploy, work_path, holder, writable: writable() })
}

fn seconds() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as u32)
}
