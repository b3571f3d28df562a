//! The arguments that say how hosts are reached.

use std::path::PathBuf;

use assetsync_ssh::RunAs;
use clap::{Args, ValueEnum, ValueHint};

use super::rate::Rate;
use super::rsync_path::{self, RsyncPath};

/// How hosts are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct SshArguments {
    /// Log in with this private key only; may be repeated
    #[arg(short = 'i', long = "identity", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub identities: Vec<PathBuf>,
    /// The port of the SSH server
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Read FILE instead of ~/.ssh/config
    #[arg(short = 'F', long = "ssh-config", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config_file: Option<PathBuf>,
    /// Connect with CMD, as in rsync: -e "ssh -i KEY"
    #[arg(short = 'e', long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub rsh: Option<String>,
    /// Publish as USER, by sudo on the host [default USER: root]
    #[arg(
        long,
        value_name = "USER",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "root",
    )]
    pub sudo: Option<RunAs>,
    /// As in rsync with sudo: --rsync-path="sudo -u USER rsync" is --sudo=USER
    #[arg(
        long,
        value_name = "PROGRAM",
        value_parser = rsync_path::parse,
        conflicts_with = "sudo",
        hide = true,
    )]
    pub rsync_path: Option<RsyncPath>,
    /// Connect by IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Connect by IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// How to connect [default: ssh2, or openssh if the ssh configuration needs it]
    #[arg(long, value_name = "TRANSPORT")]
    pub transport: Option<TransportArgument>,
    /// Give up after S seconds without receiving a byte
    #[arg(
        long,
        value_name = "S",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=86_400),
    )]
    pub timeout: u32,
    /// Limit the bandwidth to RATE per second: in KiB, or with a suffix K, M or G, as in rsync
    #[arg(long, value_name = "RATE")]
    pub bwlimit: Option<Rate>,
}

/// The transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TransportArgument {
    /// Built-in SSH, configured by your ssh_config
    Ssh2,
    /// The ssh program
    Openssh,
    /// Whole files over SFTP, for hosts that can't run an agent
    Sftp,
}
