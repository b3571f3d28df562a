//! One push, from the first line to the last.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use assetsync_core::plan::WireAction;
use assetsync_core::protocol::{AgentStatistics, Hello, ToAgent, ToSender};
use assetsync_core::state::StateId;
use assetsync_tree::OpenTree;

use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::publishing::exchange;
use crate::publishing::publisher::{PublishError, Publisher};
use crate::publishing::whole_directory as directory;
use crate::publishing::whole_directory::NewTree;
use crate::retained::requests::RetentionRequests;
use crate::staging::check_rights;
use crate::staging::plan_store as book;
use crate::staging::plan_store::{BasisCounts, PlanStore};
use crate::staging::prefix::Prefix;
use crate::staging::rename_table::RenameTable;
use crate::staging::stage_files::Stager;
use crate::staging::staging_area::StagingArea;
use crate::survey::agent_statistics;
use crate::survey::answer_queries as answer;
use crate::survey::answer_queries::{ActionPath, Question};
use crate::survey::update_index as record_keeping;
use crate::survey::walk as survey;
use crate::survey::walk::{DeploySurvey, Survey, SurveyOptions};
use crate::work::destination;
use crate::work::work_dir::{WorkDir, WorkDirError};

/// How long an agent waits for the first line.
const FIRST_LINE: Duration = Duration::from_secs(60);

/// Up to so many files are synced one by one; beyond, syncing the whole file system is cheaper.
const FEW_FILES: u32 = 16;

/// Serves one push over two streams. `nonce` goes into the first line of output, by which the sender finds
/// the beginning.
pub fn serve(input: OwnedFd, output: OwnedFd, nonce: &str) -> Result<(), AgentError> {
    let conversation =
        Conversation::new(input, output, FIRST_LINE).map_err(AgentError::WorkFiles)?;
    let mut agent = Agent { conversation };
    let served = agent.serve(nonce);
    if let Some(failure) = served.as_ref().err().and_then(AgentError::failure) {
        // If the sender does not hear it, it sees the end of the stream.
        let _ = agent.conversation.fail(&failure);
    }
    served
}

struct Agent {
    conversation: Conversation,
}

/// What the sender wants after the survey.
enum Request {
    Query(Question),
    Plan(Option<WireAction>),
    Quit,
}

impl Agent {
    fn serve(&mut self, nonce: &str) -> Result<(), AgentError> {
        self.conversation.banner(&format!("assetsync:{nonce}:ready\n"))?;
        let hello = Hello::parse(&self.conversation.first_line()?)?;
        self.conversation.start(Duration::from_millis(u64::from(hello.timeout_ms.max(100))));
        if hello.dry_run { self.serve_dry_run(&hello) } else { self.push(&hello) }
    }

    /// A dry run: nothing is created, locked or changed.
    fn serve_dry_run(&mut self, hello: &Hello) -> Result<(), AgentError> {
        let destination = destination::open_destination(hello)?;
        let spool_dir = std::env::temp_dir();
        let work_path = destination.as_ref().map(|destination| {
            crate::work::work_dir::choose(destination.dir.as_fd(), &destination.path)
        });
        let work = match &work_path {
            Some(path) => open_work(path, hello.deploy.is_some())?,
            None => None,
        };
        let deploy = deploy_survey(hello, work_path.as_deref().unwrap_or(&spool_dir));
        let room = destination::open_nearest(&hello.destination);
        let surveyor = SurveyOptions {
            spool_dir: &spool_dir,
            work: work.as_ref().map(AsFd::as_fd),
            room: room.as_ref().map(AsFd::as_fd),
            checksum: hello.checksum,
            clock: None,
            cached: hello.cached,
            deploy,
        };
        let root = destination.as_ref().map(|destination| destination.dir.as_fd());
        let mut survey = surveyor.survey(root, Vec::new(), &mut self.conversation)?;
        let dir = match destination {
            Some(destination) => destination.dir,
            // Nothing is there, so no question can be about anything in it.
            None => open_dir(&spool_dir)?,
        };
        let mut tree = OpenTree::new(dir);
        let place = ActionPath { tree: &mut tree, stage: None, spool_dir: &spool_dir };
        match self.next_request(&mut survey, &mut RenameTable::default(), place)? {
            Request::Quit => Ok(()),
            _ => Err(AgentError::protocol("a plan in a dry run")),
        }
    }

