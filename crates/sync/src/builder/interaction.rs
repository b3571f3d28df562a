//! How a push talks with the program that runs it.

use assetsync_ssh::{NoPrompt, Prompt};

use super::pushed::Pushed;
use crate::destination::Destination;
use crate::event::{Monitor, NoMonitor};

/// Follows a push to several destinations and answers its questions. Methods are called from the
/// thread of their destination; by default events go nowhere and questions stay unanswered.
pub trait Interaction: Sync {
    /// Gets the events of the push to `destination`, and is dropped when that ends.
    fn monitor<'i>(&'i self, destination: &'i Destination) -> Box<dyn Monitor + 'i> {
        let _ = destination;
        Box::new(NoMonitor)
    }

    /// Is asked for passphrases by the push to `destination`.
    fn prompt<'i>(&'i self, destination: &'i Destination) -> Box<dyn Prompt + Sync + 'i> {
        let _ = destination;
        Box::new(NoPrompt)
    }

    /// The push to a destination has ended; others may still run.
    fn finished(&self, pushed: &Pushed) {
        let _ = pushed;
    }
}

/// Nobody is there.
pub(super) struct Unattended;

impl Interaction for Unattended {}
