//! The end of a command's standard error.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};

use assetsync_core::text;

/// Bytes of standard error kept per command: the last ones, because errors come last.
const CAP: usize = 32 * 1024;

/// The newest bytes of a command's standard error, shared between threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct StderrTail(Arc<Mutex<VecDeque<u8>>>);

impl StderrTail {
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        kept.extend(&bytes[bytes.len().saturating_sub(CAP)..]);
        let excess = kept.len().saturating_sub(CAP);
        kept.drain(..excess);
    }

    /// Reads `source` until its end, so that the command never blocks on a full pipe.
    pub(crate) fn drain(&self, mut source: impl Read) {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = source.read(&mut buffer) {
            self.push(&buffer[..n]);
        }
    }

    pub(crate) fn text(&self) -> String {
        text::last_lines(self.lock().make_contiguous(), CAP)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_bytes_within_the_cap() {
        let tail = StderrTail::default();
        tail.push(&vec![b'a'; CAP * 2]);
        tail.push(b"the end");
        let text = tail.text();
        assert_eq!(text.len(), CAP);
        assert!(text.ends_with("athe end"));
    }
}
