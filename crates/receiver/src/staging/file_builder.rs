//! Builds one file from content operations.

use std::fs::File;
use std::io::{self, Read};

use assetsync_core::limits;
use assetsync_core::protocol::{Received, ToAgent};
use assetsync_regzip as regzip;

use super::reference_reader::ReferenceReader;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::staging::staging_area::StagedFile;

/// Bytes of a plain file that are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// A file that is being built.
pub struct FileBuilder {
    /// The staged file.
    pub staged: StagedFile,
    /// The other input besides literals.
    pub with: BuildInput,
    /// Whether the basis was not what the sender expected; the rest is read and ignored.
    pub is_broken: bool,
}

/// The other input of a file besides literals.
pub enum BuildInput {
    /// Nothing.
    Nothing,
    /// Ranges of a reference; `None` if it can't be read.
    Reference(Option<ReferenceReader>),
    /// A plain file, `None` if it can't be read, and the corrections received so far.
    Plain(Option<File>, Vec<u8>),
}

/// Why an operation failed.
pub enum BuildError {
    /// The sender broke the protocol, or is gone.
    Agent(AgentError),
    /// An I/O error.
    Io(io::Error),
}

impl From<AgentError> for BuildError {
    fn from(error: AgentError) -> BuildError {
        BuildError::Agent(error)
    }
}

impl From<io::Error> for BuildError {
    fn from(error: io::Error) -> BuildError {
        BuildError::Io(error)
    }
}

impl FileBuilder {
    /// Carries out an operation that is complete in one message.
    pub fn operation(&mut self, message: &ToAgent<'_>) -> Result<(), BuildError> {
        match message {
            ToAgent::Literal(bytes) => self.literal(bytes),
            ToAgent::Copy { offset, length } => self.copy(*offset, *length),
            other => Err(AgentError::unexpected(other, "inside a file").into()),
        }
    }

    fn literal(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        if let BuildInput::Plain(_, corrections) = &mut self.with {
            if corrections.len() + bytes.len() > limits::CORRECTION_BYTES {
                return Err(AgentError::protocol("too many corrections").into());
            }
            corrections.extend_from_slice(bytes);
            return Ok(());
        }
        self.expect(bytes.len() as u64)?;
        Ok(self.staged.write(bytes)?)
    }

    fn copy(&mut self, offset: u64, length: u64) -> Result<(), BuildError> {
        self.expect(length)?;
        match &mut self.with {
            _ if length == 0 => Err(AgentError::protocol("copy of nothing").into()),
            BuildInput::Reference(Some(reference)) => {
                reference.go_to(offset)?;
                self.is_broken |= !self.staged.copy(reference, length)?;
                Ok(())
            }
            BuildInput::Plain(..) => Err(AgentError::protocol("copy among corrections").into()),
            BuildInput::Reference(None) | BuildInput::Nothing => {
                self.is_broken = true;
                Ok(())
            }
        }
    }

    /// Receives content in stored frames.
    pub fn store(
        &mut self,
        length: u64,
        conversation: &mut Conversation,
    ) -> Result<(), BuildError> {
        self.expect(length)?;
        let mut left = length;
        while left > 0 {
            let Received::Stored(bytes) = conversation.receive()? else {
                return Err(AgentError::protocol("stored content is missing").into());
            };
            left = left
                .checked_sub(bytes.len() as u64)
                .filter(|_| !bytes.is_empty())
                .ok_or_else(|| AgentError::protocol("stored content of a wrong length"))?;
            self.staged.write(bytes)?;
        }
        Ok(())
    }

    /// Completes the file. A `.gz` without corrections came in stored frames. One that can't be
    /// rebuilt is broken; the sender will send it whole.
    pub fn complete(&mut self) -> io::Result<()> {
        let BuildInput::Plain(plain, corrections) = &mut self.with else { return Ok(()) };
        if corrections.is_empty() {
            return Ok(());
        }
        let Some(plain) = plain else {
            self.is_broken = true;
            return Ok(());
        };
        let size = plain.metadata()?.len();
        let expected = self.staged.missing();
        let (staged, mut failed) = (&mut self.staged, None);
        let mut write = |bytes: &[u8]| {
            staged.expect(bytes.len() as u64).map_err(io::Error::other)?;
            staged.write(bytes).map_err(|error| {
                failed = Some(error);
                io::ErrorKind::Other.into()
            })
        };
        let mut reader = io::BufReader::with_capacity(READ_BYTES, plain).take(size);
        let rebuilt = regzip::rebuild(&mut reader, size, corrections, expected, &mut write);
        self.is_broken |= rebuilt.is_err();
        failed.map_or(Ok(()), Err)
    }

    fn expect(&self, count: u64) -> Result<(), AgentError> {
        Ok(self.staged.expect(count)?)
    }
}
