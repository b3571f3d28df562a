//! The arguments of `assetsync bench`.

use std::ffi::OsString;
use std::path::PathBuf;

use assetsync_bench::{LinkSpec, Scenario};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, ValueHint};

/// What `assetsync bench` is told.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct BenchArguments {
    /// The older of two builds of the same assets
    #[arg(required_unless_present = "from_json", value_hint = ValueHint::DirPath)]
    pub old: Option<PathBuf>,
    /// The newer one
    #[arg(required_unless_present = "from_json", value_hint = ValueHint::DirPath)]
    pub new: Option<PathBuf>,
    /// Race to [user@]host:directory, which exists there, and not to an sshd on this machine
    #[arg(long, value_name = "DEST", value_hint = ValueHint::Other)]
    pub to: Option<OsString>,
    /// Log in with this private key and no other; may be repeated
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
    /// Make the way so long and narrow, as in 50ms,20mbit; 0 limits nothing; may be repeated
    #[arg(long, value_name = "RTT,RATE", action = ArgAction::Append, default_value = "0")]
    pub link: Vec<LinkSpec>,
    /// Run everyone so often in each scenario
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// Let this shell command race, too; {src}, {dest}, {ssh} and so on stand for its places
    #[arg(long, value_name = "COMMAND", action = ArgAction::Append, value_hint = ValueHint::CommandString)]
    pub against: Vec<String>,
    /// Race in this scenario only; may be repeated
    #[arg(long, value_name = "NAME", action = ArgAction::Append, value_parser = scenarios())]
    pub scenario: Vec<Scenario>,
    /// Print one JSON document instead of a table
    #[arg(long)]
    pub json: bool,
    /// Draw a chart into FILE
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub svg: Option<PathBuf>,
    /// Write a page into FILE
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub markdown: Option<PathBuf>,
    /// Race nothing; show what --json printed into FILE before; may be repeated
    #[arg(
        long,
        value_name = "FILE",
        action = ArgAction::Append,
        value_hint = ValueHint::FilePath,
        conflicts_with_all = ["old", "new", "to", "link", "runs", "against", "scenario", "json"],
    )]
    pub from_json: Vec<PathBuf>,
}

/// What `bench` does.
pub const ABOUT: &str = "\
Race against rsync with builds of your own

In every scenario of a deploy's life, from the first push to a rollback, each competitor brings the \
same directory up to date over SSH, in turn. What it left is compared with the source; a wrong tree \
is shown as wrong, not as fast. Measured alike for all: seconds, CPU here and there, TCP bytes, and \
the far side's peak memory.

Without --to a throw-away sshd is started on this machine. With --to everything happens in a new \
directory inside DEST, and nothing is left on that host; CPU and memory there can't be measured.";

/// Examples, and what commands of `--against` can name.
const EXAMPLES: &str = "\
In the command of --against stand
  {src}     the directory to push           {host}    the host
  {dest}    HOST:PATH of the destination    {path}    the directory there
  {ssh}     the ssh command to use          {config}  its configuration, for ssh -F
  {assetsync}  this program, as it is run in the race
None of them needs quotes. The command must make {path} equal to {src}.

Examples:
  On a link of 50 ms round trip and 20 Mbit/s each way, and on one without limits:
    assetsync bench --link 50ms,20mbit --link 0 old/public/assets public/assets

  Against your own server:
    assetsync bench --to deploy@web1:/srv/app/shared old/public/assets public/assets

  Against the rsync line of your own deploy:
    assetsync bench --against \"rsync -rlt --whole-file --delete -e '{ssh}' {src}/ {dest}/\" old new

  What a recipe contributes: the same without it:
    assetsync bench --scenario update old new --against \\
      \"{assetsync} push -q --delete -F {config} --recipes copy,rewrite,delta {src} {dest}\"

  One page and one picture of two races:
    assetsync bench --json old new > a.json
    assetsync bench --from-json a.json --from-json b.json --markdown race.md --svg race.svg";

fn scenarios() -> impl TypedValueParser<Value = Scenario> {
    PossibleValuesParser::new(Scenario::ALL.map(Scenario::name))
        .try_map(|name| Scenario::named(&name).ok_or("there is no such scenario"))
}
