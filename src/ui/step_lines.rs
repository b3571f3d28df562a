//! StepLines, notices and warnings: one line each on standard error.

use std::time::Instant;

use assetsync_sync::{Event, Monitor};
use assetsync_units::{bytes, plural, seconds};

use super::console::Console;
use super::summary::installed;

/// Logs one destination: always warnings; steps with `-v`, and their times with `-vv`.
pub struct StepLines<'a> {
    console: &'a Console,
    label: &'a str,
    started: Instant,
}

impl<'a> StepLines<'a> {
    /// Starts the clock.
    pub fn new(console: &'a Console, label: &'a str) -> StepLines<'a> {
        StepLines { console, label, started: Instant::now() }
    }

    fn step(&self, text: &str) {
        let StepLines { console, label, started } = self;
        if console.output.clock {
            console.print_stderr(&format!(
                "{label}: {:7.3} s  {text}",
                started.elapsed().as_secs_f64()
            ));
        } else if console.output.steps {
            console.print_stderr(&format!("{label}: {text}"));
        }
    }

    fn warn(&self, text: &str) {
        self.console.warn(&format!("{}: {text}", self.label));
    }

    fn noise(&self, text: &str) {
        let size = plural(text.len() as u64, "byte");
        self.warn(&format!(
            "the login shell printed {size} before the agent started; -v shows them"
        ));
        self.step(&format!("the login shell printed: {text}"));
    }

    fn surveyed(&self, paths: u64, partials: u64) {
        self.step(&format!("{} at the destination", plural(paths, "path")));
        if partials > 0 {
            self.step(&format!(
                "{} of an interrupted push can be reused",
                plural(partials, "file")
            ));
        }
    }
}

impl Monitor for StepLines<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Connected { how } => self.step(&format!("connected by {how}")),
            Event::AgentInstalled(agent) => self.step(&installed(agent)),
            Event::Noise(text) => self.noise(text),
            // The command warns once before, not for each destination.
            Event::ScanNotice(_) => {}
            Event::Surveyed { paths, partials } => self.surveyed(paths, partials),
            Event::Line { bytes_per_second, why } => {
                self.step(&format!("the line carries {} a second, {why}", bytes(bytes_per_second)));
            }
            Event::SendTimes { working, waiting } => {
                let (working, waiting) = (seconds(working), seconds(waiting));
                let text = format!(
                    "this machine worked for {working} and waited for the line for {waiting}"
                );
                self.step(&text);
            }
            Event::Planned { files, bytes: size } if files > 0 => {
                let files = plural(files, "file");
                self.step(&format!("sending content of {files}, {}", bytes(size)));
            }
            Event::Retrying { files } => {
                self.warn(&format!("sending {} again: damaged on arrival", plural(files, "file")));
            }
            Event::Sent => self.step("everything is sent; the agent verifies it"),
            Event::Verified => self.step("verified"),
            Event::Published => self.step("published"),
            Event::Notice(text) => self.warn(text),
            _ => {}
        }
    }
}
