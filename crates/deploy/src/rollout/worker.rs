//! The thread of one target: it stages, publishes and prunes, and waits for a command before each
//! step.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use assetsync_ssh::{SshOptions, TransportError};
use assetsync_sync as sender;
use assetsync_sync::{ConnectOptions, PushError, PushGroup, Report, Staged};

use super::each::Semaphore;
use super::error::TargetError;
use super::event::{Event, Monitor};
use super::options::Engine;
use super::over_sftp;
use super::payload::{Payload, PayloadKind};
use super::target::DeployTarget;

/// Shared by the workers of an asset set.
pub(super) struct Work {
    pub payload: Payload,
    pub group: PushGroup,
}

/// Shared by all workers.
pub(super) struct FleetContext {
    pub engine: Engine,
    pub monitor: Arc<dyn Monitor>,
    pub timeout: Duration,
    pub dry_run: bool,
    pub permits: Semaphore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerCommand {
    /// Check that the agent is still connected.
    Answer,
    Publish,
    Prune,
    Finish,
    /// Put back what was published.
    TakeBack,
}

pub(super) enum WorkerEvent {
    Staged(Box<Report>),
    StillThere,
    /// It goes on over SFTP.
    OverSftp,
    /// There is nothing to do for it.
    Skipped,
    TakenBack,
    /// The directory is that of the worker at this position.
    Follows(usize),
    Published,
    Done(Box<Report>),
    Failed(TargetError),
    /// The thread has ended.
    Ended,
    Cancelled,
}

/// The next command for a worker.
enum NextCommand {
    Command(WorkerCommand),
    /// The pipeline has ended.
    Closed,
}

/// The address of a worker's events: its position, and the channel of all workers.
pub(super) struct EventSender {
    pub worker: usize,
    pub channel: Sender<(usize, WorkerEvent)>,
}

impl EventSender {
    fn send(&self, event: WorkerEvent) {
        // Without a receiver the rollout is over.
        let _ = self.channel.send((self.worker, event));
    }
}

/// Reports the end of a thread, even if that panics.
struct ReportEnd<'a>(&'a EventSender);

impl Drop for ReportEnd<'_> {
    fn drop(&mut self) {
        self.0.send(WorkerEvent::Ended);
    }
}

/// One target, its payload, and the channels of its thread.
pub(super) struct WorkerThread {
    pub context: Arc<FleetContext>,
    pub target: DeployTarget,
    pub work: Arc<Work>,
    pub commands: Receiver<WorkerCommand>,
    pub events: EventSender,
}

impl WorkerThread {
    /// Starts the thread. It ends with its connection at the latest; nothing waits for it.
    pub fn start(self) -> io::Result<()> {
        thread::Builder::new().spawn(move || self.run()).map(drop)
    }

    fn run(&self) {
        let _end = ReportEnd(&self.events);
        if let Err(error) = self.push() {
            self.events.send(WorkerEvent::Failed(error));
        }
    }

