//! The arguments of `assetsync bench`.

use std::ffi::OsString;
use std::path::PathBuf;

use assetsync_bench::{LinkSpec, Scenario};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, ValueHint};

/// The arguments of `assetsync bench`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct BenchArguments {
    /// The older of two builds of the same assets
    #[arg(required_unless_present = "from_json", value_hint = ValueHint::DirPath)]
    pub old: Option<PathBuf>,
    /// The newer one
    #[arg(required_unless_present = "from_json", value_hint = ValueHint::DirPath)]
    pub new: Option<PathBuf>,
    /// Push to this existing directory, [user@]host:path, instead of an sshd on this machine
    #[arg(long, value_name = "DEST", value_hint = ValueHint::Other)]
    pub to: Option<OsString>,
    /// Log in with this private key only; may be repeated
    #[arg(
        short,
        long = "identity",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        requires = "to",
    )]
    pub identities: Vec<PathBuf>,
    /// The port of the SSH server
    #[arg(
        short,
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..),
        requires = "to",
    )]
    pub port: Option<u16>,
    /// Read FILE instead of ~/.ssh/config
    #[arg(
        short = 'F',
        long = "ssh-config",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        requires = "to",
    )]
    pub config_file: Option<PathBuf>,
    /// Simulate a link, e.g. 50ms,20mbit (0: unlimited); may be repeated
    #[arg(long, value_name = "RTT,RATE", action = ArgAction::Append, default_value = "0")]
    pub link: Vec<LinkSpec>,
    /// Runs per competitor and scenario
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// Add a competitor: a shell command with {src}, {dest}, {ssh} ...; may be repeated
    #[arg(long, value_name = "COMMAND", action = ArgAction::Append, value_hint = ValueHint::CommandString)]
    pub against: Vec<String>,
    /// Run only this competitor, by the name in the table; may be repeated
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub only: Vec<String>,
    /// Run only this scenario; may be repeated
    #[arg(long, value_name = "NAME", action = ArgAction::Append, value_parser = scenarios())]
    pub scenario: Vec<Scenario>,
    /// Print one JSON document instead of a table
    #[arg(long)]
    pub json: bool,
    /// Write a chart to FILE
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub svg: Option<PathBuf>,
    /// Write a Markdown page to FILE
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub markdown: Option<PathBuf>,
    /// Measure nothing; show results that --json printed earlier; may be repeated
    #[arg(
        long,
        value_name = "FILE",
        action = ArgAction::Append,
        value_hint = ValueHint::FilePath,
        conflicts_with_all = ["old", "new", "to", "link", "runs", "against", "only", "scenario", "json"],
    )]
    pub from_json: Vec<PathBuf>,
}

/// The description of `bench`.
pub const ABOUT: &str = "\
Measure assetsync against rsync, with your own builds

The scenarios are the pushes of an application's life, from the first push to a rollback. In each, \
the competitors take turns to update the same directory over SSH. Every result is compared with \
the source, and a wrong one is reported as an error. Measured for all: seconds, CPU time on both \
sides, TCP bytes, and peak memory on the target host.

Without --to, a temporary sshd is started on this machine. With --to, everything happens in a new \
directory inside DEST, which is deleted at the end; CPU time and memory of that host can't be \
measured.";

/// Examples, and the placeholders of `--against`.
const EXAMPLES: &str = "\
Placeholders in the command of --against:
  {src}     the directory to push           {host}    the host
  {dest}    HOST:PATH of the destination    {path}    the destination's path on the host
  {ssh}     the ssh command to use          {config}  its configuration, for ssh -F
  {assetsync}  the assetsync command
They need no quotes. The command must make {path} equal to {src}.

Examples:
  Over a link of 50 ms round trip and 20 Mbit/s each way, and over an unlimited one:
    assetsync bench --link 50ms,20mbit --link 0 old/public/assets public/assets

  Against your own server:
    assetsync bench --to deploy@web1:/srv/app/shared old/public/assets public/assets

  Against the rsync command of your own deploy:
    assetsync bench --against \"rsync -rlt --whole-file --delete -e '{ssh}' {src}/ {dest}/\" old new

  The contribution of one recipe: assetsync without it as a competitor:
    assetsync bench --scenario update old new --against \\
      \"{assetsync} push -q --delete -F {config} --recipes copy,rewrite,delta {src} {dest}\"

  One page and one chart of two results:
    assetsync bench --json old new > a.json
    assetsync bench --from-json a.json --from-json b.json --markdown race.md --svg race.svg";

fn scenarios() -> impl TypedValueParser<Value = Scenario> {
    PossibleValuesParser::new(Scenario::ALL.map(Scenario::name))
        .try_map(|name| Scenario::named(&name).ok_or("no such scenario"))
}
