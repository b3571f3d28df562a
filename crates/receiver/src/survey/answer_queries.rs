//! Answers queries: whether files have the expected digest, and what their signatures are.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use assetsync_core::delta::{SignatureSpec, sign};
use assetsync_core::digest::Digest;
use assetsync_core::index::EntryIndex;
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

/// Digests of files that were read to answer, by index in the state.
pub type Learned = HashMap<EntryIndex, Digest>;

/// A question of the sender.
pub enum Question {
    /// About a file.
    Query(Query),
    /// Whether two paths are one.
    Alias(RelPath, RelPath),
}

/// Reads the remaining questions after `first`, then answers all of them in order. Returns the
/// computed digests, so that no file is read again for its digest.
pub fn answer_all(
    first: Question,
    index_entries: &mut Spool<IndexEntry>,
    renames: &mut RenameTable,
    files: QueryFiles<'_>,
    conversation: &mut Conversation,
) -> Result<Learned, AgentError> {
    let QueryFiles { tree, stage, spool_dir } = files;
    let (queries, aliases) = read_queries(first, index_entries.len(), tree, stage, conversation)?;
    aliases.into_iter().try_for_each(|are_one| conversation.send(&ToSender::Compared(are_one)))?;
    let (mut buffer, mut learned) = (vec![0; 64 * 1024], Learned::new());
    for query in queries {
        let index_entry = index_entries.get(query.known).map_err(AgentError::WorkFiles)?;
        let index_entry =
            index_entry.ok_or_else(|| AgentError::protocol("question out of range"))?;
        let size = index_entry.entry.file_size().unwrap_or(0);
        let reference = match tree.open_file(&index_entry.entry.path) {
            Ok(mut file) if query.rewritten => {
                ReferenceReader::rewritten(&mut file, renames.rewriter(index_entries)?, spool_dir)
            }
            opened => opened.and_then(ReferenceReader::file),
        };
        match reference {
            Ok(reference) => {
                let digest = answer(&query, size, reference, &mut buffer, conversation)?;
                learned.extend(
                    digest.filter(|_| !query.rewritten).map(|digest| (query.known, digest)),
                );
            }
            Err(_) => conversation.send(&ToSender::Unreadable)?,
        }
    }
    conversation.send(&ToSender::AnswersEnd)?;
    conversation.flush()?;
    Ok(learned)
}

/// Where answers are found.
pub struct QueryFiles<'t> {
    /// The destination.
    pub tree: &'t mut OpenTree,
    /// The staging area, if there is one.
    pub stage: Option<BorrowedFd<'t>>,
    /// The directory for spools of rewritten contents.
    pub spool_dir: &'t Path,
}

/// All questions are read before the first is answered, so that the two sides can't deadlock by
/// both writing. Aliases are looked up while reading, so that their paths need not be kept.
fn read_queries(
    first: Question,
    count: u32,
    tree: &mut OpenTree,
    stage: Option<BorrowedFd<'_>>,
    conversation: &mut Conversation,
) -> Result<(Vec<Query>, Vec<bool>), AgentError> {
    let (mut queries, mut aliases, mut next) = (Vec::new(), Vec::new(), Some(first));
    loop {
        match next.take() {
            Some(Question::Query(query)) => queries.push(query),
            Some(Question::Alias(path, other)) => {
                let are_one = alias::are_one(tree, stage, &path, &other);
                aliases.push(are_one.map_err(AgentError::WorkFiles)?);
            }
            None => return Ok((queries, aliases)),
        }
        next = match conversation.message()? {
            ToAgent::Query(query) if (queries.len() as u32) < count => Some(Question::Query(query)),
            ToAgent::Alias { path, other } if aliases.len() < limits::ALIASES => {
                Some(Question::Alias(path, other))
            }
            ToAgent::QueriesEnd => None,
            other => return Err(AgentError::unexpected(&other, "among questions")),
        };
    }
}

/// Answers one query; returns the reference's digest if it was compared.
fn answer(
    query: &Query,
    surveyed: u64,
    mut reference: ReferenceReader,
    buffer: &mut [u8],
    conversation: &mut Conversation,
) -> Result<Option<Digest>, AgentError> {
    let mut digest = None;
    if query.expected.is_some() {
        match reference.go_to(0).and_then(|()| Digest::of_reader(&mut reference, buffer)) {
            Ok((found, _)) => digest = Some(found),
            Err(_) => return conversation.send(&ToSender::Unreadable).map(|()| None),
        }
    }
    let same = query.expected.zip(digest).is_some_and(|(expected, digest)| match query.rewritten {
        true => digest.0[..8] == expected.0[..8],
        false => digest.short() == expected,
    });
    match query.signature {
        _ if same => conversation.send(&ToSender::Compared(true))?,
        None => conversation.send(&ToSender::Compared(false))?,
        Some(spec) if query.rewritten => {
            send_signature(reference, limits::rewritten_bytes(surveyed), spec, conversation)?;
        }
        Some(spec) => send_signature(reference, surveyed, spec, conversation)?,
    }
    Ok(digest)
}

/// Sends the signature of a reference, which had `surveyed` bytes in the survey.
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
    // If the file shrank or can't be read to its end, zeros, which match nothing, complete the
    // signature.
    drop(signed);
    while left > 0 {
        let piece = left.min(limits::LITERAL_BYTES as u64);
        conversation.send(&ToSender::Blocks(&vec![0; piece as usize]))?;
        left -= piece;
    }
    Ok(())
}
