//! The way along which competitors race: a link, and the ssh configuration that leads to it.

use std::time::Duration;

use assetsync_link::{Counts, Link};

/// How long connections may take to end after a run.
const PATIENCE: Duration = Duration::from_secs(10);

/// A link, and the ssh configuration that leads along it.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The link.
    pub(crate) link: Link,
    /// The configuration's path.
    pub(crate) config: String,
}

impl Lane {
    /// Counts from zero.
    pub(crate) fn watch(&self) {
        self.link.reset();
    }

    /// What went along it since then, once all connections have ended.
    pub(crate) fn counts(&self) -> Counts {
        // What still lasts after that is a command left in the background; it is not waited for.
        let _ = self.link.wait_idle(PATIENCE);
        self.link.counts()
    }
}
