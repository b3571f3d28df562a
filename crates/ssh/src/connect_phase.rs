//! The steps of starting a command on a host.

use std::fmt;

/// The number of attempts of a login, if the server is busy.
pub(crate) const LOGIN_ATTEMPTS: usize = 7;

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Opening the TCP connection.
    Tcp,
    /// Agreeing on session keys, and receiving the host's key.
    Handshake,
    /// Logging in the user.
    Login,
    /// Opening a channel for the command.
    Channel,
    /// Starting the agent.
    Agent,
    /// Waiting for the command to end, after it has closed its output.
    CommandHandle,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Tcp => "the TCP connection",
            Phase::Handshake => "the handshake",
            Phase::Login => "the login",
            Phase::Channel => "opening a channel",
            Phase::Agent => "starting the agent",
            Phase::CommandHandle => "the end of the command",
        })
    }
}
