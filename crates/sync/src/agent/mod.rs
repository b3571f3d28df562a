//! The agent: the far side of a push. It surveys the destination, answers questions, builds what it is told
//! to build in a staging area, and publishes. It plans nothing.
//!
//! Its memory does not grow with the size of files, and hardly with their number: lists go through
//! [spools](crate::fs::spool), content through buffers of fixed size.

mod answer;
mod apply;
mod book;
mod build;
mod conversation;
mod destination;
mod directory;
mod error;
mod ground;
mod keeping;
mod prefix;
mod protection;
mod record_keeping;
mod renaming;
mod survey;
mod telling;
mod vitals;

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use self::answer::{Place, Question};
use self::apply::Applier;
use self::book::{Book, Usable};
use self::conversation::Conversation;
use self::directory::NewTree;
pub use self::error::AgentError;
use self::keeping::Keeping;
use self::prefix::Prefix;
use self::renaming::Renaming;
use self::survey::{ForDeploy, Survey, Surveyor};
use crate::fs::exchange;
use crate::fs::preflight;
use crate::fs::publish::{PublishError, Publisher};
use crate::fs::stage::Stage;
use crate::fs::tree::Tree;
use crate::fs::work::{Work, WorkError};
use crate::plan::Order;
use crate::proto::{Hello, Message, Vitals};
use crate::state::StateId;

/// How long an agent waits for the first line.
const FIRST_LINE: Duration = Duration::from_secs(60);

/// Up to so many files are synced one by one; beyond, syncing the whole file system is cheaper.
const FEW_FILES: u32 = 16;

/// Serves one push over two streams. `nonce` goes into the first line of output, by which the sender finds
/// the beginning.
pub fn serve(input: OwnedFd, output: OwnedFd, nonce: &str) -> Result<(), AgentError> {
    let talk = Conversation::new(input, output, FIRST_LINE).map_err(AgentError::Own)?;
    let mut agent = Agent { talk };
    let served = agent.serve(nonce);
    if let Some(failure) = served.as_ref().err().and_then(AgentError::failure) {
        // If the sender does not hear it, it sees the end of the stream.
        let _ = agent.talk.fail(&failure);
    }
    served
}

struct Agent {
    talk: Conversation,
}

/// What the sender wants after the survey.
enum Wish {
    Ask(Question),
    Plan(Option<Order>),
    Bye,
}

impl Agent {
    fn serve(&mut self, nonce: &str) -> Result<(), AgentError> {
        self.talk.banner(&format!("assetsync:{nonce}:ready\n"))?;
        let hello = Hello::parse(&self.talk.first_line()?)?;
        self.talk.start(Duration::from_millis(u64::from(hello.timeout_ms.max(100))));
        if hello.dry_run { self.look(&hello) } else { self.push(&hello) }
    }

    /// A dry run: nothing is created, locked or changed.
    fn look(&mut self, hello: &Hello) -> Result<(), AgentError> {
        let destination = destination::open_destination(hello)?;
        let spool_dir = std::env::temp_dir();
        let work_path = destination
            .as_ref()
            .map(|destination| crate::fs::work::choose(destination.dir.as_fd(), &destination.path));
        let work = match &work_path {
            Some(path) => open_work(path, hello.deploy.is_some())?,
            None => None,
        };
        let deploy = for_deploy(hello, work_path.as_deref().unwrap_or(&spool_dir));
        let room = destination::open_nearest(&hello.destination);
        let surveyor = Surveyor {
            spool_dir: &spool_dir,
            work: work.as_ref().map(AsFd::as_fd),
            room: room.as_ref().map(AsFd::as_fd),
            checksum: hello.checksum,
            clock: None,
            remembered: hello.remembered,
            deploy,
        };
        let root = destination.as_ref().map(|destination| destination.dir.as_fd());
        let mut survey = surveyor.survey(root, Vec::new(), &mut self.talk)?;
        let dir = match destination {
            Some(destination) => destination.dir,
            // Nothing is there, so no question can be about anything in it.
            None => open_dir(&spool_dir)?,
        };
        let mut tree = Tree::new(dir);
        let place = Place { tree: &mut tree, stage: None, spool_dir: &spool_dir };
        match self.next_wish(&mut survey, &mut Renaming::default(), place)? {
            Wish::Bye => Ok(()),
            _ => Err(AgentError::protocol("a plan in a dry run")),
        }
    }

