//! Connects to a destination and starts its agent.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use assetsync_ssh::bootstrap::Started;
use assetsync_ssh::{Agents, Prompt, SshOptions, Target, TransportError, bootstrap, connect};

use super::nonce::nonce;
use crate::cost::line::{Line, PastLine};
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::share::push_group::PushGroup;
use crate::share::run_members::Membership;
use crate::store::Store;

/// How to connect to a destination and talk to its agent.
#[derive(Clone)]
pub struct ConnectOptions<'a> {
    /// The available agents.
    pub agents: &'a Agents,
    /// SSH settings.
    pub ssh: &'a SshOptions,
    /// Asks for passphrases.
    pub prompt: &'a (dyn Prompt + Sync),
    /// Give up after this long without a byte.
    pub timeout: Duration,
    /// Limit of bytes sent per second.
    pub bytes_per_second: Option<u64>,
    /// Plan only; create and change nothing.
    pub dry_run: bool,
    /// Let the agent read every file, even if its index has the digest.
    pub checksum: bool,
    /// The cache of contents and states of destinations.
    pub store: Option<&'a Store>,
    /// Pushes of the same source to other destinations, which share work.
    pub group: Option<&'a PushGroup>,
    /// The run that the push is one of several of, and the position of its destination there. If
    /// that is the same directory as another one's, only one of them does the work.
    pub run: Option<(&'a PushGroup, usize)>,
}

/// What is known of a line before the destination is reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct KnownLine {
    /// What an earlier push found out.
    pub past: Option<PastLine>,
    /// Whether fewer bytes are better than less time.
    pub is_metered: bool,
}

/// A started agent.
pub struct StartedAgent {
    /// The agent.
    pub agent: Started,
    /// The line to it, as far as it is known.
    pub line: Line,
    /// How soon the host answered to SSH, if that was measured.
    pub ssh_response: Option<Duration>,
    /// When connecting began.
    pub since: Instant,
    /// Whether a program made the connection, whose standard error is for the user: `ssh` warns
    /// there of host keys.
    pub shows_stderr: bool,
}

impl StartedAgent {
    /// Connects to `target` and starts its agent, which is sent `hello` first.
    pub fn start_agent(
        target: &Target,
        connection: &ConnectOptions<'_>,
        known: KnownLine,
        hello: &[u8],
        monitor: &dyn Monitor,
    ) -> Result<StartedAgent, PushError> {
        let (since, nonce) = (Instant::now(), nonce()?);
        let start = |channel, line: Line| {
            let agents = match line.is_quick() {
                true => &connection.agents.plain(),
                false => connection.agents,
            };
            let agent = bootstrap::start(channel, &nonce, agents, hello, connection.timeout)?;
            Ok(StartedAgent { agent, line, ssh_response: None, since, shows_stderr: false })
        };
        let reached = match target {
            Target::Local(_) => {
                let line = connection.line(Line::LOCAL, known.is_metered);
                start(bootstrap::local(&nonce, connection.agents)?, line)
            }
            Target::Remote(remote) => {
                let run_as = connection.ssh.run_as.as_ref();
                let command = bootstrap::command(&nonce, hello, connection.agents, run_as);
                connect(remote, connection.ssh, connection.prompt, &command, |connected| {
                    monitor.event(Event::Connected { how: &connected.how });
                    let is_program = connected.response_times.is_none();
                    let line = Line::to_known_host(connected.response_times, known.past);
                    let line = connection.line(line, known.is_metered);
                    let mut started = start(connected.channel, line)?;
                    started.shows_stderr = is_program;
                    started.ssh_response = connected.response_times.map(|times| times.ssh);
                    Ok(started)
                })
                .map_err(|error| error.with_run_as(run_as))
            }
        };
        reached.map_err(|error: TransportError| error.into())
    }
}

impl<'a> ConnectOptions<'a> {
    /// Joins the run. A dry run locks nothing, so it finds nothing out.
    pub(crate) fn join(&self) -> Result<Option<Membership<'a>>, PushError> {
        let run = self.run.filter(|(group, _)| group.has_several() && !self.dry_run);
        run.map(|(group, position)| group.members.join(position)).transpose()
    }

    /// The line, if `found` is what is known of it. Where the rate is limited, or bytes decide
    /// anyhow, it is metered. Several destinations share the work of finding out what need not be
    /// sent, so that nothing is assumed of one of them.
    pub(crate) fn line(&self, found: Line, is_metered: bool) -> Line {
        let several = self.group.is_some_and(PushGroup::has_several);
        let found = if several { Line::UNKNOWN } else { found };
        match self.bytes_per_second.is_some() || is_metered {
            true => found.metered(self.bytes_per_second),
            false => found,
        }
    }
}

/// The destination's path as bytes. A local path is made absolute, because an agent starts in any
/// directory.
pub fn destination_bytes(target: &Target) -> Result<Vec<u8>, PushError> {
    match target {
        Target::Local(path) => {
            let path = std::path::absolute(path).map_err(PushError::Io)?;
            Ok(path.as_os_str().as_bytes().to_vec())
        }
        Target::Remote(remote) => Ok(remote.path.as_bytes().to_vec()),
    }
}
