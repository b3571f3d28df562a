//! Answers the sender's questions about files it may take as bases.

use std::io;
use std::path::Path;

use super::conversation::Conversation;
use super::error::AgentError;
use super::ground::Ground;
use super::renaming::Renaming;
use crate::delta::{SignatureSpec, sign};
use crate::digest::Digest;
use crate::fs::record::Record;
use crate::fs::spool::Spool;
use crate::fs::tree::Tree;
use crate::limits;
use crate::proto::{Ask, Message};

/// Reads the remaining questions after `first`, then answers all of them in order.
pub fn answer_all(
    first: Ask,
    records: &mut Spool<Record>,
    renaming: &mut Renaming,
    tree: &mut Tree,
    spool_dir: &Path,
    talk: &mut Conversation,
) -> Result<(), AgentError> {
    let asks = read_questions(first, records.len(), talk)?;
    let mut buffer = vec![0; 64 * 1024];
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
            Ok(ground) => answer(&ask, size, ground, &mut buffer, talk)?,
            Err(_) => talk.send(&Message::Gone)?,
        }
    }
    talk.send(&Message::AnswerEnd)?;
    talk.flush()
}

/// All questions are read before the first is answered: so neither side writes while the other does.
fn read_questions(first: Ask, count: u32, talk: &mut Conversation) -> Result<Vec<Ask>, AgentError> {
    let mut asks = vec![first];
    loop {
        match talk.message()? {
            Message::Ask(ask) if asks.len() as u32 <= count => asks.push(ask),
            Message::AskEnd => return Ok(asks),
            other => return Err(AgentError::Protocol(format!("{other:?} among questions"))),
        }
    }
}

fn answer(
    ask: &Ask,
    surveyed: u64,
    mut ground: Ground,
    buffer: &mut [u8],
    talk: &mut Conversation,
) -> Result<(), AgentError> {
    let same = match ask.expected {
        None => false,
        Some(expected) => {
            match ground.go_to(0).and_then(|()| Digest::of_reader(&mut ground, buffer)) {
                Ok((digest, _)) if ask.rewritten => digest.0[..8] == expected.0[..8],
                Ok((digest, _)) => digest.short() == expected,
                Err(_) => return talk.send(&Message::Gone),
            }
        }
    };
    match ask.signature {
        _ if same => talk.send(&Message::Compared(true)),
        None => talk.send(&Message::Compared(false)),
        Some(spec) if ask.rewritten => {
            send_signature(ground, limits::rewritten_bytes(surveyed), spec, talk)
        }
        Some(spec) => send_signature(ground, surveyed, spec, talk),
    }
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
