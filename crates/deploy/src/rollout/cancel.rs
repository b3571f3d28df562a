//! Stopping a rollout from outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Asks a rollout to stop; clones ask for the same.
///
/// Before anything is published, nothing will be: all hosts stay as they were. While hosts publish, they finish that;
/// what would come after does not begin.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_asked: AtomicBool,
    listeners: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl Cancel {
    /// Nobody has asked yet.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Asks the rollout to stop.
    pub fn cancel(&self) {
        self.0.is_asked.store(true, Ordering::SeqCst);
        self.listeners().iter().for_each(|listener| listener());
    }

    /// Whether somebody has asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_asked.load(Ordering::SeqCst)
    }

    /// Has `listener` called when somebody asks, or at once if somebody has.
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
        let (cancel, (sender, heard)) = (Cancel::new(), channel());
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
