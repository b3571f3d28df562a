//! Reads a reference: a file at the destination, as it is or rewritten.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use assetsync_rewrite::Rewriter;
use tempfile::SpooledTempFile;

/// Rewritten content up to this many bytes stays in memory.
const IN_MEMORY: usize = 256 * 1024;

/// Bytes that are rewritten at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes that are read at a time: copies are short, in order, and close together.
const READ_BYTES: usize = 16 * 1024;

/// A content that can be read at any offset.
pub struct ReferenceReader {
    source: BufReader<Source>,
    at: u64,
    bytes: u64,
}

enum Source {
    /// As it is on disk.
    File(File),
    /// Rewritten; long content overflows into an unnamed file.
    Rewritten(SpooledTempFile),
}

impl ReferenceReader {
    /// All of `basis`, of which nothing has been read yet.
    pub fn file(basis: File) -> io::Result<ReferenceReader> {
        let bytes = basis.metadata()?.len();
        Ok(ReferenceReader::of(Source::File(basis), bytes))
    }

    /// Rewrites all of `basis`.
    pub fn rewritten(
        basis: &mut File,
        rewriter: &Rewriter,
        spool_dir: &Path,
    ) -> io::Result<ReferenceReader> {
        let mut spool = tempfile::spooled_tempfile_in(IN_MEMORY, spool_dir);
        rewrite(basis, rewriter, &mut |piece| spool.write_all(piece))?;
        let bytes = spool.stream_position()?;
        spool.rewind()?;
        Ok(ReferenceReader::of(Source::Rewritten(spool), bytes))
    }

    fn of(source: Source, bytes: u64) -> ReferenceReader {
        ReferenceReader { source: BufReader::with_capacity(READ_BYTES, source), at: 0, bytes }
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Continues reading at `offset`, at most at the end.
    pub fn go_to(&mut self, offset: u64) -> io::Result<()> {
        let offset = offset.min(self.bytes);
        // Files are shorter than 2^63 bytes.
        self.source.seek_relative(offset as i64 - self.at as i64)?;
        self.at = offset;
        Ok(())
    }
}

/// Rewrites all of `basis`, a piece at a time.
pub fn rewrite(
    basis: &mut File,
    rewriter: &Rewriter,
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut piece, mut done) = (vec![0; PIECE_BYTES], Vec::new());
    let mut rewriting = rewriter.start();
    loop {
        match basis.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => rewriting.feed(&piece[..count], &mut done),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        out(&done)?;
        done.clear();
    }
    rewriting.finish(&mut done);
    out(&done)
}

impl Read for ReferenceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::File(file) => file.read(buffer),
            Source::Rewritten(spool) => spool.read(buffer),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        match self {
            Source::File(file) => file.seek(to),
            Source::Rewritten(spool) => spool.seek(to),
        }
    }
}
