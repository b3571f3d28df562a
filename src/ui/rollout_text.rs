//! The progress and the result of a rollout, as text.
//!
//! ```text
//! stage    web1: 42 of 1,046 files, 46.1 kB
//! publish  all hosts and buckets
//! restart  web1: pumactl -S ... phased-restart
//! restart  web1: | Command phased-restart sent success
//! ```

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use assetsync_core::protocol::FailureCode;
use assetsync_deploy::{
    CommandPhase, Event, Monitor, Outcome, Phase, RolloutError, ServedVersion, Shown, TargetError,
    TargetOutcome,
};
use assetsync_sync as sender;
use assetsync_sync::{Monitor as _, PushError, Refusal, Report};
use assetsync_units::{bytes, number, plural, seconds};

use super::command_tail::CommandTail;
use super::console::Console;
use super::itemize;
use super::label::Label;
use super::progress_line::ProgressLine;
use super::rollout_json::JsonLines;
use super::run_info::{RunInfo, Verb};
use super::step_lines::StepLines;
use super::summary::{self, installed};
use crate::error::{CommandError, Exit};

/// Prints the progress of a rollout.
pub struct RolloutMonitor {
    console: Arc<Console>,
    started: Instant,
    /// Nothing is sent or changed.
    dry_run: bool,
    printed: Mutex<RolloutProgress>,
}

/// The lines printed so far.
struct RolloutProgress {
    phase: Option<Phase>,
    /// By target.
    progress: HashMap<String, ProgressLine>,
    /// The command that runs on this machine.
    command: Option<ProgressLine>,
    /// The last lines that it printed and that were not shown.
    tail: CommandTail<Shown>,
}

impl RolloutMonitor {
    /// A monitor that prints to the console, as text or JSON. Starts the clock.
    pub fn on(console: &Arc<Console>, dry_run: bool) -> Arc<dyn Monitor> {
        if console.output.json {
            return Arc::new(JsonLines::new(console));
        }
        let printed = RolloutProgress {
            phase: None,
            progress: HashMap::new(),
            command: None,
            tail: CommandTail::new(),
        };
        let (console, started) = (Arc::clone(console), Instant::now());
        Arc::new(RolloutMonitor { console, started, dry_run, printed: Mutex::new(printed) })
    }

    fn printed(&self) -> MutexGuard<'_, RolloutProgress> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line after the name of the phase.
    fn line(&self, printed: &RolloutProgress, text: &str) {
        if self.console.output.quiet {
            return;
        }
        let clock = match self.console.output.clock {
            true => format!("{:8.3} s  ", self.started.elapsed().as_secs_f64()),
            false => String::new(),
        };
        let phase = printed.phase.map(|phase| phase.to_string()).unwrap_or_default();
        self.console.print_stderr(&format!("{clock}{phase:<8} {text}"));
    }

    fn push(&self, target: &str, event: sender::Event<'_>) {
        let mut printed = self.printed();
        if self.console.output.steps || matches!(event, sender::Event::Notice(_)) {
            StepLines::new(&self.console, target).event(event);
        } else if let sender::Event::AgentInstalled(agent) = event {
            // The only change that a dry run makes on a host.
            self.line(&printed, &format!("{target}: {}", installed(agent)));
        }
        // What was staged has no line any more.
        if matches!(event, sender::Event::Published | sender::Event::Pruned) {
            return;
        }
        let line = || ProgressLine::new(&self.console, target);
        printed.progress.entry(target.to_owned()).or_insert_with(line).event(event);
    }

    /// The output of a build is long: shown with `-v`, else only its end if it fails.
    fn output(&self, host: Option<&str>, line: &Shown, is_error: bool) {
        let mut printed = self.printed();
        match host {
            Some(host) => self.line(&printed, &format!("{host}: | {line}")),
            None if self.console.output.steps => self.line(&printed, &format!("| {line}")),
            None => printed.tail.add(line, is_error),
        }
    }

    fn running(&self, host: Option<&str>, command: &Shown) {
        let mut printed = self.printed();
        let Some(host) = host else {
            self.line(&printed, command.as_ref());
            let doing = if printed.phase == Some(Phase::Build) { "building" } else { "running" };
            printed.tail = CommandTail::new();
            printed.command = Some(ProgressLine::of_command(&self.console, doing));
            return;
        };
        self.line(&printed, &format!("{host}: {command}"));
    }

    /// Shows the end of what the command printed, if `failed`.
    fn ended(&self, failed: bool) {
        let mut printed = self.printed();
        printed.command = None;
        let lines: Vec<Shown> = printed.tail.take().filter(|_| failed).collect();
        lines.iter().for_each(|line| self.line(&printed, &format!("| {line}")));
    }
}

