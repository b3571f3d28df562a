//! `--json`: one object per line on standard output.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use assetsync_sync::{Event, Monitor, Report};

use super::console::Console;
use super::push_json_schema::{Body, Done, Line, PlannedAction};

/// Minimum time between two `progress` lines of one destination.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Prints the `done` line of a success.
pub fn done(console: &Console, destination: &str, done: Done<'_>) {
    print(console, destination, Body::Done(done));
}

/// Prints a line for each action of a plan.
pub fn plan(console: &Console, destination: &str, report: &Report) {
    let planned = report.plan.actions.iter().map(PlannedAction::new);
    planned.for_each(|planned| print(console, destination, Body::Action(planned)));
}

/// Prints the `done` line of a failure.
pub fn failed(console: &Console, destination: &str, error: &str, dry_run: bool) {
    print(console, destination, Body::Done(Done::failure(error, dry_run)));
}

fn print(console: &Console, destination: &str, body: Body<'_>) {
    // Serializing can't fail: keys are texts and numbers finite.
    if let Ok(mut line) = serde_json::to_string(&Line { destination, body }) {
        line.push('\n');
        console.print_stdout(&line);
    }
}

/// Limits the rate of `progress` lines of one destination.
#[derive(Default)]
pub struct ProgressThrottle(Mutex<Option<Instant>>);

impl ProgressThrottle {
    /// Whether a `progress` line may be printed now.
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

/// Prints events as they happen.
pub struct JsonLines<'a> {
    console: &'a Console,
    destination: &'a str,
    throttle: ProgressThrottle,
}

impl<'a> JsonLines<'a> {
    /// Lines about one destination.
    pub fn new(console: &'a Console, destination: &'a str) -> JsonLines<'a> {
        JsonLines { console, destination, throttle: ProgressThrottle::default() }
    }
}

impl Monitor for JsonLines<'_> {
    fn event(&self, event: Event<'_>) {
        print_event(self.console, self.destination, event, &self.throttle);
    }
}

/// Prints the line of an event, if it has one.
pub fn print_event(
    console: &Console,
    destination: &str,
    event: Event<'_>,
    throttle: &ProgressThrottle,
) {
    let text;
    let body = match event {
        Event::Connected { how } => Body::Connected { how },
        Event::AgentInstalled(agent) => {
            Body::AgentInstalled { path: &agent.path, bytes: agent.bytes }
        }
        Event::Noise(text) => Body::Noise { text },
        Event::ScanNotice(notice) => {
            text = notice.to_string();
            Body::Notice { message: &text }
        }
        Event::Surveyed { paths, partials } => Body::Surveyed { paths, partials },
        Event::Planned { files, bytes } => Body::Planned { files, bytes },
        Event::Progress { done, total, sent, acknowledged, expected } if throttle.is_due() => {
            Body::Progress { done, total, sent, acknowledged, expected }
        }
        Event::Verified => Body::Verified,
        Event::Retrying { files } => Body::Retrying { files },
        Event::Sent => Body::Sent,
        Event::Published => Body::Published,
        Event::Notice(message) => Body::Notice { message },
        _ => return,
    };
    print(console, destination, body);
}
