//! A link that counts the bytes of a run, and the ssh configuration that goes through it.

use std::time::Duration;

use assetsync_link::{Counts, Link};

/// How long connections may take to end after a run.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A link, and the ssh configuration that goes through it.
#[derive(Debug)]
pub(crate) struct MeasuredLink {
    /// The link.
    pub(crate) link: Link,
    /// The path of the configuration.
    pub(crate) config: String,
}

impl MeasuredLink {
    /// Counts from zero.
    pub(crate) fn start_counting(&self) {
        self.link.reset();
    }

    /// Traffic since then, once all connections have ended.
    pub(crate) fn counts(&self) -> Counts {
        // A connection that is still open then belongs to a command left in the background.
        let _ = self.link.wait_idle(TIMEOUT);
        self.link.counts()
    }
}