    fn push(&mut self, hello: &Hello) -> Result<(), AgentError> {
        let destination = destination::open_destination(hello)?;
        let Some(destination) = destination else { return Err(AgentError::SenderGone) };
        let work = WorkDir::open(destination.dir.as_fd(), &destination.path)?;
        // What an interrupted push was building beside, or had not removed yet.
        exchange::remove(&work).map_err(AgentError::WorkFiles)?;
        let exchange_path = hello.whole_directory.then_some(&*destination.path);
        let mut stage = StagingArea::new(&work, std::process::id() ^ seconds());
        let partials = survey::partials(Some(&stage))?;
        // What an interrupted check left is gone by now.
        if let Some(path) = exchange_path {
            exchange::check(&work, destination.dir.as_fd(), path)?;
        }
        let surveyor = SurveyOptions {
            spool_dir: work.path(),
            work: Some(work.dir()),
            room: Some(work.dir()),
            checksum: hello.checksum,
            clock: Some(survey::file_system_now(&work).map_err(AgentError::WorkFiles)?),
            cached: hello.cached,
            deploy: deploy_survey(hello, work.path()),
        };
        let mut tree = OpenTree::new(destination.dir);
        let mut survey = surveyor.survey(Some(tree.root()), partials, &mut self.conversation)?;
        let surveyed = survey.files_read;
        let mut renaming = RenameTable::default();
        let place =
            ActionPath { tree: &mut tree, stage: Some(work.stage()), spool_dir: work.path() };
        let read_request = self.next_request(&mut survey, &mut renaming, place)?;
        let first = match read_request {
            Request::Quit => return Ok(()),
            Request::Query(_) => return Err(AgentError::protocol("questions after questions")),
            Request::Plan(first) => first,
        };
        let retained_contents = std::mem::take(&mut survey.retained_contents);
        let mut keeping = hello.deploy.map(|_| RetentionRequests::new(&work, retained_contents));
        let site = DestinationDirs { tree: &mut tree, work: &work, exchange_path };
        let carried = self.execute(first, survey, renaming, &mut stage, site, keeping.as_mut())?;
        let Some((mut book, mut state)) = carried else { return Ok(()) };
        if let Some(keeping) = &mut keeping {
            self.send_published(surveyed, state, &tree)?;
            match self.conversation.message()? {
                ToAgent::Quit => return Ok(()),
                ToAgent::Prune => {}
                other => return Err(AgentError::unexpected(&other, "after publishing")),
            }
            let site = DestinationDirs { tree: &mut tree, work: &work, exchange_path };
            state = self.prune(&mut book, keeping, state, &stage, site)?;
        }
        // Whoever hears of the end may push again at once.
        drop(keeping);
        drop(work);
        self.send_published(surveyed, state, &tree)
    }

    /// Tells that everything the sender wanted up to now is done.
    fn send_published(
        &mut self,
        surveyed: u64,
        state: Option<StateId>,
        tree: &OpenTree,
    ) -> Result<(), AgentError> {
        let read = surveyed + tree.opened_files();
        let statistics =
            AgentStatistics { state, ..agent_statistics::read(Some(tree.root()), read) };
        self.conversation.send(&ToSender::Published(statistics))?;
        self.conversation.flush()
    }

    /// Takes note of renames, answers questions, if any, and gives what comes after.
    fn next_request(
        &mut self,
        survey: &mut Survey,
        renaming: &mut RenameTable,
        place: ActionPath<'_>,
    ) -> Result<Request, AgentError> {
        let read_request = self.read_request(renaming)?;
        let Request::Query(first) = read_request else { return Ok(read_request) };
        let records = &mut survey.records;
        survey.learned =
            answer::answer_all(first, records, renaming, place, &mut self.conversation)?;
        self.read_request(&mut RenameTable::default())
    }

    fn read_request(&mut self, renaming: &mut RenameTable) -> Result<Request, AgentError> {
        loop {
            match self.conversation.message()? {
                ToAgent::Rename(rename) => renaming.rename(rename)?,
                ToAgent::Substitute { old, new } => renaming.substitute(old, new)?,
                ToAgent::Query(ask) => return Ok(Request::Query(Question::Query(ask))),
                ToAgent::Alias { path, other } => {
                    return Ok(Request::Query(Question::Alias(path, other)));
                }
                ToAgent::Action(order) => return Ok(Request::Plan(Some(order))),
                ToAgent::PlanEnd => return Ok(Request::Plan(None)),
                ToAgent::Quit => return Ok(Request::Quit),
                other => return Err(AgentError::unexpected(&other, "instead of a plan")),
            }
        }
    }

