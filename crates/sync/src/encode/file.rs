//! Encodes file contents as messages.

use assetsync_core::index::ActionIndex;
use assetsync_core::limits;
use assetsync_core::plan::Action;
use assetsync_core::protocol::ToAgent;

use super::file_reader::{FileEnd, FilePiece, Part, read_whole};
use super::inputs::DeltaBytes;
use super::sink::MessageSink;
use crate::error::PushError;
use crate::scan::source_tree::SourceTree;

/// Sends the contents of files.
pub struct Encoder<'a> {
    /// The source.
    pub tree: &'a mut SourceTree,
    /// Where messages are written.
    pub sink: &'a mut dyn MessageSink,
    /// Is told what deltas send.
    pub deltas: &'a DeltaBytes,
}

impl Encoder<'_> {
    /// Encodes the corrections that turn the plain sibling into a `.gz`, or the whole file if there
    /// are none.
    pub fn encode_regzip(
        &mut self,
        position: ActionIndex,
        action: &Action,
        corrections: Option<&[u8]>,
    ) -> Result<(), PushError> {
        let Some(corrections) = corrections else {
            return self.encode_whole(position, action).map(drop);
        };
        self.sink.send(&ToAgent::FileStart { action: position })?;
        send_literals(self.sink, corrections)?;
        self.sink.send(&ToAgent::FileEnd)?;
        self.sink.progress(action.file().map_or(0, |file| file.size))
    }

    /// Encodes the whole file of an action. Returns `false` if it is no longer as planned.
    pub fn encode_whole(
        &mut self,
        position: ActionIndex,
        action: &Action,
    ) -> Result<bool, PushError> {
        let (sink, deltas, mut end) = (&mut *self.sink, self.deltas, None);
        read_whole(self.tree, position, action, &mut |piece| {
            end = piece.end;
            send_piece(sink, &piece, deltas)
        })?;
        Ok(end != Some(FileEnd::Changed))
    }

    /// Encodes a piece of a file.
    pub fn encode(&mut self, piece: &FilePiece) -> Result<(), PushError> {
        send_piece(self.sink, piece, self.deltas)
    }
}

/// Sends a piece of a file. One that could not be read to its end, or is no longer as planned, is
/// aborted; the agent then asks for it again.
fn send_piece(
    sink: &mut dyn MessageSink,
    piece: &FilePiece,
    deltas: &DeltaBytes,
) -> Result<(), PushError> {
    if piece.is_first {
        sink.send(&ToAgent::FileStart { action: piece.position })?;
    }
    let mut bytes = &piece.bytes[..];
    let mut next = |length| bytes.split_off(..length).unwrap_or_default();
    for &part in &piece.parts {
        match part {
            Part::Literal(length) => send_literals(sink, next(length))?,
            Part::Stored(length) => sink.send_stored(next(length))?,
            Part::Copy { offset, length } => sink.send(&ToAgent::Copy { offset, length })?,
        }
    }
    // What compresses well is not written for long.
    sink.keep_alive()?;
    sink.progress(piece.covered)?;
    match piece.end {
        None => Ok(()),
        Some(FileEnd::AsPlanned { new_bytes }) => {
            if let Some(new_bytes) = new_bytes {
                deltas.note(piece.position, new_bytes);
            }
            sink.send(&ToAgent::FileEnd)
        }
        Some(FileEnd::Changed) => sink.send(&ToAgent::FileAbort),
    }
}

pub(crate) fn send_literals(sink: &mut dyn MessageSink, bytes: &[u8]) -> Result<(), PushError> {
    bytes.chunks(limits::LITERAL_BYTES).try_for_each(|piece| sink.send(&ToAgent::Literal(piece)))
}
