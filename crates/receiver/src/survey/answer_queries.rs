//! Answers the sender's questions about files: whether they are the same, and what their signatures are.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use assetsync_core::delta::{SignatureSpec, sign};
use assetsync_core::digest::Digest;
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::{Query, ToAgent, ToSender};
use assetsync_tree::OpenTree;

use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::publishing::alias;
use crate::spool::Spool;
use crate::staging::reference_reader::ReferenceReader;
use crate::staging::rename_table::RenameTable;
use crate::survey::index_entry::IndexEntry;

/// Digests of files that were read to answer, by position in the state.
pub type Learned = HashMap<u32, Digest>;

/// A question of the sender.
pub enum Question {
    /// About a file.
    Query(Query),
    /// Whether two paths are one.
    Alias(RelPath, RelPath),
}

/// Reads the remaining questions after `first`, then answers all of them in order. Gives the digests that it took, so
/// that no file is read again for its digest.
pub fn answer_all(
    first: Question,
    records: &mut Spool<IndexEntry>,
    renaming: &mut RenameTable,
    place: ActionPath<'_>,
    conversation: &mut Conversation,
) -> Result<Learned, AgentError> {
    let ActionPath { tree, stage, spool_dir } = place;
    let (asks, aliases) = read_queries(first, records.len(), tree, stage, conversation)?;
    aliases.into_iter().try_for_each(|are_one| conversation.send(&ToSender::Compared(are_one)))?;
    let (mut buffer, mut learned) = (vec![0; 64 * 1024], Learned::new());
    for ask in asks {
        let record = records.get(ask.known).map_err(AgentError::WorkFiles)?;
        let record = record.ok_or_else(|| AgentError::protocol("question out of range"))?;
        let size = record.entry.file_size().unwrap_or(0);
        let reference = match tree.open_file(&record.entry.path) {
            Ok(mut file) if ask.rewritten => {
                ReferenceReader::rewritten(&mut file, renaming.rewriter(records)?, spool_dir)
            }
            opened => opened.and_then(ReferenceReader::file),
        };
        match reference {
            Ok(reference) => {
                let digest = answer(&ask, size, reference, &mut buffer, conversation)?;
                learned.extend(digest.filter(|_| !ask.rewritten).map(|digest| (ask.known, digest)));
            }
            Err(_) => conversation.send(&ToSender::Unreadable)?,
        }
    }
    conversation.send(&ToSender::AnswersEnd)?;
    conversation.flush()?;
    Ok(learned)
}

/// Where answers are looked for.
pub struct ActionPath<'t> {
    /// The destination.
    pub tree: &'t mut OpenTree,
    /// The staging area, if there is one.
    pub stage: Option<BorrowedFd<'t>>,
    /// Where rewritten contents may overflow to.
    pub spool_dir: &'t Path,
}

/// All questions are read before the first is answered: so neither side writes while the other does. Whether paths are
/// one is looked up while reading, so that the paths need not be kept.
fn read_queries(
    first: Question,
    count: u32,
    tree: &mut OpenTree,
    stage: Option<BorrowedFd<'_>>,
    conversation: &mut Conversation,
) -> Result<(Vec<Query>, Vec<bool>), AgentError> {
    let (mut asks, mut aliases, mut next) = (Vec::new(), Vec::new(), Some(first));
    loop {
        match next.take() {
            Some(Question::Query(ask)) => asks.push(ask),
            Some(Question::Alias(path, other)) => {
                let are_one = alias::are_one(tree, stage, &path, &other);
                aliases.push(are_one.map_err(AgentError::WorkFiles)?);
            }
            None => return Ok((asks, aliases)),
        }
        next = match conversation.message()? {
            ToAgent::Query(ask) if (asks.len() as u32) < count => Some(Question::Query(ask)),
            ToAgent::Alias { path, other } if aliases.len() < limits::ALIASES => {
                Some(Question::Alias(path, other))
            }
            ToAgent::QueriesEnd => None,
            other => return Err(AgentError::unexpected(&other, "among questions")),
        };
    }
}

/// Answers one question; gives the ground's digest if that was compared.
fn answer(
    ask: &Query,
    surveyed: u64,
    mut reference: ReferenceReader,
    buffer: &mut [u8],
    conversation: &mut Conversation,
) -> Result<Option<Digest>, AgentError> {
    let mut digest = None;
    if ask.expected.is_some() {
        match reference.go_to(0).and_then(|()| Digest::of_reader(&mut reference, buffer)) {
            Ok((found, _)) => digest = Some(found),
            Err(_) => return conversation.send(&ToSender::Unreadable).map(|()| None),
        }
    }
    let same = ask.expected.zip(digest).is_some_and(|(expected, digest)| match ask.rewritten {
        true => digest.0[..8] == expected.0[..8],
        false => digest.short() == expected,
    });
    match ask.signature {
        _ if same => conversation.send(&ToSender::Compared(true))?,
        None => conversation.send(&ToSender::Compared(false))?,
        Some(spec) if ask.rewritten => {
            send_signature(reference, limits::rewritten_bytes(surveyed), spec, conversation)?;
        }
        Some(spec) => send_signature(reference, surveyed, spec, conversation)?,
    }
    Ok(digest)
}

/// Sends the signature of `ground`, of which the sender knows that it has (or had) `surveyed` bytes.
fn send_signature(
    mut reference: ReferenceReader,
    surveyed: u64,
    spec: SignatureSpec,
    conversation: &mut Conversation,
) -> Result<(), AgentError> {
    if reference.go_to(0).is_err() {
        return conversation.send(&ToSender::Unreadable);
    }
    let basis_bytes = reference.bytes().min(surveyed);
    conversation.send(&ToSender::Signature { basis_bytes })?;
    let (mut left, mut broken) = (spec.signature_bytes(basis_bytes), None);
    let limited = io::Read::take(&mut reference, basis_bytes);
    let signed = sign(limited, spec, |entries| {
        for piece in entries.chunks(limits::LITERAL_BYTES) {
            left = left.saturating_sub(piece.len() as u64);
            conversation.send(&ToSender::Blocks(piece)).map_err(|error| {
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
        conversation.send(&ToSender::Blocks(&vec![0; piece as usize]))?;
        left -= piece;
    }
    Ok(())
}
