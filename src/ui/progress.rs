//! One line of progress for each destination, on a terminal only.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use assetsync_sync::{Event, Monitor};
use assetsync_units::{bytes, clock};
use indicatif::{ProgressBar, ProgressStyle};

use super::console::Console;
use super::transfer_rate::TransferRate;

/// How often the elapsed time of a waiting line is updated.
const TICK: Duration = Duration::from_millis(250);

/// Columns for the destination's name, of 80 in all.
const LABEL_COLUMNS: usize = 18;

/// Without measurable progress: the current step and its duration.
const WAITING: &str = "{prefix:18} {msg} {elapsed}";

/// While content is sent: the part done, the rate, and the time left.
const SENDING: &str = "{prefix:18} sending [{bar:8}] {wide_msg}";

/// The progress line of one destination; removed when the push ends.
pub struct ProgressLine {
    bar: ProgressBar,
    started: Instant,
    rate: Mutex<TransferRate>,
}

impl ProgressLine {
    /// A line that says `connecting`.
    pub fn new(console: &Console, label: &str) -> ProgressLine {
        let bar = console.bars().add(ProgressBar::no_length());
        bar.set_prefix(shortened(label, LABEL_COLUMNS).into_owned());
        let line = ProgressLine { bar, started: Instant::now(), rate: Mutex::default() };
        line.wait("connecting");
        line
    }

    fn wait(&self, phase: &'static str) {
        self.bar.set_style(style(WAITING));
        self.bar.set_message(phase);
        self.bar.enable_steady_tick(TICK);
    }

    fn send(&self, total: u64) {
        self.bar.disable_steady_tick();
        self.bar.set_length(total);
        self.bar.set_style(style(SENDING).progress_chars("=> "));
        self.sending(0, total, 0);
    }

    fn sending(&self, done: u64, total: u64, sent: u64) {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.note(self.started.elapsed(), done, sent);
        self.bar.set_message(numbers(done, total, &rate));
        self.bar.set_position(done);
    }
}

impl Monitor for ProgressLine {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Connected { .. } => self.wait("surveying"),
            Event::Surveyed { .. } => self.wait("comparing"),
            Event::Planned { bytes: total, .. } => self.send(total),
            Event::Progress { done, total, sent } => self.sending(done, total, sent),
            Event::Sent => self.wait("publishing"),
            _ => {}
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, and a test parses them.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// `12.3 MB of 33.5 MB  281 kB/s  0:11 left`.
fn numbers(done: u64, total: u64, rate: &TransferRate) -> String {
    let left = rate.left(total).map_or(String::new(), |left| format!("  {} left", clock(left)));
    format!("{} of {}  {}/s{left}", bytes(done), bytes(total), bytes(rate.wire()))
}

/// The end of a label: destinations differ there more often than at the start.
fn shortened(label: &str, columns: usize) -> Cow<'_, str> {
    let count = label.chars().count();
    if count <= columns {
        return label.into();
    }
    let end: String = label.chars().skip(count - columns + 3).collect();
    format!("...{end}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        for template in [WAITING, SENDING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn long_labels_keep_their_end() {
        assert_eq!(shortened("web1:/srv", 18), "web1:/srv");
        assert_eq!(shortened("deploy@web1:/srv/www/assets", 18), ".../srv/www/assets");
    }
}
