//! `--json` of commands on a stage: one object per line. Each target ends with one `done` line, and
//! the whole run with one `rollout` line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use assetsync_deploy::{Event, Monitor, Outcome, ServedVersion};
use assetsync_sync as sender;
use assetsync_sync::Report;
use serde::Serialize;

use super::console::Console;
use super::push_json::{self, ProgressThrottle};
use super::push_json_schema::Done;
use super::run_info::RunInfo;
use crate::error::Exit;

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// The next phase begins.
    Phase { phase: String },
    /// A command starts; without a host it runs on this machine.
    Running { host: Option<&'a str>, command: &'a str },
    /// A command printed a line.
    Output { host: Option<&'a str>, line: &'a str },
    /// A command succeeded.
    Ran { host: Option<&'a str>, command: &'a str, seconds: f64 },
    /// A target has all files staged; what it serves is unchanged.
    Staged { destination: &'a str, files_sent: u64, bytes_sent: u64 },
    /// A target is the same directory as another one, where it is staged and published.
    SameDirectory { destination: &'a str, same_as: &'a str },
    /// The web server of a target answered as it should: for so many files of so many.
    /// Of a bucket, all objects were compared, and of some the headers.
    Served {
        destination: &'a str,
        asked: usize,
        files: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        headers: Option<usize>,
    },
    /// Old files were deleted.
    Pruned { destination: &'a str, paths: u64, bytes: u64 },
    /// A target or a host failed.
    Failed { destination: &'a str, error: String },
    /// A local build was deleted.
    CleanedUp { path: String },
    /// A warning or notice.
    Notice { destination: Option<&'a str>, message: &'a str },
    /// The result of one target.
    Done(TargetDone<'a>),
    /// The result of the rollout.
    Rollout(RolloutDone<'a>),
}

#[derive(Serialize)]
struct TargetDone<'a> {
    destination: &'a str,
    /// The version it serves: `live`, `before` or `unknown`.
    stands: &'static str,
    #[serde(flatten)]
    done: Done<'a>,
}

#[derive(Serialize)]
struct RolloutDone<'a> {
    stage: &'a str,
    /// The deploy's id; empty if the rollout did not start.
    deploy: String,
    ok: bool,
    dry_run: bool,
    /// The exit status.
    exit: u8,
    /// Number of encodings: one for all targets in the same state.
    encodings: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The id of the rollback that followed, if it succeeded on all hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    rolled_back_by: Option<String>,
}

/// Prints events as they happen.
pub struct JsonLines {
    console: Arc<Console>,
    /// By target.
    throttles: Mutex<HashMap<String, ProgressThrottle>>,
}

impl JsonLines {
    /// Lines on the console's standard output.
    pub fn new(console: &Arc<Console>) -> JsonLines {
        JsonLines { console: Arc::clone(console), throttles: Mutex::default() }
    }

    fn push(&self, target: &str, event: sender::Event<'_>) {
        let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
        push_json::print_event(
            &self.console,
            target,
            event,
            throttles.entry(target.to_owned()).or_default(),
        );
    }
}

impl Monitor for JsonLines {
    fn event(&self, event: &Event<'_>) {
        let line = match *event {
            Event::Push { target, event } => return self.push(target, event),
            Event::Phase { phase, .. } => Line::Phase { phase: phase.to_string() },
            Event::Running { host, command } => Line::Running { host, command: command.as_ref() },
            Event::Output { host, line, .. } => Line::Output { host, line: line.as_ref() },
            Event::Ran { host, command, elapsed } => {
                let command = command.as_ref();
                Line::Ran { host, command, seconds: elapsed.as_secs_f64() }
            }
            Event::Staged { target, report } => Line::Staged {
                destination: target,
                files_sent: report.files_sent,
                bytes_sent: report.bytes_sent,
            },
            Event::SameDirectory { target, same_as } => {
                Line::SameDirectory { destination: target, same_as }
            }
            Event::Verified { target, files: (asked, files), headers } => {
                Line::Served { destination: target, asked, files, headers }
            }
            Event::Pruned { target, paths, removed } => {
                Line::Pruned { destination: target, paths, bytes: removed.bytes }
            }
            Event::Failed { target, reason } => {
                Line::Failed { destination: target, error: reason.to_string() }
            }
            Event::CleanedUp { path } => Line::CleanedUp { path: assetsync_core::text::path(path) },
            Event::Notice { target, text } => {
                Line::Notice { destination: target, message: text.as_ref() }
            }
            // Already reported by the push's own events.
            _ => return,
        };
        print(&self.console, &line);
    }
}

/// Prints the results of all targets, and of the rollout.
pub fn end(console: &Console, about: RunInfo<'_>, outcome: &Outcome, exit: Exit) {
    let nothing = Report::default();
    for target in &outcome.targets {
        if let (Some(report), true) = (&target.report, about.dry_run) {
            push_json::plan(console, &target.label, report);
        }
        let error = target.error.as_ref().map(ToString::to_string);
        let done = match (&target.report, &error) {
            (_, Some(error)) => Done::failure(error, about.dry_run),
            (Some(report), None) => Done::success(report, about.dry_run),
            (None, None) if target.is_skipped => Done::success(&nothing, about.dry_run),
            (None, None) => Done::failure("not tried", about.dry_run),
        };
        let is_as_meant = target.served_version == ServedVersion::New || target.is_skipped;
        let ok = done.ok && (about.dry_run || is_as_meant);
        let done = Done { ok, same_as: target.same_as.as_deref(), ..done };
        let stands = stands(target.served_version);
        print(console, &Line::Done(TargetDone { destination: &target.label, stands, done }));
    }
    print(
        console,
        &Line::Rollout(RolloutDone {
            stage: about.stage,
            deploy: outcome.id.to_string(),
            ok: exit == Exit::Done,
            dry_run: about.dry_run,
            exit: exit as u8,
            encodings: outcome.encodings,
            error: outcome.error.as_ref().map(ToString::to_string),
            rolled_back_by: outcome
                .rolled_back
                .as_ref()
                .and_then(|rollback| (rollback.error.is_none()).then(|| rollback.id.to_string())),
        }),
    );
}

/// Prints that the rollout did not start.
pub fn refused(console: &Console, stage: &str, error: &str, exit: Exit) {
    let line = Line::Rollout(RolloutDone {
        stage,
        deploy: String::new(),
        ok: false,
        dry_run: false,
        exit: exit as u8,
        encodings: 0,
        error: Some(error.to_owned()),
        rolled_back_by: None,
    });
    print(console, &line);
}

fn stands(stands: ServedVersion) -> &'static str {
    match stands {
        ServedVersion::Old => "before",
        ServedVersion::New => "live",
        ServedVersion::Unknown => "unknown",
    }
}

fn print(console: &Console, line: &Line<'_>) {
    // Serializing can't fail: keys are texts and numbers finite.
    if let Ok(mut text) = serde_json::to_string(line) {
        text.push('\n');
        console.print_stdout(&text);
    }
}