    fn push(&mut self, hello: &Hello) -> Result<(), AgentError> {
        let destination = destination::open_destination(hello)?;
        let Some(destination) = destination else { return Err(AgentError::Gone) };
        let work = Work::open(destination.dir.as_fd(), &destination.path)?;
        // What an interrupted push was building beside, or had not removed yet.
        exchange::remove(&work).map_err(AgentError::Own)?;
        let whole = hello.whole_directory.then_some(&*destination.path);
        let mut stage = Stage::new(&work, std::process::id() ^ seconds());
        let leftovers = survey::leftovers(Some(&stage))?;
        // What an interrupted check left is gone by now.
        if let Some(path) = whole {
            exchange::check(&work, destination.dir.as_fd(), path)?;
        }
        let surveyor = Surveyor {
            spool_dir: work.path(),
            work: Some(work.dir()),
            room: Some(work.dir()),
            checksum: hello.checksum,
            clock: Some(survey::file_system_now(&work).map_err(AgentError::Own)?),
            remembered: hello.remembered,
            deploy: for_deploy(hello, work.path()),
        };
        let mut tree = Tree::new(destination.dir);
        let mut survey = surveyor.survey(Some(tree.root()), leftovers, &mut self.talk)?;
        let surveyed = survey.files_read;
        let mut renaming = Renaming::default();
        let place = Place { tree: &mut tree, stage: Some(work.stage()), spool_dir: work.path() };
        let wish = self.next_wish(&mut survey, &mut renaming, place)?;
        let first = match wish {
            Wish::Bye => return Ok(()),
            Wish::Ask(_) => return Err(AgentError::protocol("questions after questions")),
            Wish::Plan(first) => first,
        };
        let asides = std::mem::take(&mut survey.asides);
        let mut keeping = hello.deploy.map(|_| Keeping::new(&work, asides));
        let site = Site { tree: &mut tree, work: &work, whole };
        let carried =
            self.carry_out(first, survey, renaming, &mut stage, site, keeping.as_mut())?;
        let Some((mut book, mut state)) = carried else { return Ok(()) };
        if let Some(keeping) = &mut keeping {
            self.say_published(surveyed, state, &tree)?;
            match self.talk.message()? {
                Message::Bye => return Ok(()),
                Message::Prune => {}
                other => return Err(AgentError::Protocol(format!("{other:?} after publishing"))),
            }
            let site = Site { tree: &mut tree, work: &work, whole };
            state = self.prune(&mut book, keeping, state, &stage, site)?;
        }
        // Whoever hears of the end may push again at once.
        drop(keeping);
        drop(work);
        self.say_published(surveyed, state, &tree)
    }

    /// Tells that everything the sender wanted up to now is done.
    fn say_published(
        &mut self,
        surveyed: u64,
        state: Option<StateId>,
        tree: &Tree,
    ) -> Result<(), AgentError> {
        let read = surveyed + tree.opened_files();
        let vitals = Vitals { state, ..vitals::read(Some(tree.root()), read) };
        self.talk.send(&Message::Published(vitals))?;
        self.talk.flush()
    }

    /// Takes note of renames, answers questions, if any, and gives what comes after.
    fn next_wish(
        &mut self,
        survey: &mut Survey,
        renaming: &mut Renaming,
        place: Place<'_>,
    ) -> Result<Wish, AgentError> {
        let wish = self.wish(renaming)?;
        let Wish::Ask(first) = wish else { return Ok(wish) };
        let records = &mut survey.records;
        survey.learned = answer::answer_all(first, records, renaming, place, &mut self.talk)?;
        self.wish(&mut Renaming::default())
    }

    fn wish(&mut self, renaming: &mut Renaming) -> Result<Wish, AgentError> {
        loop {
            match self.talk.message()? {
                Message::Rename(rename) => renaming.rename(rename)?,
                Message::Substitute { old, new } => renaming.substitute(old, new)?,
                Message::Ask(ask) => return Ok(Wish::Ask(Question::Ask(ask))),
                Message::Alias { path, other } => {
                    return Ok(Wish::Ask(Question::Alias(path, other)));
                }
                Message::Action(order) => return Ok(Wish::Plan(Some(order))),
                Message::PlanEnd => return Ok(Wish::Plan(None)),
                Message::Bye => return Ok(Wish::Bye),
                other => return Err(AgentError::Protocol(format!("{other:?} instead of a plan"))),
            }
        }
    }

