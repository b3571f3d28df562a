//! The conversation with an agent, one method for each step of a push.

use std::time::{Duration, Instant};

use assetsync_core::index::ActionIndex;
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, FileAction, Plan};
use assetsync_core::protocol::{AgentStatistics, Deploy, Hello, RunMember, ToAgent, ToSender};
use assetsync_core::recipe::{Basis, Recipe};
use assetsync_core::state::{Partial, StateId};
use assetsync_ssh::{Target, bootstrap};

use super::deploy_requests::DeployRequests;
use super::progress_sink::ProgressSink;
use super::send_shared::send_shared;
use super::wire::Wire;
use crate::connect::start_agent::{ConnectOptions, KnownLine, StartedAgent, destination_bytes};
use crate::cost::line::{Line, PastLine};
use crate::encode::inputs::EncodeInputs;
use crate::encode::job::EncodeJob;
use crate::encode::sink::MessageSink;
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::push::report::Report;
use crate::scan::source::Source;
use crate::share::push_group::PushGroup;
use crate::share::run_members::{Membership, Role};

/// A conversation with a started agent.
pub struct Session<'a> {
    pub(super) wire: Wire,
    pub(super) monitor: &'a dyn Monitor,
    statistics: AgentStatistics,
    partials: Vec<Partial>,
    pub(super) renames_sent: bool,
    line: Line,
    /// How soon the host answered to SSH, if that was measured.
    ssh_response: Option<Duration>,
    is_deploy: bool,
    /// How many encodings began with this destination.
    encodings: u32,
    /// When connecting began.
    since: Instant,
    installed: Option<bootstrap::Installed>,
    /// How many lines of standard error were shown, where they are for the user.
    shown_stderr: Option<usize>,
    /// Other pushes of the same source, which share encodings.
    group: Option<&'a PushGroup>,
    /// The position of the destination of the run whose push had the lock before.
    locked_before: Option<usize>,
}

/// The values of the first message to the agent.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// The id of the cached state.
    pub cached: Option<StateId>,
    /// Whether the destination is published as a whole.
    pub whole_directory: bool,
    /// Whether anything may be deleted.
    pub deletes: bool,
    /// Permission bits of the destination, if it has to be made.
    pub root_mode: u32,
    /// The deploy that the push is part of.
    pub deploy: Option<Deploy>,
    /// The push, if the run has others.
    pub member: Option<RunMember>,
    /// Who pushes.
    pub who: String,
    /// The names of the files, if single files are pushed.
    pub files: Vec<RelPath>,
    /// What is known of the line.
    pub line: KnownLine,
}

impl SessionOptions {
    fn hello(self, target: &Target, connection: &ConnectOptions<'_>) -> Result<Hello, PushError> {
        Ok(Hello {
            destination: destination_bytes(target)?,
            dry_run: connection.dry_run,
            checksum: connection.checksum,
            timeout_ms: connection.timeout.as_millis().try_into().unwrap_or(u32::MAX),
            cached: self.cached,
            whole_directory: self.whole_directory,
            deletes: self.deletes,
            root_mode: self.root_mode,
            who: shortened(self.who),
            deploy: self.deploy,
            member: self.member,
            files: self.files,
        })
    }
}

/// What fits of a description.
fn shortened(who: String) -> Vec<u8> {
    let mut who = who.into_bytes();
    who.truncate(limits::WHO_BYTES);
    who
}

