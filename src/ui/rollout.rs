//! How a rollout goes, and what has come of it, in words.
//!
//! ```text
//! stage    web1: 42 of 1,046 files, 46.1 kB
//! publish  8 places
//! restart  web1: pumactl -S ... phased-restart
//! restart  web1: | Command phased-restart sent success
//! ```

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use assetsync_deploy::command::Shown;
use assetsync_deploy::rollout::{
    CommandPhase, Event, Monitor, Outcome, Phase, RolloutError, RolloutResult, ServedVersion,
    TargetError, TargetOutcome,
};
use assetsync_sync as sender;
use assetsync_sync::{Monitor as _, PushError, Refusal};
use assetsync_units::{bytes, number, plural, seconds};

use super::console::Console;
use super::itemize;
use super::progress::ProgressLine;
use super::rollout_json::JsonLines;
use super::run_info::{RunInfo, Verb};
use super::steps::Steps;
use super::summary::installed;
use crate::error::{CommandError, Exit};

/// So many lines of a build that failed are shown.
const TAIL: usize = 30;

/// Tells how a rollout goes: in words and lines of progress, or as JSON.
pub struct Watch {
    console: Arc<Console>,
    started: Instant,
    told: Mutex<Told>,
}

/// What has been told so far.
struct Told {
    phase: String,
    /// By place, on a terminal.
    progress: HashMap<String, ProgressLine>,
    /// The end of what the command that runs here has printed and that was not shown.
    tail: VecDeque<Shown>,
}

