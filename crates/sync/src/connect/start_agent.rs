//! The way to a destination.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use assetsync_ssh::bootstrap::Started;
use assetsync_ssh::{Agents, Prompt, SshOptions, Target, TransportError, bootstrap, connect};

use super::link_speed::{LinkSpeed, is_fast};
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::share::push_group::PushGroup;
use crate::store::Store;

/// How to reach a destination and what to expect of it.
#[derive(Clone)]
pub struct ConnectOptions<'a> {
    /// Agent builds at hand.
    pub agents: &'a Agents,
    /// How hosts are reached.
    pub ssh: &'a SshOptions,
    /// Who is asked for passphrases.
    pub prompt: &'a (dyn Prompt + Sync),
    /// After so long without a byte the push is given up.
    pub timeout: Duration,
    /// Most bytes a second to send.
    pub bytes_per_second: Option<u64>,
    /// Only look; create and change nothing.
    pub dry_run: bool,
    /// Let the agent read every file, whatever its index says.
    pub checksum: bool,
    /// Where contents and states of destinations are remembered.
    pub store: Option<&'a Store>,
    /// Pushes of the same source to other destinations, with which work is shared.
    pub group: Option<&'a PushGroup>,
}

/// A destination that was reached, and the agent that was started there.
pub struct StartedAgent {
    /// The agent.
    pub agent: Started,
    /// How far it is.
    pub link_speed: LinkSpeed,
    /// When it began to be reached.
    pub since: Instant,
}

impl StartedAgent {
    /// Reaches `target` and starts its agent, which is sent `line` first.
    pub fn start_agent(
        target: &Target,
        connection: &ConnectOptions<'_>,
        line: &[u8],
        monitor: &dyn Monitor,
    ) -> Result<StartedAgent, PushError> {
        let (since, nonce) = (Instant::now(), nonce()?);
        let start = |channel, link_speed| {
            let agents = match link_speed {
                LinkSpeed::Fast => &connection.agents.plain(),
                LinkSpeed::Slow => connection.agents,
            };
            let agent = bootstrap::start(channel, &nonce, agents, line, connection.timeout)?;
            Ok(StartedAgent { agent, link_speed, since })
        };
        let reached = match target {
            Target::Local(_) => {
                start(bootstrap::local(&nonce, connection.agents)?, connection.link_speed(true))
            }
            Target::Remote(remote) => {
                let command = bootstrap::command(&nonce, connection.agents);
                connect(remote, connection.ssh, connection.prompt, &command, |connected| {
                    monitor.event(Event::Connected { how: &connected.how });
                    let is_fast = connected.response_times.is_some_and(is_fast);
                    start(connected.channel, connection.link_speed(is_fast))
                })
            }
        };
        reached.map_err(|error: TransportError| error.into())
    }
}

impl ConnectOptions<'_> {
    /// However near a host is, bytes count where they are held back, and where several destinations share the work of
    /// finding out which of them need not travel.
    fn link_speed(&self, is_fast: bool) -> LinkSpeed {
        let several = self.group.is_some_and(PushGroup::has_several);
        let bytes_count = several || self.bytes_per_second.is_some();
        if is_fast && !bytes_count { LinkSpeed::Fast } else { LinkSpeed::Slow }
    }
}

/// A local path is made absolute: an agent starts wherever it is put.
pub fn destination_bytes(target: &Target) -> Result<Vec<u8>, PushError> {
    match target {
        Target::Local(path) => {
            let path = std::path::absolute(path).map_err(PushError::Io)?;
            Ok(path.as_os_str().as_bytes().to_vec())
        }
        Target::Remote(remote) => Ok(remote.path.as_bytes().to_vec()),
    }
}

/// 32 hexadecimal digits nobody can have printed before.
pub(crate) fn nonce() -> Result<String, PushError> {
    use std::io::Read;
    let mut random = [0; 16];
    let read =
        std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random));
    read.map_err(PushError::Io)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
