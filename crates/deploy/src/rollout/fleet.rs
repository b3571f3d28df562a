//! Runs all targets in parallel, one thread each. A thread stages, publishes and prunes, and waits
//! for a command before each step; commands are sent when all threads have finished the previous
//! step.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use assetsync_sync::{PushError, Report};

use super::cancel::Cancel;
use super::error::TargetError;
use super::event::{Event, Monitor};
use super::outcome::{ServedVersion, TargetOutcome};
use super::target::DeployTarget;
use super::worker::{EventSender, FleetContext, Work, WorkerCommand, WorkerEvent, WorkerThread};

/// How long is waited for what was staged over SFTP to be removed.
const REMOVING: Duration = Duration::from_secs(10);

/// The workers of all targets.
pub(super) struct Fleet {
    workers: Vec<Worker>,
    events: Receiver<(usize, WorkerEvent)>,
    monitor: Arc<dyn Monitor>,
    cancel: Cancel,
    /// Workers end after staging.
    dry_run: bool,
}

struct Worker {
    target: DeployTarget,
    /// Dropping it abandons what was not published.
    commands: Option<Sender<WorkerCommand>>,
    state: WorkerState,
    /// It pushes over SFTP.
    over_sftp: bool,
    outcome: TargetOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkerState {
    Staging,
    Staged,
    /// Asked whether its agent is still connected.
    Probed,
    Publishing,
    Published,
    TakingBack,
    Ending,
    /// Its directory is that of the worker at this position, which does the work.
    Follows(usize),
    /// Ended; the outcome has the error, if any.
    Over,
}

impl Fleet {
    /// Starts a worker for each target; all begin to stage.
    pub fn start(
        context: &Arc<FleetContext>,
        targets: Vec<(DeployTarget, Arc<Work>)>,
        cancel: &Cancel,
    ) -> Fleet {
        let (sender, events) = channel();
        let cancelled = sender.clone();
        cancel.on_cancel(move || drop(cancelled.send((0, WorkerEvent::Cancelled))));
        let workers = targets.into_iter().enumerate().map(|(worker, (target, work))| {
            let (commands, receiver) = channel();
            let thread = WorkerThread {
                context: Arc::clone(context),
                target: target.clone(),
                work,
                commands: receiver,
                events: EventSender { worker, channel: sender.clone() },
            };
            if let Err(error) = thread.start() {
                let failed = WorkerEvent::Failed(TargetError::NoThread(error));
                drop(sender.send((worker, failed)));
            }
            let outcome = TargetOutcome::of(&target);
            let state = WorkerState::Staging;
            Worker { target, commands: Some(commands), state, over_sftp: false, outcome }
        });
        let workers = workers.collect();
        let (monitor, cancel) = (Arc::clone(&context.monitor), cancel.clone());
        Fleet { workers, events, monitor, cancel, dry_run: context.dry_run }
    }

    /// Waits until every target is staged or has failed, or the rollout is cancelled.
    pub fn staged(&mut self) {
        self.wait_while(|state| state == WorkerState::Staging, true);
    }

    /// Checks that the agent of every staged target is still connected; lost ones have failed.
    pub fn check_alive(&mut self) {
        let staged = |worker: &Worker| worker.state == WorkerState::Staged;
        self.command(staged, WorkerState::Probed, WorkerCommand::Answer);
        self.wait_while(|state| state == WorkerState::Probed, true);
    }

    /// Publishes all staged targets, and waits until they have. This can't be cancelled. Those over
    /// SFTP come first, because they can be taken back; if one fails, the others are not published,
    /// unless they are to be.
    pub fn publish(&mut self, keep_going: bool) {
        let failed = self.failures().0;
        for over_sftp in [true, false] {
            let staged = |worker: &Worker| {
                worker.state == WorkerState::Staged && worker.over_sftp == over_sftp
            };
            self.command(staged, WorkerState::Publishing, WorkerCommand::Publish);
            self.wait_while(|state| state == WorkerState::Publishing, false);
            if self.failures().0 > failed && !keep_going {
                return;
            }
        }
    }

