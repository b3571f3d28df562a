//! One line of progress for each destination, and one for all of several. On a terminal they are
//! drawn in place; elsewhere a line is printed every few seconds, so that a CI system does not take
//! a long push for a hung one.

mod arrivals;
#[cfg(test)]
mod half_time;
mod line;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::style::ProgressTracker;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use self::arrivals::{Arrivals, Sum};
use self::line::Shown;

/// How often lines on a terminal are drawn again.
const TICK: Duration = Duration::from_millis(250);

/// Used where the terminal does not tell its width.
const COLUMNS: usize = 80;

/// The name of the line of all destinations.
const TOTAL: &str = "total";

/// What happens at one destination.
#[derive(Debug, Clone)]
struct Destination {
    label: String,
    phase: &'static str,
    since: Instant,
    /// Whether content is being sent.
    sends: bool,
    arrivals: Arrivals,
    is_done: bool,
}

impl Destination {
    fn shown(&self) -> Shown<'_> {
        let amounts = self.sends.then(|| arrivals::total([&self.arrivals].into_iter()));
        Shown { phase: self.phase, elapsed: self.since.elapsed(), amounts }
    }
}

/// All destinations of a run, in the order in which they were reached.
#[derive(Debug, Default)]
struct Destinations(Mutex<Vec<Destination>>);

impl Destinations {
    fn lock(&self) -> MutexGuard<'_, Vec<Destination>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line of one destination, or of all of them.
    fn line(&self, at: Option<usize>, columns: usize) -> String {
        let all = self.lock();
        let lengths = all.iter().map(|one| one.label.chars().count());
        let total = if all.len() > 1 { TOTAL.len() } else { 0 };
        let label_columns = line::label_columns(lengths.max().unwrap_or(0).max(total), columns);
        match at.and_then(|at| all.get(at)) {
            Some(one) => line::line(&one.label, label_columns, one.shown(), columns),
            None => {
                let phase = total_phase(&all);
                let amounts = Some(arrivals::total(all.iter().map(|one| &one.arrivals)));
                let amounts = amounts.filter(|amounts| *amounts != Sum::default());
                let shown = Shown { phase: &phase, elapsed: Duration::ZERO, amounts };
                line::line(TOTAL, label_columns, shown, columns)
            }
        }
    }
}

/// `3 of 8 done`.
fn total_phase(all: &[Destination]) -> String {
    let done = all.iter().filter(|one| one.is_done).count();
    format!("{done} of {} done", all.len())
}

/// The progress lines of a run.
#[derive(Debug)]
pub struct ProgressLines {
    bars: MultiProgress,
    destinations: Arc<Destinations>,
    total: Mutex<Option<ProgressBar>>,
    mode: Mode,
}

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In place, on a terminal.
    Terminal,
    /// As a line every few seconds.
    Plain,
    /// Not at all.
    Hidden,
}

impl ProgressLines {
    /// No lines yet.
    pub fn new(mode: Mode) -> ProgressLines {
        let target = match mode {
            Mode::Terminal => ProgressDrawTarget::stderr(),
            Mode::Plain | Mode::Hidden => ProgressDrawTarget::hidden(),
        };
        ProgressLines {
            bars: MultiProgress::with_draw_target(target),
            destinations: Arc::default(),
            total: Mutex::new(None),
            mode,
        }
    }

    /// The lines drawn in place, which other output must not overwrite.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Whether lines are printed every few seconds, and not drawn in place.
    pub fn are_plain(&self) -> bool {
        self.mode == Mode::Plain
    }

    /// Adds a destination; from the second one on there is a line of all of them. Returns its
    /// number and its bar.
    pub fn add(&self, label: &str, phase: &'static str) -> (usize, ProgressBar) {
        let mut all = self.destinations.lock();
        let at = all.len();
        all.push(Destination {
            label: label.to_owned(),
            phase,
            since: Instant::now(),
            sends: false,
            arrivals: Arrivals::default(),
            is_done: false,
        });
        drop(all);
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = match &*total {
            Some(total) => self.bars.insert_before(total, ProgressBar::no_length()),
            None => self.bars.add(ProgressBar::no_length()),
        };
        self.draw(&bar, Some(at));
        if at == 1 {
            let bar = self.bars.add(ProgressBar::no_length());
            self.draw(&bar, None);
            *total = Some(bar);
        }
        (at, bar)
    }