impl<'a> Session<'a> {
    /// Connects to the destination and starts its agent.
    pub fn connect(
        target: &Target,
        connection: &ConnectOptions<'a>,
        opening: SessionOptions,
        monitor: &'a dyn Monitor,
    ) -> Result<Session<'a>, PushError> {
        // Files may go to other names in the same directory.
        let membership = if opening.files.is_empty() { connection.join()? } else { None };
        let member = membership.as_ref().map(Membership::member);
        let opening = SessionOptions { member, ..opening };
        let (is_deploy, known) = (opening.deploy.is_some(), opening.line);
        let hello = opening.hello(target, connection)?.line();
        if hello.len() > limits::HELLO_LINE_BYTES {
            return Err(PushError::TooManyFiles);
        }
        let patience = connection.timeout;
        let StartedAgent { agent, line, ssh_response, since, shows_stderr } =
            StartedAgent::start_agent(target, connection, known, &hello, monitor)?;
        if !agent.noise.is_empty() {
            monitor.event(Event::Noise(&agent.noise));
        }
        let installed = agent.installed.clone();
        if let Some(installed) = &installed {
            monitor.event(Event::AgentInstalled(installed));
        }
        let wire = Wire::new(agent, hello.len(), patience, connection.bytes_per_second)?;
        let mut session = Session {
            wire,
            monitor,
            shown_stderr: shows_stderr.then_some(0),
            statistics: AgentStatistics::default(),
            partials: Vec::new(),
            renames_sent: false,
            line,
            ssh_response,
            is_deploy,
            encodings: 0,
            since,
            installed,
            group: connection.group,
            locked_before: None,
        };
        session.show_stderr();
        if let Some(membership) = membership {
            session.settle(membership)?;
        }
        Ok(session)
    }

    /// Shows what the program that made the connection has printed since the last time.
    pub(crate) fn show_stderr(&mut self) {
        let Some(shown) = &mut self.shown_stderr else { return };
        let printed = self.wire.stderr_so_far();
        for line in printed.lines().skip(std::mem::replace(shown, printed.lines().count())) {
            if !line.trim().is_empty() {
                self.monitor.event(Event::Notice(&format!("on standard error: {line}")));
            }
        }
    }

    /// Receives whether the agent got the lock. If the directory is also that of another push of
    /// the run, which does the work, this one ends.
    fn settle(&mut self, membership: Membership<'_>) -> Result<(), PushError> {
        let report = match self.wire.receive()? {
            ToSender::Lock(report) => report,
            other => return Err(PushError::unexpected(&other)),
        };
        match membership.settle(report, || self.wire.keep_alive())? {
            Role::Follows(position) => Err(PushError::SameDirectory(position)),
            Role::Works(before) => {
                self.locked_before = before;
                Ok(())
            }
        }
    }

    /// The line to the destination, as far as it was known when it was reached.
    pub fn line(&self) -> Line {
        self.line
    }

    /// The line to the destination, as far as it is known now.
    pub fn current_line(&self) -> Line {
        self.line.updated(self.line_rate())
    }

    fn show_line(&self, line: Line) {
        let (bytes_per_second, why) = (line.bytes_per_second(), line.why());
        self.monitor.event(Event::Line { bytes_per_second, why: &why });
    }

    /// Bytes per second of the line, if they were measured.
    fn line_rate(&self) -> Option<u64> {
        self.wire.carried(self.line.bytes_per_second())
    }

    /// What later pushes shall know about the line, if anything is known.
    pub fn past_line(&self) -> Option<PastLine> {
        let rate = self.line.remembered_rate(self.line_rate())?;
        Some(PastLine { rate, ssh_response: self.ssh_response })
    }

    /// Receives the next message.
    pub(crate) fn receive(&mut self) -> Result<ToSender<'_>, PushError> {
        self.wire.receive()
    }

    /// Give up after this long without a byte.
    pub(super) fn timeout(&self) -> Duration {
        self.wire.timeout()
    }

    /// Whether the push is part of a deploy.
    pub(crate) fn is_deploy(&self) -> bool {
        self.is_deploy
    }

    /// Receives events.
    pub(crate) fn monitor(&self) -> &'a dyn Monitor {
        self.monitor
    }

    /// Records the results of the survey that later steps need.
    pub(crate) fn set_survey(&mut self, statistics: AgentStatistics, partials: &[Partial]) {
        self.statistics = statistics;
        self.partials = partials.to_vec();
    }

    /// Whether the agent has anything to do.
    pub fn has_work(&self, plan: &Plan, requests: &DeployRequests) -> bool {
        !plan.actions.is_empty() || self.statistics.index_is_stale || !requests.is_empty()
    }

    /// Sends the plan, its content and the requests of a deploy. With `publish`, the agent
    /// publishes as soon as everything is staged.
    pub fn send(
        &mut self,
        plan: &Plan,
        inputs: &EncodeInputs<'_>,
        requests: &DeployRequests,
        publish: bool,
    ) -> Result<(), PushError> {
        let partials = std::mem::take(&mut self.partials);
        self.check_room(plan, &partials, requests.bytes)?;
        let sends_renames = !std::mem::replace(&mut self.renames_sent, true);
        let work = EncodeJob::new(plan, inputs, sends_renames, self.line);
        self.show_line(self.line);
        self.monitor.event(Event::Planned { files: work.files(), bytes: work.bytes() });
        let (begun, blocked) = (Instant::now(), self.wire.blocked());
        self.send_work(&work)?;
        self.send_requests(requests)?;
        self.wire.send(&ToAgent::ContentEnd { publish })?;
        self.wire.flush()?;
        let waiting = self.wire.blocked() - blocked;
        let working = begun.elapsed().saturating_sub(waiting);
        self.monitor.event(Event::SendTimes { working, waiting });
        let line = self.current_line();
        if line != self.line {
            self.show_line(line);
        }
        self.monitor.event(Event::Sent);
        Ok(())
    }

    /// Sends the requests of a deploy. They follow all content that may be shared with other
    /// destinations.
    fn send_requests(&mut self, requests: &DeployRequests) -> Result<(), PushError> {
        for &(known, digest) in &requests.to_retain {
            self.wire.send(&ToAgent::Retain { known, digest })?;
        }
        for &retained_contents in &requests.retained_to_drop {
            self.wire.send(&ToAgent::DropRetained { retained_contents })?;
        }
        let Some(edit) = &requests.history else { return Ok(()) };
        self.wire.send(&ToAgent::History { keep: edit.keep })?;
        let mut pieces = edit.append.chunks(limits::LITERAL_BYTES);
        pieces.try_for_each(|piece| self.wire.send(&ToAgent::HistoryChunk(piece)))
    }

    /// Sends the encoded plan and content, which destinations in the same state share.
    fn send_work(&mut self, work: &EncodeJob<'_>) -> Result<(), PushError> {
        self.wire.begin_measuring();
        let encoded = match self.group {
            Some(group) => send_shared(group, work, &mut self.wire, self.monitor)?,
            None => {
                let mut sink = ProgressSink::new(&mut self.wire, self.monitor, work);
                work.encode(&mut sink)?;
                true
            }
        };
        self.encodings += u32::from(encoded);
        Ok(())
    }

    /// Waits until everything is staged and verified. Sends failed files again, and returns their
    /// number.
    pub fn wait_staged(
        &mut self,
        plan: &Plan,
        source: &Source,
        publish: bool,
    ) -> Result<u64, PushError> {
        let failed = self.staged(plan)?;
        if !failed.is_empty() {
            self.retry(&failed, plan, source, publish)?;
        }
        self.monitor.event(Event::Verified);
        Ok(failed.len() as u64)
    }

    /// Receives which files the agent could not stage, as positions in the plan.
    pub(super) fn staged(&mut self, plan: &Plan) -> Result<Vec<ActionIndex>, PushError> {
        let mut failed = Vec::new();
        loop {
            let (monitor, sent) = (self.monitor, self.wire.sent());
            let mut arrived = |acknowledged| monitor.event(Event::Arrived { acknowledged, sent });
            match self.wire.receive_while(&mut arrived)? {
                ToSender::Failed { action } if action.of(&plan.actions).is_none() => {
                    return Err(PushError::Protocol("failure of no file".into()));
                }
                ToSender::Failed { action } => failed.push(action),
                ToSender::StagedEnd => return Ok(failed),
                other => return Err(PushError::unexpected(&other)),
            }
            if failed.len() > plan.actions.len() {
                return Err(PushError::Protocol("too many failures".into()));
            }
        }
    }

    /// Lets the agent publish what is staged.
    pub fn publish(&mut self) -> Result<(), PushError> {
        self.wire.send(&ToAgent::Publish)?;
        self.wire.flush()
    }

    /// Lets the agent prune.
    pub fn prune(&mut self) -> Result<(), PushError> {
        self.wire.send(&ToAgent::Prune)?;
        self.wire.flush()
    }

    /// Sends a heartbeat if it is due, and checks that the agent is still there.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        self.wire.keep_alive()?;
        self.wire.poll_peer()
    }

    /// Waits until publishing or pruning has ended.
    pub fn published(&mut self) -> Result<(), PushError> {
        loop {
            match self.wire.receive()? {
                ToSender::Notice(text) => {
                    self.monitor.event(Event::Notice(&assetsync_core::text::line(text)));
                }
                ToSender::Published(statistics) => {
                    self.statistics = statistics;
                    self.show_stderr();
                    return Ok(());
                }
                other => return Err(PushError::unexpected(&other)),
            }
        }
    }

    /// The id that the agent gives the current state of the destination, if it knows it.
    pub fn state(&self) -> Option<StateId> {
        self.statistics.state
    }

    /// Ends the conversation without further work.
    pub fn quit(&mut self) -> Result<(), PushError> {
        self.wire.send(&ToAgent::Quit)?;
        self.wire.flush()
    }

    /// Ends the conversation and waits for the agent to exit, so that the destination is unlocked.
    pub fn end(&mut self) -> Result<(), PushError> {
        self.quit()?;
        self.wire.wait_end()
    }

    /// Writes the measurements of the conversation into the report.
    pub fn measure(&self, report: &mut Report) {
        report.bytes_sent = self.wire.sent();
        report.encodings = self.encodings;
        report.bytes_received = self.wire.received;
        report.round_trips = self.wire.round_trips;
        report.elapsed = self.since.elapsed();
        report.agent_peak_rss_bytes = self.statistics.peak_rss_bytes;
        report.agent_files_read = self.statistics.files_read;
        report.agent_installed.clone_from(&self.installed);
        report.same_as = self.locked_before.filter(|_| report.plan.actions.is_empty());
    }

    /// Checks the free space. Old and new files exist at the same time until the deletes at the
    /// end.
    fn check_room(
        &self,
        plan: &Plan,
        partials: &[Partial],
        set_aside_bytes: u64,
    ) -> Result<(), PushError> {
        let files = plan.actions.iter().filter_map(Action::file);
        let needed = files.map(FileAction::staged_bytes).sum::<u64>() + set_aside_bytes;
        // Partials that the plan does not use are removed before anything is staged.
        let unused = unused_bytes(plan, partials);
        let free = self.statistics.free_bytes.map(|free| free.saturating_add(unused));
        match free.filter(|free| needed > *free) {
            Some(free) => Err(PushError::NoRoom { needed, free }),
            None => Ok(()),
        }
    }
}

/// Bytes of the partials that a plan does not use.
fn unused_bytes(plan: &Plan, partials: &[Partial]) -> u64 {
    let all: u64 = partials.iter().map(|partial| partial.size).sum();
    let files = plan.actions.iter().filter_map(Action::file);
    let used = files.filter_map(|file| match file.recipe {
        Recipe::Copy { from: Basis::Partial(position) } => position.of(partials),
        _ => None,
    });
    all.saturating_sub(used.map(|partial| partial.size).sum())
}