    fn push(&self) -> Result<(), TargetError> {
        let watch = PushEvents { target: &self.target.label, monitor: &*self.context.monitor };
        let sftp = self.target.sftp_options();
        let staged = match self.target.is_sftp() {
            true => self.stage_over_sftp(None, &sftp, &watch),
            false => match self.stage(&self.target.ssh, &watch) {
                Err(PushError::Transport(no_agent))
                    if self.target.falls_back_to_sftp(&no_agent) =>
                {
                    self.stage_over_sftp(Some(no_agent), &sftp, &watch)
                }
                staged => staged.map_err(TargetError::from),
            },
        };
        match staged {
            Ok(staged) => self.go_on(staged, &watch),
            Err(TargetError::Push(PushError::SameDirectory(other))) => {
                self.events.send(WorkerEvent::Follows(other));
                Ok(())
            }
            // Without a history there is nothing to prune.
            Err(error @ TargetError::NoHistory(_))
                if self.work.payload.kind == PayloadKind::Empty =>
            {
                watch.notice(&error.to_string());
                self.events.send(WorkerEvent::Skipped);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Stages, published later or not at all.
    fn stage<'a>(
        &'a self,
        ssh: &'a SshOptions,
        watch: &'a PushEvents<'a>,
    ) -> Result<Staged<'a>, PushError> {
        let context = &*self.context;
        let connection = ConnectOptions {
            ssh,
            group: Some(&self.work.group),
            run: Some((&self.work.group, self.events.worker)),
            dry_run: context.dry_run,
            ..self.target.connect_options(&context.engine, context.timeout)
        };
        let _permit = context.permits.take();
        let Payload { source, options, decide, .. } = &self.work.payload;
        sender::stage(&sender::PushContext {
            source,
            target: &self.target.destination,
            connection: &connection,
            options,
            decide: Some(&**decide),
            monitor: watch,
        })
    }

    /// Stages over SFTP, because of what keeps an agent from running, or because it is to be so.
    fn stage_over_sftp<'a>(
        &'a self,
        no_agent: Option<TransportError>,
        sftp: &'a SshOptions,
        watch: &'a PushEvents<'a>,
    ) -> Result<Staged<'a>, TargetError> {
        let Payload { kind, options, .. } = &self.work.payload;
        if *kind != PayloadKind::Built {
            return Err(TargetError::NoHistory(no_agent));
        }
        if options.whole_directory {
            return Err(TargetError::NoExchange(no_agent));
        }
        watch.notice(&over_sftp::notice(no_agent.as_ref()));
        self.events.send(WorkerEvent::OverSftp);
        let staged = self.stage(sftp, watch);
        staged.map_err(|error| without_sftp(no_agent, error.into()))
    }

    /// Waits until everything may be published, and ends as the pipeline says.
    fn go_on(&self, mut staged: Staged<'_>, watch: &PushEvents<'_>) -> Result<(), TargetError> {
        self.events.send(WorkerEvent::Staged(Box::new(staged.report().clone())));
        if self.context.dry_run || !self.may_publish(&mut staged)? {
            staged.abandon();
            return Ok(());
        }
        let mut live = staged.publish()?;
        self.events.send(WorkerEvent::Published);
        let command = match self.next_command(|| live.keep_alive())? {
            NextCommand::Command(command) => command,
            NextCommand::Closed => WorkerCommand::Finish,
        };
        if command == WorkerCommand::TakeBack {
            live.take_back()?;
            watch.notice("Another host failed, so what was published here is put back as it was");
            self.events.send(WorkerEvent::TakenBack);
            return Ok(());
        }
        let report = live.end(command == WorkerCommand::Prune)?;
        self.events.send(WorkerEvent::Done(Box::new(report)));
        Ok(())
    }

    /// Waits for the command to publish, and answers checks until then.
    fn may_publish(&self, staged: &mut Staged<'_>) -> Result<bool, TargetError> {
        loop {
            match self.next_command(|| staged.keep_alive())? {
                NextCommand::Command(WorkerCommand::Publish) => return Ok(true),
                NextCommand::Command(WorkerCommand::Answer) => {
                    staged.keep_alive()?;
                    self.events.send(WorkerEvent::StillThere);
                }
                _ => return Ok(false),
            }
        }
    }

    /// Waits for a command, and keeps the connection to the agent alive.
    fn next_command(
        &self,
        mut keep_alive: impl FnMut() -> Result<(), PushError>,
    ) -> Result<NextCommand, PushError> {
        let every = heartbeat_interval(self.context.timeout);
        loop {
            match self.commands.recv_timeout(every) {
                Ok(command) => return Ok(NextCommand::Command(command)),
                Err(RecvTimeoutError::Disconnected) => return Ok(NextCommand::Closed),
                Err(RecvTimeoutError::Timeout) => keep_alive()?,
            }
        }
    }
}

/// The interval of heartbeats to the agent.
fn heartbeat_interval(timeout: Duration) -> Duration {
    (timeout / 4).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// Forwards the events of the push to one target.
pub(super) struct PushEvents<'a> {
    pub target: &'a str,
    pub monitor: &'a dyn Monitor,
}

/// The error where SFTP does not work either: the first reason is the one to mend.
pub(super) fn without_sftp(no_agent: Option<TransportError>, error: TargetError) -> TargetError {
    match (no_agent, error) {
        (Some(no_agent), TargetError::Push(PushError::Transport(_))) => {
            PushError::Transport(no_agent).into()
        }
        (Some(no_agent), TargetError::Push(PushError::NoSftp(no_sftp))) => {
            let (no_agent, no_sftp) = (Box::new(no_agent), Box::new(no_sftp));
            PushError::NoAgentNorSftp { no_agent, no_sftp }.into()
        }
        (_, error) => error,
    }
}

impl PushEvents<'_> {
    fn notice(&self, text: &str) {
        sender::Monitor::event(self, sender::Event::Notice(text));
    }
}

impl sender::Monitor for PushEvents<'_> {
    fn event(&self, event: sender::Event<'_>) {
        self.monitor.event(&Event::Push { target: self.target, event });
    }
}