    /// Takes published targets over SFTP back, because others failed, and waits until they are.
    pub fn take_back(&mut self) {
        let live = |worker: &Worker| worker.state == WorkerState::Published && worker.over_sftp;
        self.command(live, WorkerState::TakingBack, WorkerCommand::TakeBack);
        self.wait_while(|state| state == WorkerState::TakingBack, false);
    }

    /// Ends all published targets, after pruning them if asked to, and waits until they have.
    pub fn end(&mut self, prune: bool) {
        let command = if prune { WorkerCommand::Prune } else { WorkerCommand::Finish };
        let live = |worker: &Worker| worker.state == WorkerState::Published;
        self.command(live, WorkerState::Ending, command);
        self.wait_while(|state| state == WorkerState::Ending, false);
    }

    /// Excludes all targets of hosts that have a failed one, and so those with the same directory.
    pub fn exclude_failed_hosts(&mut self) {
        let mut before = 0;
        while before != self.failed().count() {
            before = self.failed().count();
            let failed: Vec<usize> = self.failed().map(|worker| worker.target.host).collect();
            for at in 0..self.workers.len() {
                if failed.contains(&self.workers[at].target.host) {
                    self.exclude(at);
                }
            }
        }
    }

    fn exclude(&mut self, at: usize) {
        self.workers[at].commands = None;
        let monitor = Arc::clone(&self.monitor);
        self.each_follower(at, |worker, other| {
            let reason = "another target of its host failed".to_owned();
            let label = other.target.label.clone();
            worker.fail(&*monitor, PushError::FailedFor { label, reason }.into());
        });
    }

    fn failed(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| worker.outcome.error.is_some())
    }

    /// Whether any target has failed.
    pub fn has_failed(&self) -> bool {
        self.failed().next().is_some()
    }

    /// The number of failed targets, and of all.
    pub fn failures(&self) -> (usize, usize) {
        (self.failed().count(), self.workers.len())
    }

    /// Whether a target of the host has failed.
    pub fn has_failed_target(&self, host: usize) -> bool {
        self.failed().any(|worker| worker.target.host == host)
    }

    /// Whether any target is published and still connected.
    pub fn has_published(&self) -> bool {
        self.workers.iter().any(|worker| worker.state == WorkerState::Published)
    }

    /// The labels of the targets that do not serve this version, or may not.
    pub fn not_serving(&self, version: ServedVersion) -> impl Iterator<Item = &str> {
        let is_other = move |worker: &&Worker| {
            worker.outcome.served_version != version && !worker.outcome.is_skipped
        };
        self.workers.iter().filter(is_other).map(|worker| worker.target.label.as_str())
    }

    /// The targets where the new version is live.
    pub fn live(&self) -> impl Iterator<Item = &DeployTarget> {
        let live = self.workers.iter().filter(|worker| {
            worker.outcome.served_version == ServedVersion::New && worker.outcome.error.is_none()
        });
        live.map(|worker| &worker.target)
    }

    /// The asset set and the report of each target where the new version is live.
    pub fn reports(&self) -> impl Iterator<Item = (usize, &Report)> {
        let live = self.workers.iter().filter(|it| it.outcome.served_version == ServedVersion::New);
        live.filter_map(|worker| Some((worker.target.set, worker.outcome.report.as_ref()?)))
    }

    /// The error of a target that is live, if its web server does not answer with it.
    pub fn not_verified(&mut self, target: &DeployTarget, error: Option<TargetError>) {
        let mut workers = self.workers.iter_mut();
        if let Some(worker) = workers.find(|worker| worker.target.label == target.label) {
            worker.outcome.error = error;
        }
    }

