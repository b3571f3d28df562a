//! Cancels a rollout.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Cancels a rollout; clones cancel the same one.
///
/// Before publishing, nothing is published: all hosts stay as they were. While hosts publish, they
/// finish, and the later steps are not started.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_asked: AtomicBool,
    listeners: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl Cancel {
    /// Cancels the rollout; returns whether it was cancelled already.
    pub fn cancel(&self) -> bool {
        let again = self.0.is_asked.swap(true, Ordering::SeqCst);
        self.listeners().iter().for_each(|listener| listener());
        again
    }

    /// Whether the rollout is cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        self.0.is_asked.load(Ordering::SeqCst)
    }

    /// Calls `listener` when the rollout is cancelled, or at once if it is already.
    pub(super) fn on_cancel(&self, listener: impl Fn() + Send + 'static) {
        let mut listeners = self.listeners();
        if self.is_cancelled() {
            listener();
        }
        listeners.push(Box::new(listener));
    }

    fn listeners(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn Fn() + Send>>> {
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn listeners_hear_of_it_before_and_after() {
        let (cancel, (sender, heard)) = (Cancel::default(), channel());
        let tell = move |sender: &std::sync::mpsc::Sender<u8>| {
            let _ = sender.send(1);
        };
        let early = sender.clone();
        cancel.on_cancel(move || tell(&early));
        assert!(heard.try_recv().is_err() && !cancel.is_cancelled());
        cancel.clone().cancel();
        assert!(heard.try_recv().is_ok() && cancel.is_cancelled());
        cancel.on_cancel(move || tell(&sender));
        assert!(heard.try_recv().is_ok());
    }
}