impl Watch {
    /// Who tells of a rollout on the console; the clock starts now.
    pub fn on(console: &Arc<Console>) -> Arc<dyn Monitor> {
        if console.output.json {
            return Arc::new(JsonLines::new(console));
        }
        let told = Told { phase: String::new(), progress: HashMap::new(), tail: VecDeque::new() };
        let (console, started) = (Arc::clone(console), Instant::now());
        Arc::new(Watch { console, started, told: Mutex::new(told) })
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line, with the phase before it.
    fn line(&self, told: &Told, text: &str) {
        if self.console.output.quiet {
            return;
        }
        let clock = match self.console.output.clock {
            true => format!("{:8.3} s  ", self.started.elapsed().as_secs_f64()),
            false => String::new(),
        };
        self.console.tell(&format!("{clock}{:<8} {text}", told.phase));
    }

    fn push(&self, target: &str, event: sender::Event<'_>) {
        let mut told = self.told();
        if self.console.output.steps || matches!(event, sender::Event::Notice(_)) {
            Steps::new(&self.console, target).event(event);
        } else if let sender::Event::AgentInstalled(agent) = event {
            // In a dry run it is all that changes on a host.
            self.line(&told, &format!("{target}: {}", installed(agent)));
        }
        let line = || ProgressLine::new(&self.console, target);
        told.progress.entry(target.to_owned()).or_insert_with(line).event(event);
    }

    /// What a build prints is long: it is shown with `-v`, or its end if it fails.
    fn output(&self, host: Option<&str>, line: &Shown) {
        let mut told = self.told();
        match host {
            Some(host) => self.line(&told, &format!("{host}: | {line}")),
            None if self.console.output.steps => self.line(&told, &format!("| {line}")),
            None => {
                told.tail.push_back(line.clone());
                if told.tail.len() > TAIL {
                    told.tail.pop_front();
                }
            }
        }
    }
}

impl Monitor for Watch {
    fn event(&self, event: &Event<'_>) {
        match *event {
            Event::Phase(phase) => {
                let mut told = self.told();
                told.phase = phase.to_string();
                if matches!(phase, Phase::Publish | Phase::Check) {
                    let text = if phase == Phase::Check { "all hosts" } else { "everywhere" };
                    self.line(&told, text);
                }
            }
            Event::Running { host, command } => {
                let mut told = self.told();
                told.tail.clear();
                let host = host.map(|host| format!("{host}: ")).unwrap_or_default();
                self.line(&told, &format!("{host}{command}"));
            }
            Event::Output { host, line } => self.output(host, line),
            Event::Push { target, event } => self.push(target, event),
            Event::Staged { target, report } => {
                let mut told = self.told();
                told.progress.remove(target);
                let (sent, all) = (number(report.files_sent), plural(report.total.files, "file"));
                let size = bytes(report.bytes_sent);
                self.line(&told, &format!("{target}: {sent} of {all} sent, {size}"));
            }
            Event::Pruned { target, paths, removed } => {
                let (paths, size) = (plural(paths, "old path"), bytes(removed.bytes));
                let text = format!("{target}: {paths} deleted, {size}");
                self.line(&self.told(), &text);
            }
            Event::Failed { target, reason } => {
                let mut told = self.told();
                told.progress.remove(target);
                self.console.tell(&format!("assetsync: {target}: {reason}"));
            }
            Event::CleanedUp { path } => {
                self.line(
                    &self.told(),
                    &format!("{} deleted here", assetsync_core::text::path(path)),
                );
            }
            Event::Notice { target, text } => {
                let target = target.map(|target| format!("{target}: ")).unwrap_or_default();
                self.console.warn(&format!("{target}{text}"));
            }
            Event::Published { .. } | Event::Ran { .. } => {}
            _ => {}
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.told().progress.clear();
    }
}

/// Tells what has come of a rollout, and gives the exit code.
pub fn end(console: &Console, about: RunInfo<'_>, started: Instant, outcome: &Outcome) -> Exit {
    let exit = exit_of(outcome);
    if console.output.json {
        super::rollout_json::end(console, about, outcome, exit);
        return exit;
    }
    if let Some(error) = &outcome.error {
        let mut told = command_error(exit, error);
        told.hints.extend(place_hint(outcome).map(Into::into));
        console.error(None, &told);
    }
    match outcome.rollout_result() {
        RolloutResult::Done | RolloutResult::Partly if !console.output.quiet => {
            console.say(&success(about, started, outcome));
        }
        _ => {}
    }
    if exit != Exit::Done && !about.dry_run {
        console.tell(&served_where(outcome));
    }
    exit
}

/// Tells that nothing was begun.
pub fn refused(console: &Console, about: RunInfo<'_>, error: &RolloutError) -> Exit {
    let exit = exit_of_error(error);
    if console.output.json {
        super::rollout_json::refused(console, about.stage, &error.to_string(), exit);
    }
    console.error(None, &command_error(exit, error));
    exit
}

fn success(about: RunInfo<'_>, started: Instant, outcome: &Outcome) -> String {
    let live: Vec<_> = outcome.targets.iter().filter(|target| target.error.is_none()).collect();
    let reports = || live.iter().filter_map(|target| target.report.as_ref());
    let mut text = String::new();
    let hosts: BTreeSet<usize> = live.iter().map(|target| target.host).collect();
    let count = plural(hosts.len() as u64, "host");
    if about.dry_run {
        for target in &live {
            let Some(report) = &target.report else { continue };
            let _ = writeln!(text, "{}", target.label);
            report.plan.actions.iter().for_each(|action| {
                let _ = writeln!(text, "  {}", itemize::line(action));
            });
        }
        removals(&mut text, about, &live);
        // An agent that was installed for it was told when that was done.
        let _ = writeln!(text, "{}: dry run, no assets were changed", about.stage);
        return text;
    }
    let _ = match about.verb {
        Verb::Prune => writeln!(text, "{}: pruned on {count}", about.stage),
        Verb::Deploy => writeln!(text, "{}: deploy {} is live on {count}", about.stage, outcome.id),
        Verb::Rollback => {
            writeln!(text, "{}: rollback {} is live on {count}", about.stage, outcome.id)
        }
    };
    removals(&mut text, about, &live);
    let sent: u64 = reports().map(|report| report.bytes_sent).sum();
    let received: u64 = reports().map(|report| report.bytes_received).sum();
    let peak = reports().map(|report| report.agent_peak_rss_bytes).max().unwrap_or(0);
    let _ = writeln!(text, "  sent {}, received {}", bytes(sent), bytes(received));
    let took = seconds(started.elapsed());
    let _ = writeln!(text, "  took {took}, server memory peak {}", bytes(peak));
    text
}

/// What pruning comes to at each place, also where that is nothing.
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

/// Precisely what is served where.
fn served_where(outcome: &Outcome) -> String {
    let of = |stands: ServedVersion| -> Vec<&str> {
        let targets = outcome.targets.iter().filter(|target| target.served_version == stands);
        targets.map(|target| target.label.as_str()).collect()
    };
    let mut lines = Vec::new();
    let (new, old, unknown) =
        (of(ServedVersion::New), of(ServedVersion::Old), of(ServedVersion::Unknown));
    if new.is_empty() && unknown.is_empty() {
        return "assetsync: all hosts serve what they served before".to_owned();
    }
    for (what, targets) in [
        (format!("deploy {} is live on", outcome.id), new),
        ("as before:".to_owned(), old),
        ("lost while publishing, look with assetsync status:".to_owned(), unknown),
    ] {
        if !targets.is_empty() {
            lines.push(format!("assetsync: {what} {}", targets.join(", ")));
        }
    }
    lines.join("\n")
}

/// The exit code of an outcome.
pub fn exit_of(outcome: &Outcome) -> Exit {
    match (outcome.rollout_result(), &outcome.error) {
        (RolloutResult::Done, _) => Exit::Done,
        (RolloutResult::Partly, _) => Exit::SomeFailed,
        (RolloutResult::Failed, Some(error)) => exit_of_error(error),
        (RolloutResult::Failed, None) => Exit::Failed,
    }
}

fn exit_of_error(error: &RolloutError) -> Exit {
    match error {
        RolloutError::NoTargets(_)
        | RolloutError::UnknownRole(..)
        | RolloutError::UnknownHost(..)
        | RolloutError::OnlySftp(_)
        | RolloutError::Setting { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn command_error(exit: Exit, error: &RolloutError) -> CommandError {
    let hints = hints(error).into_iter().map(Into::into).collect();
    CommandError { exit, message: error.to_string(), hints }
}

/// What may help where hosts would lose what no deploy has brought.
fn place_hint(outcome: &Outcome) -> Option<&'static str> {
    let foreign = outcome.targets.iter().any(|target| {
        let error = target.error.as_ref();
        matches!(error, Some(TargetError::Push(PushError::Refused(Refusal::Foreign(_)))))
    });
    foreign.then_some(
        "with --set assets.delete=retain a deploy leaves what no deploy has brought, \
         unless it is in the way of new files",
    )
}

fn hints(error: &RolloutError) -> Vec<&'static str> {
    match error {
        RolloutError::NotStaged { .. } => {
            vec![
                "--keep-going leaves out hosts that fail; what was built is kept here for another try",
            ]
        }
        RolloutError::Build(_) => vec!["no host was touched"],
        RolloutError::Source(_) => vec![
            "the build puts its files into assets.source; a dry run and --skip-build take what is built already",
        ],
        RolloutError::Commands { command_phase: CommandPhase::Restart, .. } => {
            vec!["the new assets are live; restart the application, or assetsync rollback"]
        }
        RolloutError::NotPruned { .. } => vec!["assetsync prune tries that again"],
        _ => Vec::new(),
    }
}
