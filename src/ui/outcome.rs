//! The results of a push: printed as text or JSON, and as an exit code.

use assetsync_sync::{Destination, Foreign, PushError, Refusal, Report, Source};

use super::console::Console;
use super::{itemize, push_json, summary};
use crate::cli::push_paths::push_command;
use crate::error::{CommandError, Exit};

/// Reports the result for one destination.
pub fn of(
    console: &Console,
    destination: &Destination,
    source: &Source,
    dry_run: bool,
    result: &Result<Report, PushError>,
) {
    let label = &destination.label;
    match result {
        Ok(report) => {
            success(console, destination, source, dry_run, report);
            if let Some(refusal) = &report.refused {
                let mut error = refused(&refusal.clone().into(), label, source);
                error.message.insert_str(0, "a push would be refused: ");
                failure(console, label, &error, dry_run);
            }
        }
        Err(error) => failure(console, label, &refused(error, label, source), dry_run),
    }
}

/// The exit code of the push to one destination.
pub fn exit_of(result: &Result<Report, PushError>) -> Exit {
    match result {
        Ok(Report { refused: None, .. }) => Exit::Done,
        Ok(Report { refused: Some(refusal), .. }) => {
            CommandError::from(&PushError::from(refusal.clone())).exit
        }
        Err(error) => CommandError::from(error).exit,
    }
}

/// The error, with the hint that another directory may be meant: rsync copies a SRC called NAME to
/// DEST/NAME.
fn refused(error: &PushError, label: &str, source: &Source) -> CommandError {
    let plain = CommandError::from(error);
    let PushError::Refused(Refusal::Foreign(Foreign { namesake: Some(name), .. })) = error else {
        return plain;
    };
    let slash = if label.ends_with('/') { "" } else { "/" };
    let (meant, source) =
        (format!("{label}{slash}{name}"), assetsync_core::text::path(source.path()));
    let push = push_command(&["--delete", &source, &meant]);
    let question =
        format!("did you mean {meant}? The contents of SRC are copied into DEST itself: {push}");
    let mut hints = vec![question.into()];
    hints.extend(plain.hints);
    CommandError { hints, ..plain }
}

/// Reports that no push was started.
pub fn not_started(console: &Console, labels: &[String], dry_run: bool, error: &CommandError) {
    console.error(None, error);
    if console.output.json {
        labels.iter().for_each(|label| push_json::failed(console, label, &error.message, dry_run));
    }
}

/// With several destinations, lists the failed ones at the end.
pub fn all(console: &Console, destinations: &[Destination], exits: &[Exit]) {
    let ends = destinations.iter().zip(exits);
    let failed: Vec<&str> = ends
        .filter(|(_, exit)| **exit != Exit::Done)
        .map(|(destination, _)| destination.label.as_str())
        .collect();
    if destinations.len() > 1 && !failed.is_empty() {
        let (count, all) = (failed.len(), destinations.len());
        let names = failed.join(", ");
        console.print_stderr(&format!("assetsync: {count} of {all} destinations failed: {names}"));
    }
}

fn success(
    console: &Console,
    destination: &Destination,
    source: &Source,
    dry_run: bool,
    report: &Report,
) {
    let output = console.output;
    if output.json {
        return match report.refused {
            Some(_) => push_json::plan(console, &destination.label, report),
            None => push_json::done(console, &destination.label, report, dry_run),
        };
    }
    if output.quiet {
        return;
    }
    let mut text = String::new();
    if dry_run || output.changes {
        for action in &report.plan.actions {
            text.push_str(&itemize::line(action));
            text.push('\n');
        }
    }
    text.push_str(&summary::summary(destination, report, dry_run));
    if output.stats {
        text.push_str(&summary::stats(report, source));
    }
    console.print_stdout(&text);
}

/// Reports the failure of one destination.
fn failure(console: &Console, label: &str, error: &CommandError, dry_run: bool) {
    console.error(Some(label), error);
    if console.output.json {
        push_json::failed(console, label, &error.message, dry_run);
    }
}
