//! The agent: the far side of a push. It surveys the destination, answers questions, builds what it is told
//! to build in a staging area, and publishes. It plans nothing.
//!
//! Its memory does not grow with the size of files, and hardly with their number: lists go through
//! [spools](crate::fs::spool), content through buffers of fixed size.

mod answer;
mod apply;
mod book;
mod conversation;
mod destination;
mod error;
mod record_keeping;
mod survey;
mod vitals;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::apply::Applier;
use self::book::Book;
use self::conversation::Conversation;
pub use self::error::AgentError;
use self::survey::{Survey, Surveyor};
use crate::fs::preflight;
use crate::fs::publish::Publisher;
use crate::fs::stage::Stage;
use crate::fs::tree::Tree;
use crate::fs::work::Work;
use crate::plan::Order;
use crate::proto::{Ask, Hello, Message};

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
    Ask(Ask),
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
        let destination = destination::open_destination(&hello.destination, false)?;
        let spool_dir = std::env::temp_dir();
        let work = destination.as_ref().and_then(|destination| {
            let path = crate::fs::work::choose(destination.dir.as_fd(), &destination.path);
            rustix::fs::open(path, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).ok()
        });
        let surveyor = Surveyor {
            spool_dir: &spool_dir,
            work: work.as_ref().map(AsFd::as_fd),
            checksum: hello.checksum,
            clock: None,
        };
        let root = destination.as_ref().map(|destination| destination.dir.as_fd());
        let mut survey = surveyor.survey(root, Vec::new(), &mut self.talk)?;
        let dir = match destination {
            Some(destination) => destination.dir,
            // Nothing is there, so no question can be about anything in it.
            None => open_dir(&spool_dir)?,
        };
        let mut tree = Tree::new(dir);
        match self.next_wish(&mut survey, &mut tree)? {
            Wish::Bye => Ok(()),
            _ => Err(AgentError::protocol("a plan in a dry run")),
        }
    }

    fn push(&mut self, hello: &Hello) -> Result<(), AgentError> {
        let destination = destination::open_destination(&hello.destination, true)?;
        let Some(destination) = destination else { return Err(AgentError::Gone) };
        let work = Work::open(destination.dir.as_fd(), &destination.path)?;
        let mut stage = Stage::new(&work, std::process::id() ^ seconds());
        let leftovers = survey::leftovers(Some(&stage))?;
        let surveyor = Surveyor {
            spool_dir: work.path(),
            work: Some(work.dir()),
            checksum: hello.checksum,
            clock: Some(survey::file_system_now(&work).map_err(AgentError::Own)?),
        };
        let mut tree = Tree::new(destination.dir);
        let mut survey = surveyor.survey(Some(tree.root()), leftovers, &mut self.talk)?;
        let surveyed = survey.files_read;
        let published = match self.next_wish(&mut survey, &mut tree)? {
            Wish::Bye => false,
            Wish::Ask(_) => return Err(AgentError::protocol("questions after questions")),
            Wish::Plan(first) => self.carry_out(first, survey, &mut stage, &mut tree, &work)?,
        };
        // Whoever hears of the end may push again at once.
        drop(work);
        if published {
            let read = surveyed + tree.opened_files();
            self.talk.send(&Message::Published(vitals::read(Some(tree.root()), read)))?;
        }
        self.talk.flush()
    }

    /// Answers questions, if any, and gives what comes after.
    fn next_wish(&mut self, survey: &mut Survey, tree: &mut Tree) -> Result<Wish, AgentError> {
        let wish = self.wish()?;
        let Wish::Ask(first) = wish else { return Ok(wish) };
        answer::answer_all(first, &mut survey.records, tree, &mut self.talk)?;
        self.wish()
    }

    fn wish(&mut self) -> Result<Wish, AgentError> {
        match self.talk.message()? {
            Message::Ask(ask) => Ok(Wish::Ask(ask)),
            Message::Action(order) => Ok(Wish::Plan(Some(order))),
            Message::PlanEnd => Ok(Wish::Plan(None)),
            Message::Bye => Ok(Wish::Bye),
            other => Err(AgentError::Protocol(format!("{other:?} instead of a plan"))),
        }
    }

    /// Stages a plan and publishes it; `false` if the sender then did not want it.
    fn carry_out(
        &mut self,
        first: Option<Order>,
        survey: Survey,
        stage: &mut Stage<'_>,
        tree: &mut Tree,
        work: &Work,
    ) -> Result<bool, AgentError> {
        let Survey { records, leftovers, .. } = survey;
        let count = leftovers.len() as u32;
        let mut book = Book::receive(first, records, count, &spool_dir(work), &mut self.talk)?;
        stage.sync_each = book.orders.len() <= FEW_FILES;
        let used = book.used_leftovers()?;
        stage.drop_unused(&leftovers, &used).map_err(AgentError::Own)?;
        check_room(&mut book, tree)?;
        check_rights(&mut book, tree)?;
        let mut applier = Applier { book: &mut book, stage, tree, leftovers: &leftovers };
        let staged = applier.run(&mut self.talk);
        if staged.as_ref().is_err_and(AgentError::is_no_space) {
            // What is staged would keep the disk full for everyone else on the server.
            stage.clear().map_err(AgentError::Own)?;
        }
        let publish = staged?;
        if publish {
            self.publish(&mut book, stage, tree, work)?;
        }
        Ok(publish)
    }

    fn publish(
        &mut self,
        book: &mut Book,
        stage: &Stage<'_>,
        tree: &mut Tree,
        work: &Work,
    ) -> Result<(), AgentError> {
        let count = book.orders.len();
        let mut publisher = Publisher::new(tree, stage, work);
        publisher.publish(book, count)?;
        let mut notices = publisher.notices;
        tree.forget();
        let kept = stage.clear().and_then(|()| record_keeping::save_index(book, tree, work));
        // The push is done; without an index the next one reads more.
        notices.extend(kept.err().map(|error| format!("Can't keep the index: {error}")));
        for notice in &notices {
            let text = notice.as_bytes();
            self.talk
                .send(&Message::Notice(&text[..text.len().min(crate::limits::ERROR_BYTES)]))?;
        }
        Ok(())
    }
}

