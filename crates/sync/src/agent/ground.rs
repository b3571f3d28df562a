//! What content is copied from: a file at the destination, as it is or rewritten.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::rewrite::Rewriter;

/// Rewritten content up to this many bytes stays in memory.
const IN_MEMORY: usize = 256 * 1024;

/// How much is rewritten at a time, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Content that can be read anywhere.
pub enum Ground {
    /// As it is on disk.
    File(File),
    /// Rewritten; long content overflows into a file without a name.
    Rewritten(SpooledTempFile),
}

impl Ground {
    /// Rewrites all of `basis`.
    pub fn rewritten(
        basis: &mut File,
        rewriter: &Rewriter,
        spool_dir: &Path,
    ) -> io::Result<Ground> {
        let mut spool = tempfile::spooled_tempfile_in(IN_MEMORY, spool_dir);
        rewrite(basis, rewriter, &mut |piece| spool.write_all(piece))?;
        Ok(Ground::Rewritten(spool))
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

impl Read for Ground {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Ground::File(file) => file.read(buffer),
            Ground::Rewritten(spool) => spool.read(buffer),
        }
    }
}

impl Seek for Ground {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        match self {
            Ground::File(file) => file.seek(to),
            Ground::Rewritten(spool) => spool.seek(to),
        }
    }
}
