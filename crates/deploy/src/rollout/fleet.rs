//! All places at once: each has a thread of its own, which stages, waits for the word, publishes, waits, prunes. The word
//! comes from here, once all have got so far.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::cancel::Cancel;
use super::error::TargetError;
use super::event::{Event, Monitor};
use super::outcome::{ServedVersion, TargetOutcome};
use super::target::DeployTarget;
use super::worker::{EventSender, FleetContext, Work, WorkerCommand, WorkerEvent, WorkerThread};

/// The places of a rollout, each at some step.
pub(super) struct Fleet {
    workers: Vec<Worker>,
    events: Receiver<(usize, WorkerEvent)>,
    monitor: Arc<dyn Monitor>,
    cancel: Cancel,
    /// A place that is staged then ends.
    dry_run: bool,
}

struct Worker {
    target: DeployTarget,
    /// Dropping it ends what was not published.
    commands: Option<Sender<WorkerCommand>>,
    state: WorkerState,
    outcome: TargetOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkerState {
    Staging,
    Staged,
    /// It was asked whether it is still there.
    Probed,
    Publishing,
    Published,
    Ending,
    /// Well or not, see the outcome.
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

    /// Waits until every place is staged or has failed, or the rollout is cancelled.
    pub fn staged(&mut self) {
        self.wait_while(|state| state == WorkerState::Staging, true);
    }

    /// Has every staged place say whether its agent is still there, and takes note of those that were lost.
    pub fn check_alive(&mut self) {
        self.command(WorkerState::Staged, WorkerState::Probed, WorkerCommand::Answer);
        self.wait_while(|state| state == WorkerState::Probed, true);
    }

    /// Has all staged places publish, and waits until they have. Once begun it is not cancelled.
    pub fn publish(&mut self) {
        self.command(WorkerState::Staged, WorkerState::Publishing, WorkerCommand::Publish);
        self.wait_while(|state| state == WorkerState::Publishing, false);
    }

    /// Has all published places end, after pruning if that is wanted, and waits until they have.
    pub fn end(&mut self, prune: bool) {
        let command = if prune { WorkerCommand::Prune } else { WorkerCommand::Finish };
        self.command(WorkerState::Published, WorkerState::Ending, command);
        self.wait_while(|state| state == WorkerState::Ending, false);
    }

    /// Leaves out all places of hosts that have a failed one.
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

    /// Whether a place has failed.
    pub fn has_failed(&self) -> bool {
        self.failed().next().is_some()
    }

    /// How many places have failed, of how many.
    pub fn failures(&self) -> (usize, usize) {
        (self.failed().count(), self.workers.len())
    }

    /// Whether a place of the host has failed.
    pub fn has_failed_target(&self, host: usize) -> bool {
        self.failed().any(|worker| worker.target.host == host)
    }

    /// Whether any place is live and still connected.
    pub fn has_published(&self) -> bool {
        self.workers.iter().any(|worker| worker.state == WorkerState::Published)
    }

    /// Whether any place could be published.
    pub fn has_staged(&self) -> bool {
        self.workers
            .iter()
            .any(|worker| worker.state == WorkerState::Staged && worker.commands.is_some())
    }

    /// What has become of every place; what was only staged stays as it was.
    pub fn outcomes(self) -> Vec<TargetOutcome> {
        self.workers.into_iter().map(|worker| worker.outcome).collect()
    }

    /// Gives an order to all places at a step. A place that can't take it any more has failed: its thread has ended,
    /// and what it said last is heard now, for nobody may wait for it later.
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
            // Every thread says how it ends, so this can't go on for ever.
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
                if report.pruned > 0 {
                    monitor.event(&Event::Pruned {
                        target,
                        paths: report.pruned,
                        removed: report.removed,
                    });
                }
                (worker.state, worker.outcome.report) = (WorkerState::Over, Some(*report));
            }
            WorkerEvent::Failed(error) => {
                monitor.event(&Event::Failed { target, reason: &error });
                if worker.state == WorkerState::Publishing {
                    worker.outcome.served_version = ServedVersion::Unknown;
                }
                (worker.state, worker.outcome.error) = (WorkerState::Over, Some(error));
            }
            // Whoever ends in order has said so, or was told to: in a dry run, or because there are no orders any more.
            WorkerEvent::Ended
                if worker.state == WorkerState::Over || worker.commands.is_none() => {}
            WorkerEvent::Ended if self.dry_run && worker.state == WorkerState::Staged => {}
            WorkerEvent::Ended => self.note(at, WorkerEvent::Failed(TargetError::Ended)),
            WorkerEvent::Cancelled => {}
        }
    }
}
