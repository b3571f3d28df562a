//! The steps on the way to a started command.

use std::fmt;

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// TCP's connection is made.
    Tcp,
    /// Both sides agree on keys, and the host shows its own.
    Handshake,
    /// The user is logged in.
    Login,
    /// A channel for the command is opened.
    Channel,
    /// The agent is started.
    Agent,
    /// The command has closed its output and is to end.
    End,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Tcp => "the TCP connection",
            Phase::Handshake => "the handshake",
            Phase::Login => "the login",
            Phase::Channel => "opening a channel",
            Phase::Agent => "starting the agent",
            Phase::End => "the end of the command",
        })
    }
}
