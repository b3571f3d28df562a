//! The progress of one destination, or of one command on this machine.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use assetsync_sync::{Event, Monitor};
use indicatif::ProgressBar;

use super::console::Console;

/// How often a line is printed where there is no terminal.
const PRINT_INTERVAL: Duration = Duration::from_secs(10);

/// The progress of one destination; its line is removed when the push ends.
pub struct ProgressLine {
    console: Arc<Console>,
    at: usize,
    bar: ProgressBar,
    started: Instant,
    /// Ends the printing of lines when it is dropped.
    _printing: Option<Sender<()>>,
}

impl ProgressLine {
    /// A line that says `connecting`.
    pub fn new(console: &Arc<Console>, label: &str) -> ProgressLine {
        ProgressLine::begin_with(console, label, "connecting")
    }

    /// The line of a command on this machine.
    pub fn of_command(console: &Arc<Console>, doing: &'static str) -> ProgressLine {
        ProgressLine::begin_with(console, "this machine", doing)
    }

    fn begin_with(console: &Arc<Console>, label: &str, phase: &'static str) -> ProgressLine {
        let lines = console.progress();
        let (at, bar) = lines.add(label, phase);
        let printing = lines.are_plain().then(|| {
            let console = Arc::clone(console);
            every(PRINT_INTERVAL, move || {
                let line = console.progress().plain_line(at);
                line.into_iter().for_each(|line| console.print_stderr(&line));
            })
        });
        let console = Arc::clone(console);
        ProgressLine { console, at, bar, started: Instant::now(), _printing: printing }
    }

    fn begin(&self, phase: &'static str, sends: bool) {
        self.console.progress().begin(self.at, phase, sends);
        self.bar.tick();
    }

    fn arrived(&self, arrived: u64, expected: u64) {
        let now = self.started.elapsed();
        self.console.progress().arrived(self.at, now, (arrived, expected));
        self.bar.tick();
    }
}

impl Monitor for ProgressLine {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Connected { .. } => self.begin("surveying", false),
            Event::Surveyed { .. } => self.begin("comparing", false),
            Event::Planned { .. } => self.begin("sending", true),
            Event::Progress { acknowledged, expected, .. } => self.arrived(acknowledged, expected),
            Event::Arrived { acknowledged, sent } => self.arrived(acknowledged, sent),
            Event::Sent => self.begin("verifying", true),
            Event::Verified => self.begin("publishing", false),
            Event::Staged => self.begin("staged", false),
            _ => {}
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.console.progress().end(self.at);
    }
}

/// Calls `action` at every interval until the sender is dropped.
fn every(interval: Duration, mut action: impl FnMut() + Send + 'static) -> Sender<()> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        while receiver.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            action();
        }
    });
    sender
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_repeated_until_it_is_no_longer_wanted() {
        let (told, heard) = mpsc::channel();
        let stop = every(Duration::from_millis(1), move || {
            let _ = told.send(());
        });
        assert!(heard.recv().is_ok() && heard.recv().is_ok());
        drop(stop);
        // The thread ends, and with it the sender.
        while heard.recv().is_ok() {}
    }
}