    /// Stages a plan and publishes it; `None` if the sender then did not want it. Gives the plan, and the id of what
    /// stands there now, if it could be kept.
    fn carry_out<'w>(
        &mut self,
        first: Option<Order>,
        survey: Survey,
        renaming: Renaming,
        stage: &mut Stage<'w>,
        site: Site<'_, 'w>,
        mut keeping: Option<&mut Keeping<'w>>,
    ) -> Result<Option<(Book, Option<StateId>)>, AgentError> {
        let Survey { records, leftovers, learned, .. } = survey;
        let asides = keeping.as_ref().map_or(0, |keeping| keeping.asides());
        let usable = Usable { leftovers: leftovers.len() as u32, asides };
        let Site { tree, work, whole } = site;
        let spool_dir = work.path();
        let talk = &mut self.talk;
        let mut book = Book::receive(first, records, renaming, usable, spool_dir, talk)?;
        book.learned = learned;
        stage.sync_each = book.orders.len() <= FEW_FILES && whole.is_none();
        let used = book.used_leftovers()?;
        stage.drop_unused(&leftovers, &used).map_err(AgentError::Own)?;
        check_room(&mut book, tree)?;
        check_names(&mut book, tree)?;
        check_rights(&mut book, tree)?;
        let mut applier = Applier {
            book: &mut book,
            stage,
            tree,
            leftovers: &leftovers,
            spool_dir,
            prefix: Prefix::default(),
            keeping: keeping.as_deref_mut(),
        };
        let staged = applier.run(&mut self.talk);
        if staged.as_ref().is_err_and(AgentError::is_no_space) {
            // What is staged would keep the disk full for everyone else on the server.
            stage.clear().map_err(AgentError::Own)?;
        }
        if !staged? {
            return Ok(None);
        }
        let site = Site { tree, work, whole };
        let state = self.publish(&mut book, stage, site, keeping)?;
        Ok(Some((book, state)))
    }

    fn publish(
        &mut self,
        book: &mut Book,
        stage: &Stage<'_>,
        site: Site<'_, '_>,
        keeping: Option<&mut Keeping<'_>>,
    ) -> Result<Option<StateId>, AgentError> {
        let Site { tree, work, whole } = site;
        let count = book.orders.len();
        let keeping = keeping.filter(|keeping| keeping.is_wanted());
        if count > 0 || keeping.is_some() {
            let durable = stage.make_durable();
            durable.map_err(|source| PublishError { path: ".".into(), source })?;
        }
        let mut notices = Vec::new();
        let keep = |book: &mut Book, tree: &mut Tree| match keeping {
            Some(keeping) => {
                keeping.keep(book, tree, stage).map(|mut said| notices.append(&mut said))
            }
            None => Ok(()),
        };
        let whole = match whole {
            Some(path) if directory::is_needed(book)? => Some(path),
            _ => None,
        };
        let (mut said, changed) = match whole {
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
        self.say_notices(&notices)?;
        Ok(state)
    }

    /// Carries out what waited until the new files have proved themselves. Gives the id of what stands there then, if
    /// `state`, that of before, was kept too.
    fn prune(
        &mut self,
        book: &mut Book,
        keeping: &mut Keeping<'_>,
        state: Option<StateId>,
        stage: &Stage<'_>,
        site: Site<'_, '_>,
    ) -> Result<Option<StateId>, AgentError> {
        let Site { tree, work, .. } = site;
        let count = book.orders.len();
        let mut publisher = Publisher::new(tree, stage, work);
        publisher.prune(book, count)?;
        let mut notices = publisher.notices;
        tree.forget();
        notices.append(&mut keeping.prune());
        let mut pruned = None;
        if state.is_some() {
            let kept = record_keeping::drop_pruned(book, tree, work);
            pruned = kept.unwrap_or_else(|error| {
                notices.push(format!("Can't keep the index: {error}"));
                None
            });
        }
        self.say_notices(&notices)?;
        Ok(pruned)
    }

    fn say_notices(&mut self, notices: &[String]) -> Result<(), AgentError> {
        notices.iter().try_for_each(|notice| {
            let text = notice.as_bytes();
            let text = &text[..text.len().min(crate::limits::ERROR_BYTES)];
            self.talk.send(&Message::Notice(text))
        })
    }
}