    /// Whether any target can be published.
    pub fn has_staged(&self) -> bool {
        self.workers
            .iter()
            .any(|worker| worker.state == WorkerState::Staged && worker.commands.is_some())
    }

    /// The outcome of every target, once those over SFTP have removed what they staged: there, no
    /// agent does.
    pub fn outcomes(mut self) -> Vec<TargetOutcome> {
        self.workers.iter_mut().for_each(|worker| worker.commands = None);
        let deadline = Instant::now() + REMOVING;
        let is_staged = |worker: &Worker| worker.over_sftp && worker.state == WorkerState::Staged;
        while !self.dry_run && self.workers.iter().any(is_staged) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok((at, event)) = self.events.recv_timeout(left) else { break };
            self.note(at, event);
        }
        self.workers.into_iter().map(|worker| worker.outcome).collect()
    }

    /// Sends a command to some workers. A worker that can't receive it has failed: its
    /// thread has ended. Its last event is read now, because there may be no later wait.
    fn command(
        &mut self,
        to_whom: impl Fn(&Worker) -> bool,
        to: WorkerState,
        command: WorkerCommand,
    ) {
        let mut gone = Vec::new();
        for (at, worker) in self.workers.iter_mut().enumerate() {
            let is_meant = to_whom(worker);
            match &worker.commands {
                Some(commands) if is_meant => match commands.send(command) {
                    Ok(()) => worker.state = to,
                    Err(_) => gone.push(at),
                },
                _ => {}
            }
        }
        while let Ok((at, event)) = self.events.try_recv() {
            self.note(at, event);
        }
        for at in gone {
            if self.workers[at].state != WorkerState::Over {
                self.note(at, WorkerEvent::Failed(TargetError::Ended));
            }
        }
    }

    fn wait_while(&mut self, waits: impl Fn(WorkerState) -> bool, until_cancelled: bool) {
        while self.workers.iter().any(|worker| waits(worker.state)) {
            if until_cancelled && self.cancel.is_cancelled() {
                return;
            }
            // Every thread reports its end, so this loop ends.
            let Ok((at, events)) = self.events.recv() else { return };
            self.note(at, events);
        }
    }

    fn note(&mut self, at: usize, event: WorkerEvent) {
        let Some(worker) = self.workers.get(at) else { return };
        match event {
            // A regular end: it was reported before, or it was a dry run, or the channel of
            // commands is closed, or another worker goes on for it.
            WorkerEvent::Ended
                if matches!(worker.state, WorkerState::Over | WorkerState::Follows(_)) => {}
            // It counts as staged: others may still fail.
            WorkerEvent::Ended if self.dry_run && worker.state == WorkerState::Staged => {}
            WorkerEvent::Ended if worker.commands.is_none() => {
                self.workers[at].state = WorkerState::Over;
            }
            WorkerEvent::Ended => self.failed_at(at, TargetError::Ended),
            WorkerEvent::Failed(error) => self.failed_at(at, error),
            WorkerEvent::Follows(other) => self.follow(at, other),
            WorkerEvent::Cancelled => {}
            WorkerEvent::OverSftp => self.workers[at].over_sftp = true,
            WorkerEvent::Skipped => {
                self.workers[at].state = WorkerState::Over;
                self.workers[at].outcome.is_skipped = true;
            }
            WorkerEvent::TakenBack => self.serves(at, WorkerState::Over, ServedVersion::Old),
            WorkerEvent::Staged(report) => {
                self.workers[at].staged(&*self.monitor, *report);
                self.each_follower(at, Worker::staged_by_other);
            }
            WorkerEvent::StillThere => self.workers[at].state = WorkerState::Staged,
            WorkerEvent::Published => {
                self.serves(at, WorkerState::Published, ServedVersion::New);
                let target = self.workers[at].target.label.as_str();
                self.monitor.event(&Event::Published { target });
            }
            WorkerEvent::Done(report) => self.workers[at].done(&*self.monitor, *report),
        }
    }

    /// Notes which version a target serves, and those with the same directory.
    fn serves(&mut self, at: usize, state: WorkerState, version: ServedVersion) {
        self.workers[at].state = state;
        self.workers[at].outcome.served_version = version;
        self.each_follower(at, |worker, _| worker.outcome.served_version = version);
    }

    fn failed_at(&mut self, at: usize, error: TargetError) {
        self.workers[at].fail(&*self.monitor, error);
        let monitor = Arc::clone(&self.monitor);
        self.each_follower(at, |worker, other| worker.fail_with(&*monitor, other));
    }

    /// The directory of `at` is also that of `other`, which does the work for both.
    fn follow(&mut self, at: usize, other: usize) {
        let mut other = other;
        while let Some(WorkerState::Follows(next)) = self.workers.get(other).map(|it| it.state) {
            other = next;
        }
        let Some(same_as) = self.workers.get(other).map(|it| it.target.label.clone()) else {
            return self.failed_at(at, TargetError::Ended);
        };
        // Those that followed it follow the other one, too.
        self.each_follower(at, |worker, _| worker.state = WorkerState::Follows(other));
        let monitor = Arc::clone(&self.monitor);
        let target = self.workers[at].target.label.as_str();
        monitor.event(&Event::SameDirectory { target, same_as: &same_as });
        self.workers[at].state = WorkerState::Follows(other);
        self.workers[at].outcome.same_as = Some(same_as);
        self.each_follower(other, |worker, other| {
            worker.staged_by_other(other);
            worker.outcome.served_version = other.outcome.served_version;
            worker.fail_with(&*monitor, other);
        });
    }

    /// Changes all workers whose directory is that of the worker at `at`.
    fn each_follower(&mut self, at: usize, change: impl Fn(&mut Worker, &Worker)) {
        for follower in 0..self.workers.len() {
            if self.workers[follower].state == WorkerState::Follows(at)
                && let Ok([worker, other]) = self.workers.get_disjoint_mut([follower, at])
            {
                change(worker, other);
            }
        }
    }
}

