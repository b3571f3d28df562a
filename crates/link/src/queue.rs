//! Data in flight in one direction of one connection.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What arrives at the other end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Bytes.
    Data(Vec<u8>),
    /// The end of the stream.
    End,
    /// The sender reset the connection.
    Reset,
}

impl Item {
    fn len(&self) -> u64 {
        match self {
            Self::Data(bytes) => bytes.len() as u64,
            Self::End | Self::Reset => 0,
        }
    }
}

/// Data in flight, in order, each item with the time it arrives.
#[derive(Debug)]
pub(crate) struct Queue {
    room: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<(Instant, Item)>,
    held: u64,
    closed: bool,
}

impl Queue {
    /// A queue that blocks its sender once it holds `room` bytes.
    pub(crate) fn new(room: u64) -> Self {
        Self { room, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Sends `item` so that it arrives at `due`, waiting for room; false if nobody receives.
    pub(crate) fn push(&self, due: Instant, item: Item) -> bool {
        let full = |state: &mut State| state.held >= self.room && !state.closed;
        let mut state =
            self.changed.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return false;
        }
        state.held += item.len();
        state.items.push_back((due, item));
        self.changed.notify_all();
        true
    }

    /// Waits for the next item to arrive; nothing once the queue is closed.
    pub(crate) fn pop(&self) -> Option<Item> {
        let mut state = self.state();
        while !state.closed {
            let due = state.items.front().map(|(due, _)| *due);
            if due.is_some_and(|due| due <= Instant::now()) {
                let (_, item) = state.items.pop_front()?;
                state.held -= item.len();
                self.changed.notify_all();
                return Some(item);
            }
            state = self.wait(state, due);
        }
        None
    }

    /// Drops what is in flight; both ends stop waiting.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Waits for a change, but not past `due`.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        due: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        let Some(due) = due else {
            return self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        let left = due.saturating_duration_since(Instant::now());
        self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn items_arrive_in_order_and_not_before_their_time() {
        let queue = Queue::new(100);
        let due = Instant::now() + Duration::from_millis(20);
        assert!(queue.push(due, Item::Data(vec![1])));
        assert!(queue.push(Instant::now(), Item::End));
        assert_eq!(queue.pop(), Some(Item::Data(vec![1])));
        assert!(Instant::now() >= due);
        assert_eq!(queue.pop(), Some(Item::End));
    }

    #[test]
    fn a_full_queue_makes_its_sender_wait() {
        let queue = Queue::new(2);
        let now = Instant::now();
        thread::scope(|scope| {
            let sender = scope.spawn(|| (0..3).all(|_| queue.push(now, Item::Data(vec![0; 2]))));
            for _ in 0..3 {
                assert_eq!(queue.pop(), Some(Item::Data(vec![0; 2])));
                assert!(queue.state().held <= 2);
            }
            assert!(sender.join().unwrap());
        });
    }

    #[test]
    fn closing_ends_every_wait() {
        let queue = Queue::new(0);
        thread::scope(|scope| {
            let sender = scope.spawn(|| queue.push(Instant::now(), Item::End));
            let receiver = scope.spawn(|| queue.pop());
            queue.close();
            assert!(!sender.join().unwrap());
            assert_eq!(receiver.join().unwrap(), None);
        });
    }
}