impl Monitor for RolloutMonitor {
    fn event(&self, event: &Event<'_>) {
        match *event {
            Event::Phase { phase, chosen } => {
                let mut printed = self.printed();
                printed.phase = Some(phase);
                if matches!(phase, Phase::Publish | Phase::Check) {
                    self.line(&printed, everywhere(chosen));
                }
            }
            Event::Running { host, command } => self.running(host, command),
            Event::Output { host, line, is_error } => self.output(host, line, is_error),
            Event::Ran { host: None, .. } => self.ended(false),
            Event::CommandFailed { host: None, .. } => self.ended(true),
            Event::Push { target, event } => self.push(target, event),
            Event::Staged { target, report } => {
                let mut printed = self.printed();
                printed.progress.remove(target);
                let (sent, all) = (number(report.files_sent), plural(report.total.files, "file"));
                let size = bytes(report.bytes_sent);
                let text = match self.dry_run {
                    true => format!("{target}: content of {sent} of {all} would be sent"),
                    false => format!("{target}: {sent} of {all} sent, {size}"),
                };
                self.line(&printed, &text);
            }
            Event::Verified { target, files: (asked, all), headers } => {
                let all = plural(all as u64, "file");
                let headers = headers.map(|count| {
                    format!(", the headers of {} of them compared", number(count as u64))
                });
                let headers = headers.unwrap_or_default();
                let asked = number(asked as u64);
                let text = format!("{target}: {asked} of {all} as published{headers}");
                self.line(&self.printed(), &text);
            }
            Event::Pruned { target, paths, removed } => {
                let (paths, size) = (plural(paths, "old path"), bytes(removed.bytes));
                let text = format!("{target}: {paths} deleted, {size}");
                self.line(&self.printed(), &text);
            }
            Event::Failed { target, reason } => {
                let mut printed = self.printed();
                printed.progress.remove(target);
                self.console.print_labelled(Label::Error, &format!("{target}: {reason}"));
            }
            Event::CleanedUp { path } => {
                self.line(
                    &self.printed(),
                    &format!("deleted {} on this machine", assetsync_core::text::path(path)),
                );
            }
            Event::Notice { target, text } => {
                let target = target.map(|target| format!("{target}: ")).unwrap_or_default();
                self.console.warn(&format!("{target}{text}"));
            }
            Event::SameDirectory { target, same_as } => {
                let mut printed = self.printed();
                printed.progress.remove(target);
                self.line(&printed, &summary::same_directory(target, same_as));
            }
            _ => {}
        }
    }
}

impl Drop for RolloutMonitor {
    fn drop(&mut self) {
        let mut printed = self.printed();
        printed.progress.clear();
        printed.command = None;
    }
}

/// So many hosts and buckets.
fn everywhere(chosen: (usize, usize)) -> &'static str {
    match chosen {
        (0, 1..) => "all buckets",
        (1.., 1..) => "all hosts and buckets",
        (_, 0) => "all hosts",
    }
}

/// Prints the result of a rollout, and returns the exit code.
pub fn end(console: &Console, about: RunInfo<'_>, started: Instant, outcome: &Outcome) -> Exit {
    let exit = exit_of(outcome);
    // A worker that is still ending may hold its line.
    console.progress().close();
    if console.output.json {
        super::rollout_json::end(console, about, outcome, exit);
        return exit;
    }
    if let Some(error) = &outcome.error {
        let mut printed = command_error(exit, error);
        printed.hints.extend(target_hint(outcome).map(Into::into));
        console.error(None, &printed);
    }
    if matches!(exit, Exit::Done | Exit::SomeFailed) && !console.output.quiet {
        console.print_stdout(&success(about, started, outcome));
    }
    if exit != Exit::Done && !about.dry_run && about.verb != Verb::Verify {
        let lines = match &outcome.rolled_back {
            Some(rollback) => rolled_back(about, outcome, rollback),
            None => served_where(outcome),
        };
        lines.iter().for_each(|line| console.print_labelled(Label::Note, line));
    }
    exit
}

/// What a rollback did that followed a deploy.
fn rolled_back(about: RunInfo<'_>, outcome: &Outcome, rollback: &Outcome) -> Vec<String> {
    let (stage, id) = (about.stage, outcome.id);
    let restored = rollback.restored.as_ref().map(super::status::restored).unwrap_or_default();
    let Some(error) = &rollback.error else {
        return vec![format!("{stage}: deploy {id} was rolled back; live again: {restored}")];
    };
    let mut lines = vec![format!("{stage}: the rollback of deploy {id} failed: {error}")];
    lines.extend(served_where(rollback));
    lines
}

/// Prints why a rollout did not start, and returns the exit code.
pub fn refused(console: &Console, about: RunInfo<'_>, error: &RolloutError) -> Exit {
    let exit = exit_of_error(error);
    if console.output.json {
        super::rollout_json::refused(console, about.stage, &error.to_string(), exit);
    }
    console.error(None, &command_error(exit, error));
    exit
}

