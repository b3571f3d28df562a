//! A deployment: all settings of a stage, checked and complete.

mod assets;
#[cfg(feature = "buckets")]
mod buckets;
#[cfg(not(feature = "buckets"))]
#[path = "deployment/no_buckets.rs"]
mod buckets;
mod build;
mod hosts;
mod verification;

pub(super) use build::environment;

use std::path::PathBuf;
use std::time::Duration;

use assetsync_ssh::RunAs;
use assetsync_verify::Site;

pub use super::bucket::Bucket;
pub use super::value::Hook;
use crate::command::{Bundler, Environment, Manager, Pumactl, Systemd};

/// A stage's deployment, checked: every directory is set, every role has hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The stage's name: letters, digits, `-` and `_`.
    pub stage: String,
    /// The application's name, one word.
    pub application: String,
    /// The hosts, none twice; at least one if there are no buckets.
    pub hosts: Vec<Host>,
    /// The buckets, which get assets together with the hosts.
    pub buckets: Vec<Bucket>,
    /// The build on this machine.
    pub build: Build,
    /// The sets of assets, at least one; no destination is inside another one.
    pub assets: Vec<AssetSet>,
    /// The hooks.
    pub hooks: Hooks,
    /// The restart of the application.
    pub restart: Restart,
    /// What happens if visitors do not get what was published.
    pub on_unverified: OnFailure,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// With how many hosts there is a connection at one time, from 1 to 1000.
    pub max_parallel: usize,
}

/// A host and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A name, an alias of ssh's configuration, or an address; an IPv6 address has no brackets.
    pub address: String,
    /// Its roles, at least one.
    pub roles: Vec<String>,
    /// How to connect to it.
    pub ssh: Ssh,
    /// The application's directory; like the others absolute, or below the login directory.
    pub deploy_to: String,
    /// The directory that releases share; assets are below it.
    pub shared_path: String,
    /// The release that is served; commands run there.
    pub current_path: String,
    /// The environment of commands.
    pub environment: Environment,
    /// Through what programs of Ruby are run.
    pub manager: Manager,
    /// The programs that run by `bundle exec`.
    pub bundler: Bundler,
    /// The settings of puma, for [`RestartHow::Pumactl`].
    pub puma: Pumactl,
    /// The unit, for [`RestartHow::Systemd`].
    pub systemd: Systemd,
    /// Where visitors find the host's files, if that is checked.
    pub web: Option<Web>,
}

/// The web server of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// The site's URL.
    pub site: Site,
    /// What is connected to, with a port if it is not the URL's; if none, the host itself.
    pub address: Option<String>,
}

/// How to connect to a host. Options that are not set are those of the user's `ssh`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ssh {
    /// The user to log in as.
    pub user: Option<String>,
    /// The port, from 1.
    pub port: Option<u16>,
    /// Private keys to use and no others.
    pub identities: Vec<PathBuf>,
    /// The file to read instead of `~/.ssh/config`.
    pub config: Option<PathBuf>,
    /// The user that files are published as, by sudo.
    pub run_as: Option<RunAs>,
    /// The command that reaches hosts, as rsync's `-e`.
    pub rsh: Option<String>,
    /// The way to hosts.
    pub transport: Option<Transport>,
}

/// The ways to hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// SSH inside this program.
    Ssh2,
    /// The `ssh` program.
    Openssh,
    /// Files over SFTP only.
    Sftp,
}

/// The build on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The line for a shell; none if the assets are built elsewhere.
    pub command: Option<String>,
    /// Its environment.
    pub environment: Environment,
    /// Whether what it made is deleted here after a deploy that went well everywhere.
    pub cleanup: bool,
}

/// A directory of this machine and its destination on hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetSet {
    /// Its name in the file; `assets` for the one without a name.
    pub name: String,
    /// The directory, absolute or below the project's.
    pub source: PathBuf,
    /// The directory below a host's `shared_path`.
    pub destination: String,
    /// Hosts with one of these roles get it.
    pub roles: Vec<String>,
    /// Patterns of files published last, as rsync writes patterns.
    pub entry_points: Vec<String>,
    /// Regular expressions whose one group is a name's fingerprint, tried before the engine's own.
    pub fingerprints: Vec<String>,
    /// Patterns of what is not pushed.
    pub exclude: Vec<String>,
    /// The permission bits that files and directories get, in rsync's syntax.
    pub chmod: Vec<String>,
    /// The retention of files that are no longer built.
    pub delete: Delete,
    /// How new files replace old ones.
    pub publish: Publish,
    /// The path of the destination in URLs; empty for the site itself. None if it is not served, as
    /// far as is known.
    pub url_path: Option<String>,
}

/// The retention of files that are no longer built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delete {
    /// They stay until they are past both bounds.
    Retain {
        /// This many earlier deploys keep their files, besides the one that is live.
        keep: u32,
        /// A file used by a deploy that was live since then stays, too.
        max_age: Duration,
    },
    /// They are deleted by the push that does not have them, as by rsync's `--delete`.
    Mirror,
}

/// How new files replace old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Each by a rename, those that name others last.
    Files,
    /// All in one exchange of directories.
    Directory,
}

/// What happens if visitors do not get what was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The deploy has failed, and stays live.
    Report,
    /// The deploy that was live before comes back on all hosts.
    RollBack,
}

/// The commands of each phase, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Before the build.
    pub before_build: Vec<Hook>,
    /// After the build, before anything is sent.
    pub after_build: Vec<Hook>,
    /// When all hosts have everything, before it is published.
    pub before_publish: Vec<Hook>,
    /// After it is published everywhere, before the restart.
    pub after_publish: Vec<Hook>,
    /// After a deploy that failed, wherever it did.
    pub on_failure: Vec<Hook>,
}

/// The restart of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// How it restarts.
    pub how: RestartHow,
    /// Hosts with one of these roles run it.
    pub roles: Vec<String>,
}

/// How an application restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartHow {
    /// Not at all.
    None,
    /// Puma, by `pumactl`.
    Pumactl {
        /// One worker after the other.
        phased: bool,
    },
    /// A unit of systemd.
    Systemd {
        /// By a reload, which for puma is one worker after the other.
        phased: bool,
    },
    /// Passenger, by `passenger-config`.
    Passenger,
    /// Passenger, by touching `tmp/restart.txt`.
    PassengerTouch,
    /// By this line for a shell.
    Command(String),
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Reaching a host and logging in.
    pub connect: Duration,
    /// A host's silence during a push.
    pub silence: Duration,
    /// A hook or a restart.
    pub command: Duration,
    /// The build.
    pub build: Duration,
    /// A web server that is not ready to answer.
    pub verify: Duration,
}
