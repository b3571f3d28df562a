//! An absolute time limit on what libssh2 does: its own limit counts from the last byte, and some
//! of its loops do not end while bytes come.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Shuts a connection down at a deadline, unless it is dropped before.
#[derive(Debug)]
pub(crate) struct Watchdog {
    deadlines: Sender<Option<Instant>>,
    limit: Duration,
    has_fired: Arc<AtomicBool>,
}

impl Watchdog {
    /// Watches a connection. The first deadline comes once `limit` has passed since `since`.
    pub(crate) fn start(tcp: &TcpStream, since: Instant, limit: Duration) -> io::Result<Watchdog> {
        let (deadlines, changes) = channel();
        let (tcp, has_fired) = (tcp.try_clone()?, Arc::new(AtomicBool::new(false)));
        let fired = Arc::clone(&has_fired);
        let mut deadline = since.checked_add(limit);
        let watch = move || {
            loop {
                let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
                let change = match left {
                    Some(left) => changes.recv_timeout(left),
                    None => changes.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match change {
                    Ok(changed) => deadline = changed,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        fired.store(true, Ordering::SeqCst);
                        let _ = tcp.shutdown(Shutdown::Both);
                        return;
                    }
                }
            }
        };
        thread::Builder::new().name("ssh deadline".into()).spawn(watch)?;
        Ok(Watchdog { deadlines, limit, has_fired })
    }

    /// Gives the next step the whole limit.
    pub(crate) fn restart(&self) {
        let _ = self.deadlines.send(Instant::now().checked_add(self.limit));
    }

    /// Waits for ever: a person is asked.
    pub(crate) fn pause(&self) {
        let _ = self.deadlines.send(None);
    }

    /// Whether the connection was shut down, and what failed since failed because of that.
    pub(crate) fn has_fired(&self) -> bool {
        self.has_fired.load(Ordering::SeqCst)
    }
}