fn success(about: RunInfo<'_>, started: Instant, outcome: &Outcome) -> String {
    let is_live = |target: &&TargetOutcome| target.error.is_none() && !target.is_skipped;
    let live: Vec<_> = outcome.targets.iter().filter(is_live).collect();
    let reports = || live.iter().filter_map(|target| target.report.as_ref());
    let mut text = String::new();
    let counts = count_targets(&live);
    let count = joined(&counts, " and ");
    if about.dry_run {
        for target in &live {
            let Some(report) = &target.report else { continue };
            let _ = writeln!(text, "{}: {}", target.label, would(report));
            report.plan.actions.iter().for_each(|action| {
                let _ = writeln!(text, "  {}", itemize::line(action));
            });
        }
        removals(&mut text, about, &live);
        if let Some(kept) = &outcome.restored {
            let _ = writeln!(text, "would bring back: {}", super::status::restored(kept));
        }
        // An installed agent was reported when that was done.
        let _ = writeln!(text, "{}: dry run, no assets were changed", about.stage);
        return text;
    }
    let _ = match about.verb {
        Verb::Prune => writeln!(text, "{}: pruned on {count}", about.stage),
        Verb::Verify => writeln!(text, "{}: {}", about.stage, verified(counts)),
        Verb::Deploy => writeln!(text, "{}: deploy {} is live on {count}", about.stage, outcome.id),
        Verb::Rollback => {
            writeln!(text, "{}: rollback {} is live on {count}", about.stage, outcome.id)
        }
    };
    if about.verb == Verb::Verify {
        return text;
    }
    if let Some(kept) = &outcome.restored {
        let _ = writeln!(text, "  brought back: {}", super::status::restored(kept));
    }
    removals(&mut text, about, &live);
    let sent: u64 = reports().map(|report| report.bytes_sent).sum();
    let received: u64 = reports().map(|report| report.bytes_received).sum();
    let peak = reports().map(|report| report.agent_peak_rss_bytes).max().unwrap_or(0);
    let _ = writeln!(text, "  sent {}, received {}", bytes(sent), bytes(received));
    let peak = match live.iter().any(|target| !target.is_bucket) {
        true => format!(", server memory peak {}", bytes(peak)),
        false => String::new(),
    };
    let _ = writeln!(text, "  took {}{peak}", seconds(started.elapsed()));
    text
}

/// How many hosts these are, and how many buckets, if there are any: `2 hosts`, `1 bucket`.
fn count_targets(targets: &[&TargetOutcome]) -> [Option<String>; 2] {
    [(false, "host"), (true, "bucket")].map(|(is_bucket, what)| {
        let some = targets.iter().filter(|target| target.is_bucket == is_bucket);
        let some: BTreeSet<usize> = some.map(|target| target.host).collect();
        (!some.is_empty()).then(|| plural(some.len() as u64, what))
    })
}

fn joined(parts: &[Option<String>; 2], by: &str) -> String {
    let parts: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    if parts.is_empty() { "no host".to_owned() } else { parts.join(by) }
}

/// Hosts were asked as visitors ask; buckets were compared with their state.
fn verified([hosts, buckets]: [Option<String>; 2]) -> String {
    let hosts = hosts.map(|hosts| format!("visitors get what is live on {hosts}"));
    let buckets = buckets.map(|buckets| format!("{buckets} as the last push left it"));
    joined(&[hosts, buckets], "; ")
}