impl Applier<'_, '_> {
    /// Stages everything; `true` when the sender then wants it published.
    fn run(&mut self, talk: &mut Conversation) -> Result<bool, AgentError> {
        self.copy_known()?;
        let (mut first, mut failed) = (None, 0);
        loop {
            let publish = self.receive_content(first.take(), failed > 0, talk)?;
            self.copy_planned()?;
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
    let (needed, free) = (book.staged_bytes()?, vitals::read(Some(tree.root()), 0).free_bytes);
    if needed <= free {
        return Ok(());
    }
    let text = format!("Disk full: the push needs {needed} bytes, {free} are free");
    let source = std::io::Error::new(std::io::ErrorKind::StorageFull, text);
    Err(AgentError::Destination { path: ".".into(), source })
}

/// Refuses a plan that this user can't publish.
fn check_rights(book: &mut Book, tree: &mut Tree) -> Result<(), AgentError> {
    let count = book.orders.len();
    let refused = preflight::not_ours(book, count, tree)
        .map_err(|source| AgentError::Destination { path: "the destination".into(), source })?;
    if refused.is_empty() { Ok(()) } else { Err(AgentError::NotOurs(refused)) }
}

fn spool_dir(work: &Work) -> PathBuf {
    work.path().to_path_buf()
}

fn open_dir(path: &Path) -> Result<OwnedFd, AgentError> {
    let opened = std::fs::File::open(path).map_err(AgentError::Own)?;
    Ok(opened.into())
}

fn seconds() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as u32)
}
