//! The way to a destination: how it is reached, and how far it is.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use assetsync_transport::{
    Agents, AnswerTimes, Channel, Prompt, SshOptions, Target, bootstrap, connect,
};

use super::error::PushError;
use super::monitor::{Event, Monitor};
use super::sharing::Sharing;
use crate::recipe::Recipes;
use crate::store::Store;

/// A host that answers to TCP within this is near: on this machine, or in the same building.
const NEAR_BY_TCP: Duration = Duration::from_millis(3);

/// Unless it takes longer to answer to SSH: then the host is behind what answered to TCP. Processes may have to wait for
/// a processor for some of this time.
const NEAR_BY_SSH: Duration = Duration::from_millis(25);

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

/// How far a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// Bytes travel there in less time than it takes to find out which of them need not.
    Near,
    /// Bytes are what takes time; so it is taken to be wherever nothing is known.
    Far,
}

impl Distance {
    /// The ways that pay for files, of those that may be taken: `only` these, if any are given.
    pub fn recipes(self, only: Option<Recipes>) -> Recipes {
        only.unwrap_or(match self {
            Distance::Near => Recipes::NEAR,
            Distance::Far => Recipes::ALL,
        })
    }
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

fn is_near(answers: AnswerTimes) -> bool {
    answers.tcp < NEAR_BY_TCP && answers.ssh < NEAR_BY_SSH
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_what_answers_at_once_to_both() {
        let of = |tcp, ssh| {
            let [tcp, ssh] = [tcp, ssh].map(Duration::from_millis);
            is_near(AnswerTimes { tcp, ssh })
        };
        assert!(of(0, 0) && of(2, 24));
        assert!(!of(3, 3) && !of(0, 25), "a host behind a forwarded port answers to SSH late");
    }

    #[test]
    fn what_is_said_goes_before_what_pays() {
        assert_eq!(Distance::Near.recipes(Some(Recipes::ALL)), Recipes::ALL);
        assert!(!Distance::Near.recipes(None).patch && Distance::Far.recipes(None).patch);
    }
}
