//! The results of a push: printed as text or JSON, and as an exit code.

use assetsync_ssh::Target;
use assetsync_sync::{Destination, Foreign, PushError, Pushed, Refusal, Report, Source};

use super::change_format::ChangeFormat;
use super::console::Console;
use super::label::Label;
use super::log_file::LogFile;
use super::push_json_schema::Done;
use super::{push_json, summary};
use crate::cli::args::OutputArguments;
use crate::cli::push_paths::push_command;
use crate::error::{CommandError, Exit};

/// Reports the results of one push.
pub struct Reporter<'a> {
    console: &'a Console,
    dry_run: bool,
    format: ChangeFormat,
    /// The file of `--log-file`, and the format of changed paths in it.
    log: Option<(LogFile, ChangeFormat)>,
}

impl<'a> Reporter<'a> {
    /// A reporter; opens the log file.
    pub fn new(
        console: &'a Console,
        given: &OutputArguments,
        dry_run: bool,
    ) -> Result<Reporter<'a>, CommandError> {
        let format = given.out_format.clone().unwrap_or_default();
        let log_format = given.log_file_format.clone().unwrap_or_default();
        let opened = given.log_file.as_ref().map(|path| {
            LogFile::open(path).map_err(|error| {
                let path = assetsync_core::text::path(path);
                CommandError::failed(format!("Can't write to {path}: {error}"))
            })
        });
        let log = opened.transpose()?.map(|file| (file, log_format));
        Ok(Reporter { console, dry_run, format, log })
    }

    /// Reports the result for one destination.
    pub fn result(&self, pushed: &Pushed, source: &Source, destinations: &[Destination]) {
        let Pushed { destination, result } = pushed;
        let label = &destination.label;
        match result {
            Ok(report) => {
                let same_as = report.same_as.and_then(|at| destinations.get(at));
                match same_as {
                    Some(other) => self.same_directory(label, &other.label, report),
                    None => self.success(label, is_host(destination), source, report),
                }
                self.would_be_refused(label, source, report);
            }
            Err(error) => self.failure(label, &refused(error, label, source)),
        }
    }

    /// Reports the result for a bucket; gives its exit code.
    #[cfg(feature = "buckets")]
    pub fn bucket(
        &self,
        label: &str,
        result: &Result<Report, CommandError>,
        source: &Source,
    ) -> Exit {
        match result {
            Ok(report) => {
                self.success(label, false, source, report);
                self.would_be_refused(label, source, report);
                if report.refused.is_some() { Exit::Failed } else { Exit::Done }
            }
            Err(error) => {
                self.failure(label, error);
                error.exit
            }
        }
    }

    /// Reports that what a dry run planned would be refused.
    fn would_be_refused(&self, label: &str, source: &Source, report: &Report) {
        if let Some(refusal) = &report.refused {
            let mut error = refused(&refusal.clone().into(), label, source);
            error.message.insert_str(0, "a push would be refused: ");
            self.failure(label, &error);
        }
    }

    fn success(&self, label: &str, is_host: bool, source: &Source, report: &Report) {
        let output = self.console.output;
        let summary = summary::summary(label, is_host, report, self.dry_run);
        self.log(label, report, &summary);
        if output.json {
            if self.dry_run || report.refused.is_some() {
                push_json::plan(self.console, label, report);
            }
            if report.refused.is_none() {
                let done = Done::success(report, self.dry_run);
                push_json::done(self.console, label, done);
            }
            return;
        }
        if output.quiet {
            return;
        }
        let mut text = String::new();
        if self.dry_run || output.changes {
            for action in &report.plan.actions {
                text.push_str(&self.format.line(action, label));
                text.push('\n');
            }
        }
        text.push_str(&summary);
        if output.stats {
            text.push_str(&summary::stats(report, source));
        }
        self.console.print_stdout(&text);
    }

    /// Reports the success of the push to another destination that is the same directory.
    fn same_directory(&self, label: &str, other: &str, report: &Report) {
        let text = summary::same_directory(label, other);
        self.log(label, report, &text);
        let output = self.console.output;
        if output.json {
            let done = Done::success(report, self.dry_run);
            push_json::done(self.console, label, Done { same_as: Some(other), ..done });
        } else if !output.quiet {
            self.console.print_stdout(&format!("{text}\n"));
        }
    }

    /// Reports the failure of one destination.
    fn failure(&self, label: &str, error: &CommandError) {
        self.console.error(Some(label), error);
        if self.console.output.json {
            push_json::failed(self.console, label, &error.message, self.dry_run);
        }
        if let Some((file, _)) = &self.log {
            self.logged(file.write([format!("{label}: {}", error.message).as_str()].into_iter()));
        }
    }

    fn log(&self, label: &str, report: &Report, summary: &str) {
        let Some((file, format)) = &self.log else { return };
        let changes = report.plan.actions.iter().map(|action| format.line(action, label));
        let changes: Vec<String> = changes.collect();
        self.logged(file.write(changes.iter().map(String::as_str).chain(summary.lines())));
    }

    fn logged(&self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.console.warn(&format!("Can't write to the log file: {error}"));
        }
    }
}

fn is_host(destination: &Destination) -> bool {
    matches!(destination.target, Target::Remote(_))
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
        (format!("{label}{slash}{name}"), assetsync_core::text::path(&source.path));
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
        let text = format!("{count} of {all} destinations failed: {names}");
        console.print_labelled(Label::Error, &text);
    }
}
