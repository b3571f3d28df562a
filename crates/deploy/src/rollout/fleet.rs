//! Runs all targets in parallel, one thread each. A thread stages, publishes and prunes, and waits
//! for a command before each step; commands are sent when all threads have finished the previous
//! step.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::cancel::Cancel;
use super::error::TargetError;
use super::event::{Event, Monitor};
use super::outcome::{ServedVersion, TargetOutcome};
use super::target::DeployTarget;
use super::worker::{EventSender, FleetContext, Work, WorkerCommand, WorkerEvent, WorkerThread};

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
    Ending,
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
            Worker { target, commands: Some(commands), state: WorkerState::Staging, outcome }
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
        self.command(WorkerState::Staged, WorkerState::Probed, WorkerCommand::Answer);
        self.wait_while(|state| state == WorkerState::Probed, true);
    }

    /// Publishes all staged targets, and waits until they have. This can't be cancelled.
    pub fn publish(&mut self) {
        self.command(WorkerState::Staged, WorkerState::Publishing, WorkerCommand::Publish);
        self.wait_while(|state| state == WorkerState::Publishing, false);
    }

    /// Ends all published targets, after pruning them if asked to, and waits until they have.
    pub fn end(&mut self, prune: bool) {
        let command = if prune { WorkerCommand::Prune } else { WorkerCommand::Finish };
        self.command(WorkerState::Published, WorkerState::Ending, command);
        self.wait_while(|state| state == WorkerState::Ending, false);
    }

    /// Excludes all targets of hosts that have a failed one.
    pub fn exclude_failed_hosts(&mut self) {
        let failed: Vec<usize> = self.failed().map(|worker| worker.target.host).collect();
        for worker in &mut self.workers {
            if failed.contains(&worker.target.host) {
                worker.commands = None;
            }
        }
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

    /// Whether any target can be published.
    pub fn has_staged(&self) -> bool {
        self.workers
            .iter()
            .any(|worker| worker.state == WorkerState::Staged && worker.commands.is_some())
    }

    /// The outcome of every target.
    pub fn outcomes(self) -> Vec<TargetOutcome> {
        self.workers.into_iter().map(|worker| worker.outcome).collect()
    }

    /// Sends a command to all workers in a state. A worker that can't receive it has failed: its
    /// thread has ended. Its last event is read now, because there may be no later wait.
    fn command(&mut self, from: WorkerState, to: WorkerState, command: WorkerCommand) {
        let mut gone = Vec::new();
        for (at, worker) in self.workers.iter_mut().enumerate() {
            match &worker.commands {
                Some(commands) if worker.state == from => match commands.send(command) {
                    Ok(()) => worker.state = to,
                    Err(_) => gone.push(at),
                },
                _ => {}
            }
        }
        while let Ok((at, events)) = self.events.try_recv() {
            self.note(at, events);
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

    fn note(&mut self, at: usize, events: WorkerEvent) {
        let monitor = Arc::clone(&self.monitor);
        let Some(worker) = self.workers.get_mut(at) else { return };
        let target = worker.target.label.as_str();
        match events {
            WorkerEvent::Staged(report) => {
                worker.state = WorkerState::Staged;
                monitor.event(&Event::Staged { target, report: &report });
                worker.outcome.report = Some(*report);
            }
            WorkerEvent::StillThere => worker.state = WorkerState::Staged,
            WorkerEvent::Published => {
                (worker.state, worker.outcome.served_version) =
                    (WorkerState::Published, ServedVersion::New);
                monitor.event(&Event::Published { target });
            }
            WorkerEvent::Done(report) => {
                let (paths, removed) = (report.pruned, report.removed);
                if paths > 0 {
                    monitor.event(&Event::Pruned { target, paths, removed });
                }
                (worker.state, worker.outcome.report) = (WorkerState::Over, Some(*report));
            }
            WorkerEvent::Failed(error) => {
                monitor.event(&Event::Failed { target, reason: &error });
                // An agent that says what failed has put everything back, or says that it could
                // not.
                if worker.state == WorkerState::Publishing && !error.is_taken_back() {
                    worker.outcome.served_version = ServedVersion::Unknown;
                }
                (worker.state, worker.outcome.error) = (WorkerState::Over, Some(error));
            }
            // A regular end: it was reported before, or it was a dry run, or the channel of
            // commands is closed.
            WorkerEvent::Ended
                if worker.state == WorkerState::Over || worker.commands.is_none() => {}
            WorkerEvent::Ended if self.dry_run && worker.state == WorkerState::Staged => {}
            WorkerEvent::Ended => self.note(at, WorkerEvent::Failed(TargetError::Ended)),
            WorkerEvent::Cancelled => {}
        }
    }
}
