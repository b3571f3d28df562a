//! Encodes file contents as messages, reading each source file a piece at a time.

use std::fs::File;
use std::io::{self, Read};

use assetsync_core::delta::Signature;
use assetsync_core::index::ActionIndex;
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, FileAction};
use assetsync_core::protocol::ToAgent;
use assetsync_core::recipe::{Basis, Recipe};

use super::inputs::DeltaBytes;
use super::sink::MessageSink;
use crate::compare::answers::{Answer, Answers};
use crate::encode::delta::{Matcher, Op};
use crate::error::PushError;
use crate::scan::compressed_names::is_precompressed;
use crate::scan::source_tree::SourceTree;

/// How much of a file is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// How much of a file is matched at a time, in bytes; more than the largest block.
const MATCH_BYTES: usize = 4 << 20;

/// Reads source files and sends their contents.
pub struct Encoder<'a> {
    /// The source.
    pub tree: &'a mut SourceTree,
    /// Where messages are written.
    pub sink: &'a mut dyn MessageSink,
    /// Signatures of bases.
    pub answers: &'a Answers,
    /// Is told what deltas send.
    pub deltas: &'a DeltaBytes,
}

impl Encoder<'_> {
    /// Encodes the file of the action at `position` by its recipe. Returns `false` if it is no
    /// longer as planned.
    pub fn encode(&mut self, position: ActionIndex, action: &Action) -> Result<bool, PushError> {
        let Some(file) = action.file() else { return Ok(true) };
        match (file.recipe, signature_of(self.answers, file)) {
            (Recipe::Delta { .. }, Some(signature)) => {
                self.file(position, &action.path, file, |encoder, source| {
                    encoder.delta(position, source, signature)
                })
            }
            _ => self.encode_whole(position, action),
        }
    }

    /// Encodes the corrections that turn the plain sibling into a `.gz`, or the whole file if there
    /// are none.
    pub fn encode_regzip(
        &mut self,
        position: ActionIndex,
        action: &Action,
        corrections: Option<&[u8]>,
    ) -> Result<bool, PushError> {
        let Some(corrections) = corrections else { return self.encode_whole(position, action) };
        self.sink.send(&ToAgent::FileStart { action: position })?;
        send_literals(self.sink, corrections)?;
        self.sink.send(&ToAgent::FileEnd)?;
        self.sink.progress(action.file().map_or(0, |file| file.size))?;
        Ok(true)
    }

    /// Encodes the whole file of an action. Returns `false` if it is no longer as planned.
    pub fn encode_whole(
        &mut self,
        position: ActionIndex,
        action: &Action,
    ) -> Result<bool, PushError> {
        let Some(file) = action.file() else { return Ok(true) };
        let stored = is_precompressed(action.path.as_bytes());
        self.file(position, &action.path, file, |encoder, source| encoder.whole(source, stored))
    }

    /// Encodes one file. If it can't be read to its end, or is no longer as planned, it is aborted;
    /// the agent then asks for it again.
    fn file(
        &mut self,
        position: ActionIndex,
        path: &RelPath,
        file: &FileAction,
        content: impl FnOnce(&mut Self, &mut HashingReader) -> Result<io::Result<()>, PushError>,
    ) -> Result<bool, PushError> {
        self.sink.send(&ToAgent::FileStart { action: position })?;
        let opened = self.tree.open_file(path).map(|source| HashingReader::new(source, file.size));
        let as_planned = match opened {
            Ok(mut source) => content(self, &mut source)?.is_ok() && source.matches_plan(file),
            Err(_) => false,
        };
        self.sink.send(if as_planned { &ToAgent::FileEnd } else { &ToAgent::FileAbort })?;
        Ok(as_planned)
    }

    fn whole(
        &mut self,
        source: &mut HashingReader,
        stored: bool,
    ) -> Result<io::Result<()>, PushError> {
        let mut buffer = vec![0; READ_BYTES.min(source.left as usize + 1)];
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => return Ok(Ok(())),
                Ok(count) => count,
                Err(error) => return Ok(Err(error)),
            };
            if stored {
                self.sink.send_stored(&buffer[..count])?;
            } else {
                send_literals(self.sink, &buffer[..count])?;
            }
            // What compresses well is not written for long.
            self.sink.keep_alive()?;
            self.sink.progress(count as u64)?;
        }
    }

    fn delta(
        &mut self,
        position: ActionIndex,
        source: &mut HashingReader,
        signature: &Signature,
    ) -> Result<io::Result<()>, PushError> {
        let mut matcher = Matcher::new(signature);
        let (mut buffer, mut new_bytes) = (Vec::new(), 0);
        loop {
            let before = buffer.len();
            let want = MATCH_BYTES.min(before + source.left as usize);
            buffer.resize(want.max(before), 0);
            if let Err(error) = source.read_exact(&mut buffer[before..]) {
                return Ok(Err(error));
            }
            let last = source.left == 0;
            let mut said = Ok(());
            let covered = matcher.scan(&buffer, last, &mut |op| {
                new_bytes += op.new_bytes();
                if said.is_ok() {
                    said = send_op(self.sink, op);
                }
            });
            said?;
            buffer.drain(..covered);
            self.sink.keep_alive()?;
            self.sink.progress(covered as u64)?;
            if last {
                self.deltas.note(position, new_bytes);
                return Ok(Ok(()));
            }
        }
    }
}

/// The signature of the basis of a delta.
fn signature_of<'a>(answers: &'a Answers, file: &FileAction) -> Option<&'a Signature> {
    let Recipe::Delta { reference, .. } = file.recipe else { return None };
    let Basis::Existing(known) = reference.basis else { return None };
    match answers.get(&known) {
        Some(Answer::Signed(signature)) => Some(signature),
        _ => None,
    }
}

fn send_op(sink: &mut dyn MessageSink, op: Op<'_>) -> Result<(), PushError> {
    match op {
        Op::Literal(bytes) => send_literals(sink, bytes),
        Op::Copy { offset, length } => sink.send(&ToAgent::Copy { offset, length }),
    }
}

pub(crate) fn send_literals(sink: &mut dyn MessageSink, bytes: &[u8]) -> Result<(), PushError> {
    bytes.chunks(limits::LITERAL_BYTES).try_for_each(|piece| sink.send(&ToAgent::Literal(piece)))
}

/// A source file that is hashed while it is read, no further than its planned size.
struct HashingReader {
    file: File,
    hasher: blake3::Hasher,
    /// Bytes of the planned size not read yet.
    left: u64,
}

impl HashingReader {
    fn new(file: File, size: u64) -> HashingReader {
        HashingReader { file, hasher: blake3::Hasher::new(), left: size }
    }

    /// Whether what was read is what was planned; a file that has grown is not.
    fn matches_plan(&mut self, file: &FileAction) -> bool {
        let digest = self.hasher.finalize();
        let grown = self.file.read(&mut [0]).map_or(true, |count| count > 0);
        self.left == 0
            && !grown
            && file.digest.is_some_and(|planned| planned.0 == *digest.as_bytes())
    }
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.file.read(&mut buffer[..most])?;
        self.hasher.update(&buffer[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}