    /// Stages a plan and publishes it; `None` if the sender then did not want it. Gives the plan, and the id of what
    /// stands there now, if it could be kept.
    fn execute<'w>(
        &mut self,
        first: Option<WireAction>,
        survey: Survey,
        renaming: RenameTable,
        stage: &mut StagingArea<'w>,
        site: DestinationDirs<'_, 'w>,
        mut keeping: Option<&mut RetentionRequests<'w>>,
    ) -> Result<Option<(PlanStore, Option<StateId>)>, AgentError> {
        let Survey { records, partials, learned, .. } = survey;
        let retained_contents = keeping.as_ref().map_or(0, |keeping| keeping.retained_contents());
        let usable = BasisCounts { partials: partials.len() as u32, retained_contents };
        let DestinationDirs { tree, work, exchange_path } = site;
        let spool_dir = work.path();
        let conversation = &mut self.conversation;
        let mut book =
            PlanStore::receive(first, records, renaming, usable, spool_dir, conversation)?;
        book.learned = learned;
        stage.sync_each = book.wire_actions.len() <= FEW_FILES && exchange_path.is_none();
        let used = book.used_partials()?;
        stage.remove_unused(&partials, &used).map_err(AgentError::WorkFiles)?;
        check_room(&mut book, tree)?;
        check_names(&mut book, tree)?;
        check_rights(&mut book, tree)?;
        let mut applier = Stager {
            book: &mut book,
            stage,
            tree,
            partials: &partials,
            spool_dir,
            prefix: Prefix::default(),
            keeping: keeping.as_deref_mut(),
        };
        let staged = applier.run(&mut self.conversation);
        if staged.as_ref().is_err_and(AgentError::is_no_space) {
            // What is staged would keep the disk full for everyone else on the server.
            stage.clear().map_err(AgentError::WorkFiles)?;
        }
        if !staged? {
            return Ok(None);
        }
        let site = DestinationDirs { tree, work, exchange_path };
        let state = self.publish(&mut book, stage, site, keeping)?;
        Ok(Some((book, state)))
    }

    fn publish(
        &mut self,
        book: &mut PlanStore,
        stage: &StagingArea<'_>,
        site: DestinationDirs<'_, '_>,
        keeping: Option<&mut RetentionRequests<'_>>,
    ) -> Result<Option<StateId>, AgentError> {
        let DestinationDirs { tree, work, exchange_path } = site;
        let count = book.wire_actions.len();
        let keeping = keeping.filter(|keeping| keeping.has_requests());
        if count > 0 || keeping.is_some() {
            let durable = stage.make_durable();
            durable.map_err(|source| PublishError { path: ".".into(), source })?;
        }
        let mut notices = Vec::new();
        let keep = |book: &mut PlanStore, tree: &mut OpenTree| match keeping {
            Some(keeping) => {
                keeping.keep(book, tree, stage).map(|mut said| notices.append(&mut said))
            }
            None => Ok(()),
        };
        let exchange_path = match exchange_path {
            Some(path) if directory::is_needed(book)? => Some(path),
            _ => None,
        };
        let (mut said, changed) = match exchange_path {
            Some(path) => {
                let new = NewTree::build(book, tree, stage, work)?;
                keep(book, tree)?;
                let live = new.exchange(tree, work, path)?;
                (live.notices, Some(live.changed))
            }
            None => {
                keep(book, tree)?;
                let mut publisher = Publisher::new(tree, stage, work);
                publisher.publish(book, count)?;
                (publisher.notices, None)
            }
        };
        notices.append(&mut said);
        tree.forget();
        let kept = stage
            .clear()
            .and_then(|()| record_keeping::save_index(book, tree, work, changed.as_ref()));
        // The push is done; without an index the next one reads more.
        let state =
            kept.map_err(|error| notices.push(format!("Can't keep the index: {error}"))).ok();
        self.send_notices(&notices)?;
        Ok(state)
    }

    /// Carries out what waited until the new files have proved themselves. Gives the id of what stands there then, if
    /// `state`, that of before, was kept too.
    fn prune(
        &mut self,
        book: &mut PlanStore,
        keeping: &mut RetentionRequests<'_>,
        state: Option<StateId>,
        stage: &StagingArea<'_>,
        site: DestinationDirs<'_, '_>,
    ) -> Result<Option<StateId>, AgentError> {
        let DestinationDirs { tree, work, .. } = site;
        let count = book.wire_actions.len();
        let mut publisher = Publisher::new(tree, stage, work);
        publisher.prune(book, count)?;
        let mut notices = publisher.notices;
        tree.forget();
        notices.append(&mut keeping.prune());
        let mut pruned = None;
        if state.is_some() {
            let kept = record_keeping::remove_pruned(book, tree, work);
            pruned = kept.unwrap_or_else(|error| {
                notices.push(format!("Can't keep the index: {error}"));
                None
            });
        }
        self.send_notices(&notices)?;
        Ok(pruned)
    }

    fn send_notices(&mut self, notices: &[String]) -> Result<(), AgentError> {
        notices.iter().try_for_each(|notice| {
            let text = notice.as_bytes();
            let text = &text[..text.len().min(assetsync_core::limits::ERROR_BYTES)];
            self.conversation.send(&ToSender::Notice(text))
        })
    }
}

