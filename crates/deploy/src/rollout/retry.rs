//! Trying again where a host was only too busy to take one more connection.
//!
//! sshd drops connections at random while more than `MaxStartups` are logging in, before it says who it is. Whoever
//! waits a little, not all for equally long, gets through. Nothing else is tried again: servers punish that.

use std::time::Duration;

use assetsync_sync::sender::PushError;
use assetsync_sync::transport::TransportError;
use backon::{BlockingRetryable, ExponentialBuilder};

/// At most so many tries beyond the first.
const TRIES: usize = 6;

/// What may have ended for want of room at the host.
pub(super) trait Busy {
    /// Whether the host dropped the connection before it said who it is.
    fn is_busy(&self) -> bool;
}

impl Busy for TransportError {
    fn is_busy(&self) -> bool {
        match self {
            TransportError::Ssh { phase, .. } => *phase == "handshake",
            TransportError::Closed { stderr, .. } => stderr.contains("kex_exchange_identification"),
            _ => false,
        }
    }
}

impl Busy for PushError {
    fn is_busy(&self) -> bool {
        matches!(self, PushError::Transport(error) if error.is_busy())
    }
}

/// Connects, again and again where the host is busy.
pub(super) fn connecting<T, E: Busy>(connect: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(TRIES)
        .with_jitter();
    connect.retry(waits).when(E::is_busy).call()
}
