//! A dry run: a survey and answers; nothing is created, locked or changed.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use assetsync_core::protocol::Hello;
use assetsync_tree::OpenTree;

use super::locked::deploy_survey;
use super::request::{Request, next_request};
use crate::confinement::{Access, Allowed};
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::staging::rename_table::RenameTable;
use crate::survey::answer_queries::QueryFiles;
use crate::survey::walk::{Survey, SurveyOptions};
use crate::work::destination::{self, Destination};
use crate::work::error::WorkDirError;
use crate::work::work_dir::{Existing, Location, choose};

/// Serves a dry run.
pub fn serve(
    conversation: &mut Conversation,
    hello: &Hello,
    within: Option<&Path>,
) -> Result<(), AgentError> {
    let destination = destination::open_destination(hello, within)?;
    let spool_dir = std::env::temp_dir();
    let spools: OwnedFd = File::open(&spool_dir).map_err(AgentError::WorkFiles)?.into();
    let mut survey = survey(conversation, hello, destination.as_ref(), (&spool_dir, &spools))?;
    // Without a destination there are no files to ask about, so any directory will do.
    let dir = destination.map_or(spools, |destination| destination.found.dir);
    let mut tree = OpenTree::new(dir);
    let files = QueryFiles { tree: &mut tree, stage: None, spool_dir: &spool_dir };
    match next_request(&mut survey, &mut RenameTable::default(), files, conversation)? {
        Request::Quit => Ok(()),
        _ => Err(AgentError::protocol("a plan in a dry run")),
    }
}

fn survey(
    conversation: &mut Conversation,
    hello: &Hello,
    destination: Option<&Destination>,
    (spool_dir, spools): (&Path, &OwnedFd),
) -> Result<Survey, AgentError> {
    let location = destination.map(|destination| choose(&destination.found));
    let work = match &location {
        Some(location) => open_work(location, hello.deploy.is_some())?,
        None => None,
    };
    let free_space_dir = destination::open_nearest(&hello.destination);
    let options = SurveyOptions {
        spool_dir,
        work: work.as_ref().map(|work| work.dir.as_fd()),
        pushed_before: work.as_ref().is_some_and(|work| work.was_pushed),
        free_space_dir: free_space_dir.as_ref().map(AsFd::as_fd),
        checksum: hello.checksum,
        clock: None,
        cached: hello.cached,
        deploy: deploy_survey(
            hello,
            work.as_ref().map_or(spool_dir, |work| &work.path),
            work.as_ref().and_then(|work| work.holder.as_deref()),
        ),
        names: destination.and_then(|destination| destination.names.as_ref()),
    };
    let root = destination.map(|destination| destination.found.dir.as_fd());
    let read = |dir| Allowed { dir, access: Access::Read };
    let spools = Allowed { dir: spools.as_fd(), access: Access::Write };
    let allowed = root.into_iter().chain(options.work).map(read).chain([spools]);
    conversation.begin_work(&allowed.collect::<Vec<_>>());
    options.survey(root, Vec::new(), conversation)
}

/// Opens the work directory, if it can be read. Without it a push is only slower, but a deploy
/// would conclude that nothing was ever deployed: then it is an error.
fn open_work(location: &Location<'_>, is_needed: bool) -> Result<Option<Existing>, AgentError> {
    match Existing::open(location) {
        Err(source) if is_needed => {
            let path = location.path.clone();
            Err(AgentError::WorkDir(WorkDirError::Io { path, source }))
        }
        opened => Ok(opened.unwrap_or_default()),
    }
}