/// Where a push happens.
struct DestinationDirs<'t, 'w> {
    /// The destination.
    tree: &'t mut OpenTree,
    /// The work directory.
    work: &'w WorkDir,
    /// The destination's path, if it is published as a whole.
    exchange_path: Option<&'t Path>,
}

/// What is told besides if the push is part of a deploy.
fn deploy_survey<'a>(hello: &Hello, work: &'a Path) -> Option<DeploySurvey<'a>> {
    let writable =
        |wish| DeploySurvey { wish, work, writable: destination::is_writable(&hello.destination) };
    hello.deploy.map(writable)
}

impl Stager<'_, '_> {
    /// Stages everything; `true` when the sender then wants it published.
    fn run(&mut self, conversation: &mut Conversation) -> Result<bool, AgentError> {
        self.make_known()?;
        let (mut first, mut failed) = (None, 0);
        loop {
            let publish = self.receive_content(first.take(), failed > 0, conversation)?;
            self.make_planned()?;
            failed = self.report(conversation)?;
            if publish && failed == 0 {
                return Ok(true);
            }
            loop {
                match conversation.message()? {
                    ToAgent::Publish if failed == 0 => return Ok(true),
                    ToAgent::Quit => return Ok(false),
                    ToAgent::FileStart { action } if failed > 0 => {
                        first = Some(action);
                        break;
                    }
                    ToAgent::Amend { action, size, mtime, digest } if failed > 0 => {
                        self.book.amend(action, book::Amended { size, mtime, digest })?;
                    }
                    other => return Err(AgentError::unexpected(&other, "after staging")),
                }
            }
        }
    }
}

/// Refuses a plan that can't fit before anything of it is written.
fn check_room(book: &mut PlanStore, tree: &OpenTree) -> Result<(), AgentError> {
    let needed = book.staged_bytes()?;
    let Some(free) = agent_statistics::free_bytes(tree.root()).filter(|free| needed > *free) else {
        return Ok(());
    };
    let text = format!("Disk full: the push needs {needed} bytes, {free} are free");
    let source = std::io::Error::new(std::io::ErrorKind::StorageFull, text);
    Err(AgentError::Destination { path: ".".into(), source })
}

/// Refuses a plan that would replace, under new names, what has other names in the survey.
fn check_names(book: &mut PlanStore, tree: &mut OpenTree) -> Result<(), AgentError> {
    let count = book.wire_actions.len();
    let taken = check_rights::not_new(book, count, tree)
        .map_err(|source| AgentError::Destination { path: "the destination".into(), source })?;
    if taken.is_empty() { Ok(()) } else { Err(AgentError::NotNew(taken)) }
}

/// Refuses a plan that this user can't publish.
fn check_rights(book: &mut PlanStore, tree: &mut OpenTree) -> Result<(), AgentError> {
    let count = book.wire_actions.len();
    let refused = check_rights::unwritable_paths(book, count, tree)
        .map_err(|source| AgentError::Destination { path: "the destination".into(), source })?;
    if refused.is_empty() { Ok(()) } else { Err(AgentError::NotWritable(refused)) }
}

/// The work directory, where it can be read. Without it a push is only slower, but a deploy would take it that nothing
/// was ever deployed.
fn open_work(path: &Path, is_needed: bool) -> Result<Option<OwnedFd>, AgentError> {
    match rustix::fs::open(path, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()) {
        Ok(work) => Ok(Some(work)),
        Err(error) if is_needed && error != rustix::io::Errno::NOENT => {
            let (path, source) = (path.to_path_buf(), error.into());
            Err(AgentError::WorkDir(WorkDirError::Io { path, source }))
        }
        Err(_) => Ok(None),
    }
}

fn open_dir(path: &Path) -> Result<OwnedFd, AgentError> {
    let opened = std::fs::File::open(path).map_err(AgentError::WorkFiles)?;
    Ok(opened.into())
}

fn seconds() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as u32)
}
