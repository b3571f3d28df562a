//! Answers the sender's questions about files: whether they are the same, and what their signatures are.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use super::conversation::Conversation;
use super::error::AgentError;
use super::ground::Ground;
use super::renaming::Renaming;
use crate::delta::{SignatureSpec, sign};
use crate::digest::Digest;
use crate::fs::alias;
use crate::fs::record::Record;
use crate::fs::spool::Spool;
use crate::fs::tree::Tree;
use crate::limits;
use crate::path::RelPath;
use crate::proto::{Ask, Message};

/// Digests of files that were read to answer, by position in the state.
pub type Learned = HashMap<u32, Digest>;

/// A question of the sender.
pub enum Question {
    /// About a file.
    Ask(Ask),
    /// Whether two paths are one.
    Alias(RelPath, RelPath),
}

/// Reads the remaining questions after `first`, then answers all of them in order. Gives the digests that it took, so
/// that no file is read again for its digest.
pub fn answer_all(
    first: Question,
    records: &mut Spool<Record>,
    renaming: &mut Renaming,
    place: Place<'_>,
    talk: &mut Conversation,
) -> Result<Learned, AgentError> {
    let Place { tree, stage, spool_dir } = place;
    let (asks, aliases) = read_questions(first, records.len(), tree, stage, talk)?;
    aliases.into_iter().try_for_each(|are_one| talk.send(&Message::Compared(are_one)))?;
    let (mut buffer, mut learned) = (vec![0; 64 * 1024], Learned::new());
    for ask in asks {
        let record = records.get(ask.known).map_err(AgentError::Own)?;
        let record = record.ok_or_else(|| AgentError::protocol("question out of range"))?;
        let size = record.entry.file_size().unwrap_or(0);
        let ground = match tree.open_file(&record.entry.path) {
            Ok(mut file) if ask.rewritten => {
                Ground::rewritten(&mut file, renaming.rewriter(records)?, spool_dir)
            }
            opened => opened.and_then(Ground::file),
        };
        match ground {
            Ok(ground) => {
                let digest = answer(&ask, size, ground, &mut buffer, talk)?;
                learned.extend(digest.filter(|_| !ask.rewritten).map(|digest| (ask.known, digest)));
            }
            Err(_) => talk.send(&Message::Gone)?,
        }
    }
    talk.send(&Message::AnswerEnd)?;
    talk.flush()?;
    Ok(learned)
}

/// Where answers are looked for.
pub struct Place<'t> {
    /// The destination.
    pub tree: &'t mut Tree,
    /// The staging area, if there is one.
    pub stage: Option<BorrowedFd<'t>>,
    /// Where rewritten contents may overflow to.
    pub spool_dir: &'t Path,
}

/// All questions are read before the first is answered: so neither side writes while the other does. Whether paths are
/// one is looked up while reading, so that the paths need not be kept.
fn read_questions(
    first: Question,
    count: u32,
    tree: &mut Tree,
    stage: Option<BorrowedFd<'_>>,
    talk: &mut Conversation,
) -> Result<(Vec<Ask>, Vec<bool>), AgentError> {
    let (mut asks, mut aliases, mut next) = (Vec::new(), Vec::new(), Some(first));
    loop {
        match next.take() {
            Some(Question::Ask(ask)) => asks.push(ask),
            Some(Question::Alias(path, other)) => {
                let are_one = alias::are_one(tree, stage, &path, &other);
                aliases.push(are_one.map_err(AgentError::Own)?);
            }
            None => return Ok((asks, aliases)),
        }
        next = match talk.message()? {
            Message::Ask(ask) if (asks.len() as u32) < count => Some(Question::Ask(ask)),
            Message::Alias { path, other } if aliases.len() < limits::ALIASES => {
                Some(Question::Alias(path, other))
            }
            Message::AskEnd => None,
            other => return Err(AgentError::Protocol(format!("{other:?} among questions"))),
        };
    }
}

/// Answers one question; gives the ground's digest if that was compared.
fn answer(
    ask: &Ask,
    surveyed: u64,
    mut ground: Ground,
    buffer: &mut [u8],
    talk: &mut Conversation,
) -> Result<Option<Digest>, AgentError> {
    let mut digest = None;
    if ask.expected.is_some() {
        match ground.go_to(0).and_then(|()| Digest::of_reader(&mut ground, buffer)) {
            Ok((found, _)) => digest = Some(found),
            Err(_) => return talk.send(&Message::Gone).map(|()| None),
        }
    }
    let same = ask.expected.zip(digest).is_some_and(|(expected, digest)| match ask.rewritten {
        true => digest.0[..8] == expected.0[..8],
        false => digest.short() == expected,
    });
    match ask.signature {
        _ if same => talk.send(&Message::Compared(true))?,
        None => talk.send(&Message::Compared(false))?,
        Some(spec) if ask.rewritten => {
            send_signature(ground, limits::rewritten_bytes(surveyed), spec, talk)?;
        }
        Some(spec) => send_signature(ground, surveyed, spec, talk)?,
    }
    Ok(digest)
}

/// Sends the signature of `ground`, of which the sender knows that it has (or had) `surveyed` bytes.
fn send_signature(
    mut ground: Ground,
    surveyed: u64,
    spec: SignatureSpec,
    talk: &mut Conversation,
) -> Result<(), AgentError> {
    if ground.go_to(0).is_err() {
        return talk.send(&Message::Gone);
    }
    let basis_bytes = ground.bytes().min(surveyed);
    talk.send(&Message::Signature { basis_bytes })?;
    let (mut left, mut broken) = (spec.signature_bytes(basis_bytes), None);
    let limited = io::Read::take(&mut ground, basis_bytes);
    let signed = sign(limited, spec, |entries| {
        for piece in entries.chunks(limits::LITERAL_BYTES) {
            left = left.saturating_sub(piece.len() as u64);
            talk.send(&Message::Blocks(piece)).map_err(|error| {
                broken = Some(error);
                io::ErrorKind::BrokenPipe
            })?;
        }
        Ok(())
    });
    if let Some(error) = broken {
        return Err(error);
    }
    // A file that shrank or can't be read to its end: blocks that match nothing keep the count right.
    drop(signed);
    while left > 0 {
        let piece = left.min(limits::LITERAL_BYTES as u64);
        talk.send(&Message::Blocks(&vec![0; piece as usize]))?;
        left -= piece;
    }
    Ok(())
}
