//! How far a push is, for whoever listens.

use std::sync::atomic::{AtomicU64, Ordering};

use assetsync_sync::{Event, Monitor};

/// Content that is sent, and content that is to be sent.
pub struct Progress<'m> {
    /// Who listens.
    pub monitor: &'m dyn Monitor,
    done: AtomicU64,
    total: AtomicU64,
}

impl<'m> Progress<'m> {
    /// Nothing is sent yet.
    pub fn new(monitor: &'m dyn Monitor) -> Progress<'m> {
        Progress { monitor, done: AtomicU64::new(0), total: AtomicU64::new(0) }
    }

    /// So many files and bytes will be sent.
    pub fn planned(&self, files: u64, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        if files > 0 {
            self.monitor.event(Event::Planned { files, bytes });
        }
    }

    /// So many bytes more are sent.
    pub fn sent(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let total = self.total.load(Ordering::Relaxed);
        let (sent, acknowledged, expected) = (done, done, total);
        self.monitor.event(Event::Progress { done, total, sent, acknowledged, expected });
    }
}
