//! The way to a destination.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use assetsync_transport::{Agents, Channel, Prompt, SshOptions, Target, bootstrap, connect};

use super::distance::{Distance, is_near};
use super::error::PushError;
use super::monitor::{Event, Monitor};
use super::sharing::Sharing;
use crate::store::Store;

/// How to reach a destination and what to expect of it.
#[derive(Clone)]
pub struct Connection<'a> {
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
    pub sharing: Option<&'a Sharing>,
}

/// A destination that was reached, and where the agent is being started.
pub struct Reached {
    /// The channel to it.
    pub channel: Channel,
    /// What the agent is to name itself by.
    pub nonce: String,
    /// How far it is.
    pub distance: Distance,
    /// When it began to be reached.
    pub since: Instant,
}

impl Reached {
    /// Reaches `target`.
    pub fn reach(
        target: &Target,
        connection: &Connection<'_>,
        monitor: &dyn Monitor,
    ) -> Result<Reached, PushError> {
        let (since, nonce) = (Instant::now(), nonce()?);
        let (channel, is_near) = match target {
            Target::Local(_) => (bootstrap::local(&nonce, connection.agents)?, true),
            Target::Remote(remote) => {
                let command = bootstrap::command(&nonce, connection.agents);
                let connected = connect(remote, connection.ssh, connection.prompt, &command)?;
                monitor.event(Event::Connected { how: &connected.how });
                (connected.channel, connected.answers.is_some_and(is_near))
            }
        };
        let several = connection.sharing.is_some_and(Sharing::is_among_several);
        // However near a host is, bytes count where they are held back, and where several destinations share the work of
        // finding out which of them need not travel.
        let bytes_count = several || connection.bytes_per_second.is_some();
        let distance = if is_near && !bytes_count { Distance::Near } else { Distance::Far };
        Ok(Reached { channel, nonce, distance, since })
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