    fn draw(&self, bar: &ProgressBar, at: Option<usize>) {
        bar.set_style(style(Drawn { destinations: Arc::clone(&self.destinations), at }));
        if self.mode == Mode::Terminal {
            bar.enable_steady_tick(TICK);
        }
    }

    /// Begins a phase of a destination; in some, content is sent.
    pub fn begin(&self, at: usize, phase: &'static str, sends: bool) {
        if let Some(one) = self.destinations.lock().get_mut(at) {
            (one.phase, one.since, one.sends) = (phase, Instant::now(), sends);
        }
    }

    /// Notes how many bytes have arrived at a destination, and are expected, at a time since it
    /// was added.
    pub fn arrived(&self, at: usize, now: Duration, (arrived, expected): (u64, u64)) {
        if let Some(one) = self.destinations.lock().get_mut(at) {
            one.arrivals.note(now, arrived, expected);
        }
    }

    /// The line to print of a destination.
    pub fn plain_line(&self, at: usize) -> Option<String> {
        let all = self.destinations.lock();
        all.get(at).map(|one| line::plain(&one.label, one.shown()))
    }

    /// Removes all lines for good: what is printed from now on comes last.
    pub fn close(&self) {
        // If standard error fails, there is nowhere to report that.
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Ends a destination. After the last one, removes the line of all of them.
    pub fn end(&self, at: usize) {
        let mut all = self.destinations.lock();
        if let Some(one) = all.get_mut(at) {
            one.is_done = true;
        }
        if all.iter().all(|one| one.is_done) {
            all.clear();
            drop(all);
            let total = self.total.lock().unwrap_or_else(PoisonError::into_inner).take();
            total.inspect(ProgressBar::finish_and_clear);
        }
    }
}

/// Writes a line's text whenever it is drawn.
#[derive(Clone)]
struct Drawn {
    destinations: Arc<Destinations>,
    at: Option<usize>,
}

impl ProgressTracker for Drawn {
    fn clone_box(&self) -> Box<dyn ProgressTracker> {
        Box::new(self.clone())
    }

    fn tick(&mut self, _: &ProgressState, _: Instant) {}

    fn reset(&mut self, _: &ProgressState, _: Instant) {}

    fn write(&self, _: &ProgressState, out: &mut dyn std::fmt::Write) {
        // The last column stays free: some terminals break the line there.
        let columns = columns().saturating_sub(1);
        let _ = out.write_str(&self.destinations.line(self.at, columns));
    }
}

fn style(drawn: Drawn) -> ProgressStyle {
    // The template is a constant, and a test parses it.
    let style = ProgressStyle::with_template(TEMPLATE);
    style.unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key("line", drawn)
}

const TEMPLATE: &str = "{line}";

fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.map(|size| usize::from(size.ws_col)).ok().filter(|&columns| columns > 0).unwrap_or(COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_well_formed() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn the_total_has_room_beside_short_names() {
        let lines = ProgressLines::new(Mode::Hidden);
        lines.add("a:b", "connecting");
        assert_eq!(lines.destinations.line(Some(0), 60), "a:b  connecting");
        lines.add("c:d", "connecting");
        assert_eq!(lines.destinations.line(Some(0), 60), "a:b    connecting");
        assert_eq!(lines.destinations.line(None, 60), "total  0 of 2 done");
    }

    #[test]
    fn all_destinations_have_a_total() {
        let lines = ProgressLines::new(Mode::Hidden);
        lines.add("web1:/srv", "connecting");
        assert!(lines.total.lock().is_ok_and(|total| total.is_none()));
        lines.add("web2:/srv", "connecting");
        assert!(lines.total.lock().is_ok_and(|total| total.is_some()));
        let started = Duration::ZERO;
        for (at, arrived) in [(0, 1_000_000), (1, 500_000)] {
            let one = &mut lines.destinations.lock()[at];
            (one.phase, one.sends, one.is_done) = ("sending", true, at == 0);
            one.arrivals.note(started, arrived, 1_000_000);
        }
        let text = |at| lines.destinations.line(at, 60);
        assert_eq!(text(Some(1)), "web2:/srv  sending [==========>         ]  500 kB of ~1.0 MB");
        assert_eq!(text(None), "total      1 of 2 done [============>   ]  1.5 MB of ~2.0 MB");
    }
}