/// What a rollout would do at a target.
fn would(report: &Report) -> String {
    let count = |wanted: u64, what: &str| match wanted {
        0 => None,
        wanted => Some(format!("{} would be {what}", plural(wanted, "path"))),
    };
    let changed = report.plan.actions.len() as u64 - report.deleted - report.pruned;
    let parts = [
        count(changed, "published"),
        count(report.deleted, "deleted"),
        count(report.pruned, "pruned"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing would change".to_owned() } else { parts.join(", ") }
}

/// The files that pruning deleted at each target, even if there are none.
fn removals(text: &mut String, about: RunInfo<'_>, targets: &[&TargetOutcome]) {
    if about.verb != Verb::Prune {
        return;
    }
    let verb = if about.dry_run { "would be deleted" } else { "deleted" };
    for target in targets {
        let Some(report) = &target.report else { continue };
        let (files, size) = (plural(report.removed.files, "old file"), bytes(report.removed.bytes));
        let _ = writeln!(text, "  {}: {files} {verb}, {size}", target.label);
    }
}

/// Which version each target serves.
fn served_where(outcome: &Outcome) -> Vec<String> {
    let of = |stands: ServedVersion| -> Vec<&str> {
        let targets = outcome.targets.iter().filter(|target| target.served_version == stands);
        targets.map(|target| target.label.as_str()).collect()
    };
    let mut lines = Vec::new();
    let (new, old, unknown) =
        (of(ServedVersion::New), of(ServedVersion::Old), of(ServedVersion::Unknown));
    if new.is_empty() && unknown.is_empty() {
        let has = |is_bucket| outcome.targets.iter().any(|target| target.is_bucket == is_bucket);
        let all = match (has(false), has(true)) {
            (false, true) => "every bucket",
            (true, true) => "every host and bucket",
            (_, false) => "every host",
        };
        return vec![format!("{all} serves what it served before")];
    }
    let not_done = outcome.not_done.join(", ");
    for (what, targets) in [
        (format!("deploy {} is live on", outcome.id), new),
        ("unchanged:".to_owned(), old),
        ("state unknown; deploy again to complete it:".to_owned(), unknown),
    ] {
        if !targets.is_empty() {
            lines.push(format!("{what} {}", targets.join(", ")));
        }
    }
    if !not_done.is_empty() {
        lines.push(format!("not done: {not_done}"));
    }
    lines
}

/// The exit code of an outcome.
pub fn exit_of(outcome: &Outcome) -> Exit {
    let failed = outcome.targets.iter().any(|target| target.error.is_some());
    let is_live = outcome.targets.iter().any(|target| target.served_version == ServedVersion::New);
    match &outcome.error {
        Some(_) if outcome.is_cancelled => Exit::Interrupted,
        Some(error) => exit_of_error(error),
        None if !failed => Exit::Done,
        None if outcome.keep_going && is_live => Exit::SomeFailed,
        None => Exit::Failed,
    }
}

fn exit_of_error(error: &RolloutError) -> Exit {
    match error {
        RolloutError::NoTargets(_)
        | RolloutError::UnknownRole { .. }
        | RolloutError::UnknownHost { .. }
        | RolloutError::OnlyBuckets(_)
        | RolloutError::NoSite(_)
        | RolloutError::Setting { .. } => Exit::Usage,
        RolloutError::Cancelled => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

fn command_error(exit: Exit, error: &RolloutError) -> CommandError {
    let hints = hints(error).into_iter().map(Into::into).collect();
    CommandError { exit, message: error.to_string(), hints }
}

/// The hint for targets that failed, where a setting would help.
fn target_hint(outcome: &Outcome) -> Option<&'static str> {
    outcome.targets.iter().find_map(|target| match &target.error {
        Some(TargetError::Push(PushError::Refused(Refusal::Foreign(_)))) => Some(
            "--set assets.delete=retain keeps files that are not from a deploy, unless a new file \
             replaces them",
        ),
        Some(TargetError::Push(PushError::Refused(
            Refusal::Most { .. } | Refusal::TooMany { .. },
        ))) => Some(
            "--dry-run lists what would be deleted; to allow it: --max-delete, with the number of \
                 paths; --set assets.delete=retain keeps them for now",
        ),
        Some(TargetError::Unlike { .. }) => Some(
            "verify.address names what is connected to, if it is not the host; to look again: \
             assetsync verify",
        ),
        Some(TargetError::UnlikeObjects { .. }) => Some(
            "assetsync push STAGE restores missing and changed objects; if only headers differ, \
             delete the object first",
        ),
        Some(TargetError::Push(PushError::Agent(failure)))
            if failure.code == FailureCode::Unsupported =>
        {
            Some("--set assets.publish=files publishes each file by a rename, on any file system")
        }
        Some(TargetError::Push(PushError::Transport(error))) if error.suggests_sftp() => {
            Some("assetsync doctor DEST shows how a host is reached, and whether SFTP works there")
        }
        Some(TargetError::NoHistory(_)) => Some(
            "--hosts chooses hosts that have a history; to others, deploy the earlier revision",
        ),
        Some(TargetError::NoExchange(_)) => Some("--set assets.publish=files needs no agent"),
        _ => None,
    })
}

fn hints(error: &RolloutError) -> Vec<&'static str> {
    match error {
        RolloutError::NotStaged { .. } => {
            vec!["--keep-going skips hosts that fail; the local build is kept for another try"]
        }
        RolloutError::Build { .. } => vec!["no host was changed"],
        RolloutError::Source(_) => vec![
            "the build must put its files into assets.source; --dry-run and --skip-build use the \
             existing build",
        ],
        RolloutError::Commands { command_phase: CommandPhase::Restart, .. } => {
            vec!["the new assets are live; restart the application, or run: assetsync rollback"]
        }
        RolloutError::NoSite(_) => {
            vec!["in assetsync.toml: [verify] url = \"https://shop.example.com\""]
        }
        RolloutError::NotPruned { .. } => vec!["to try again: assetsync prune"],
        _ => Vec::new(),
    }
}