impl Worker {
    fn staged(&mut self, monitor: &dyn Monitor, report: Report) {
        let target = self.target.label.as_str();
        monitor.event(&Event::Staged { target, report: &report });
        (self.state, self.outcome.report) = (WorkerState::Staged, Some(report));
    }

    /// Nothing was sent to it.
    fn staged_by_other(&mut self, other: &Worker) {
        let total = other.outcome.report.as_ref().map(|report| report.total);
        self.outcome.report = total.map(|total| Report { total, ..Report::default() });
    }

    fn done(&mut self, monitor: &dyn Monitor, report: Report) {
        let (paths, removed) = (report.pruned, report.removed);
        if paths > 0 {
            monitor.event(&Event::Pruned { target: &self.target.label, paths, removed });
        }
        (self.state, self.outcome.report) = (WorkerState::Over, Some(report));
    }

    fn fail(&mut self, monitor: &dyn Monitor, error: TargetError) {
        monitor.event(&Event::Failed { target: &self.target.label, reason: &error });
        // What says why publishing failed has put everything back, or says that it could not.
        let is_unknown = match self.state {
            WorkerState::Publishing => !error.is_taken_back(),
            state => state == WorkerState::TakingBack,
        };
        if is_unknown {
            self.outcome.served_version = ServedVersion::Unknown;
        }
        (self.state, self.outcome.error) = (WorkerState::Over, Some(error));
    }

    /// Fails if the worker has that does its work.
    fn fail_with(&mut self, monitor: &dyn Monitor, other: &Worker) {
        let Some(error) = &other.outcome.error else { return };
        let (label, reason) = (other.target.label.clone(), error.to_string());
        self.fail(monitor, PushError::FailedFor { label, reason }.into());
        self.outcome.served_version = other.outcome.served_version;
    }
}