/// Where a push happens.
struct Site<'t, 'w> {
    /// The destination.
    tree: &'t mut Tree,
    /// The work directory.
    work: &'w Work,
    /// The destination's path, if it is published as a whole.
    whole: Option<&'t Path>,
}

/// What is told besides if the push is part of a deploy.
fn for_deploy<'a>(hello: &Hello, work: &'a Path) -> Option<ForDeploy<'a>> {
    let writable =
        |wish| ForDeploy { wish, work, writable: destination::is_writable(&hello.destination) };
    hello.deploy.map(writable)
}

impl Applier<'_, '_> {
    /// Stages everything; `true` when the sender then wants it published.
    fn run(&mut self, talk: &mut Conversation) -> Result<bool, AgentError> {
        self.make_known()?;
        let (mut first, mut failed) = (None, 0);
        loop {
            let publish = self.receive_content(first.take(), failed > 0, talk)?;
            self.make_planned()?;
            failed = self.report(talk)?;
            if publish && failed == 0 {
                return Ok(true);
            }
            loop {
                match talk.message()? {
                    Message::Publish if failed == 0 => return Ok(true),
                    Message::Bye => return Ok(false),
                    Message::FileStart { action } if failed > 0 => {
                        first = Some(action);
                        break;
                    }
                    Message::Amend { action, size, mtime, digest } if failed > 0 => {
                        self.book.amend(action, book::Amended { size, mtime, digest })?;
                    }
                    other => return Err(AgentError::Protocol(format!("{other:?} after staging"))),
                }
            }
        }
    }
}

/// Refuses a plan that can't fit before anything of it is written.
fn check_room(book: &mut Book, tree: &Tree) -> Result<(), AgentError> {
    let needed = book.staged_bytes()?;
    let Some(free) = vitals::free_bytes(tree.root()).filter(|free| needed > *free) else {
        return Ok(());
    };
    let text = format!("Disk full: the push needs {needed} bytes, {free} are free");
    let source = std::io::Error::new(std::io::ErrorKind::StorageFull, text);
    Err(AgentError::Destination { path: ".".into(), source })
}

/// Refuses a plan that would replace, under new names, what has other names in the survey.
fn check_names(book: &mut Book, tree: &mut Tree) -> Result<(), AgentError> {
    let count = book.orders.len();
    let taken = preflight::not_new(book, count, tree)
        .map_err(|source| AgentError::Destination { path: "the destination".into(), source })?;
    if taken.is_empty() { Ok(()) } else { Err(AgentError::NotNew(taken)) }
}

/// Refuses a plan that this user can't publish.
fn check_rights(book: &mut Book, tree: &mut Tree) -> Result<(), AgentError> {
    let count = book.orders.len();
    let refused = preflight::not_ours(book, count, tree)
        .map_err(|source| AgentError::Destination { path: "the destination".into(), source })?;
    if refused.is_empty() { Ok(()) } else { Err(AgentError::NotOurs(refused)) }
}

/// The work directory, where it can be read. Without it a push is only slower, but a deploy would take it that nothing
/// was ever deployed.
fn open_work(path: &Path, is_needed: bool) -> Result<Option<OwnedFd>, AgentError> {
    match rustix::fs::open(path, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()) {
        Ok(work) => Ok(Some(work)),
        Err(error) if is_needed && error != rustix::io::Errno::NOENT => {
            let (path, source) = (path.to_path_buf(), error.into());
            Err(AgentError::Work(WorkError::Io { path, source }))
        }
        Err(_) => Ok(None),
    }
}

fn open_dir(path: &Path) -> Result<OwnedFd, AgentError> {
    let opened = std::fs::File::open(path).map_err(AgentError::Own)?;
    Ok(opened.into())
}

fn seconds() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as u32)
}
