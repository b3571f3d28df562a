//! The progress of a race.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assetsync_bench::{Event, Monitor};
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::console::Console;

/// The progress line of a race, and its cancellation by signals.
pub struct RaceProgress<'a> {
    console: &'a Console,
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl<'a> RaceProgress<'a> {
    /// Shows progress on `console`. The first Ctrl-C makes the race clean up and end, the second
    /// one ends it immediately.
    pub fn new(console: &'a Console) -> RaceProgress<'a> {
        let bar = console.bars().add(ProgressBar::new_spinner());
        bar.set_style(
            ProgressStyle::with_template("{spinner} {wide_msg}")
                .unwrap_or(ProgressStyle::default_spinner()),
        );
        bar.enable_steady_tick(Duration::from_millis(250));
        let stop = Arc::new(AtomicBool::new(false));
        if let Err(error) = handle_signals(&stop) {
            console.warn(&format!("Ctrl-C will not clean up: {error}"));
        }
        RaceProgress { console, bar, stop }
    }
}

fn handle_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The order matters: at the first signal, the flag must not be set yet.
        flag::register_conditional_default(signal, Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}

impl Monitor for RaceProgress<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Preparing(what) => self.bar.set_message(what),
            Event::Run { scenario, competitor, done, of } => {
                let number = done + 1;
                self.bar.set_message(format!("{number}/{of} {}: {competitor}", scenario.title()));
            }
            Event::Ended { scenario, competitor, run } => {
                if let Some(fault) = run.outcome.fault() {
                    self.console.warn(&format!("{}: {competitor}: {fault}", scenario.title()));
                }
            }
            _ => {}
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Drop for RaceProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
