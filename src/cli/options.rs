//! The checked and resolved arguments of a push.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assetsync_core::recipe::Recipes;
use assetsync_core::text;
use assetsync_ssh::{SshOptions, Target, TransportKind};
use assetsync_sync::compare::content_match::CompareBy;
use assetsync_sync::scan::entry_points::{DEFAULT_PATTERNS, EntryPoints};
use assetsync_sync::{Options, Policy};
use clap::ArgMatches;

use super::args::{PushArguments, SelectionArguments, SshArguments, TransportArgument};
use super::cache::{CacheArguments, RecipeArgument};
use super::push_paths::PushPaths;
pub use super::push_paths::{Destination, labels};
use super::rules;
use crate::error::CommandError;

/// A checked `assetsync push`.
pub struct PushOptions {
    /// The directory to push.
    pub source: PathBuf,
    /// The destinations; at least one.
    pub destinations: Vec<Destination>,
    /// What the push may do at the destinations.
    pub options: Options,
    /// How hosts are reached.
    pub ssh: SshOptions,
    /// Give up after this long without a byte.
    pub timeout: Duration,
    /// Bandwidth limit for each destination.
    pub bytes_per_second: Option<u64>,
    /// Only show what would be done.
    pub dry_run: bool,
    /// Read and compare every file.
    pub checksum: bool,
    /// The store's directory.
    pub store: Option<PathBuf>,
}

impl PushOptions {
    /// Checks the arguments; `matches` has their order.
    pub fn new(
        matches: &ArgMatches,
        arguments: PushArguments,
        interactive: bool,
    ) -> Result<PushOptions, CommandError> {
        let PushArguments { source, destinations, choice, memory, ssh, .. } = arguments;
        let destinations = self::destinations(&destinations)?;
        ssh.identities.iter().try_for_each(|path| refuse_directory(path))?;
        let options = push_options(matches, &choice, &memory)?;
        let (timeout, bytes_per_second) =
            (seconds(ssh.timeout), ssh.bwlimit.and_then(|rate| rate.bytes_per_second()));
        let ssh = ssh_options(ssh, interactive);
        let (dry_run, checksum) = (choice.dry_run, choice.checksum);
        let options = PushOptions {
            source,
            destinations,
            options,
            ssh,
            timeout,
            bytes_per_second,
            dry_run,
            checksum,
            store: store_path(&memory),
        };
        options.paths().check(matches)?;
        Ok(options)
    }

    /// SRC and every DEST, with what decides whether they are safe to use.
    pub fn paths(&self) -> PushPaths<'_> {
        let Policy { filter, delete, .. } = &self.options.policy;
        let (source, destinations) = (&self.source, &self.destinations);
        PushPaths { source, destinations, filter, delete: *delete }
    }
}

fn destinations(given: &[OsString]) -> Result<Vec<Destination>, CommandError> {
    let destination = |(given, label): (&OsString, String)| {
        let target = Target::parse(given).map_err(CommandError::usage)?;
        Ok(Destination { label, target })
    };
    given.iter().zip(labels(given)).map(destination).collect()
}

/// Catches rsync's `-i`, which takes no value: the next argument is then a directory.
fn refuse_directory(identity: &Path) -> Result<(), CommandError> {
    if !identity.is_dir() {
        return Ok(());
    }
    let path = text::path(identity);
    Err(CommandError::usage(format!("-i takes a private key file, but {path} is a directory"))
        .hint("rsync's -i is called --itemize-changes here"))
}

fn push_options(
    matches: &ArgMatches,
    choice: &SelectionArguments,
    memory: &CacheArguments,
) -> Result<Options, CommandError> {
    let own = choice.entry_point.iter().map(|pattern| pattern.as_bytes());
    let all = DEFAULT_PATTERNS.iter().map(|pattern| pattern.as_bytes()).chain(own);
    let policy = Policy {
        delete: choice.delete,
        rule: if choice.size_only { CompareBy::SizeOnly } else { CompareBy::Content },
        filter: rules::filter(matches, choice)?,
        entry_points: EntryPoints::new(all).map_err(CommandError::usage)?,
        ..Policy::default()
    };
    let (max_delete, allow_empty) = (choice.max_delete, choice.allow_empty);
    let recipes = chosen_recipes(memory);
    Ok(Options { policy, max_delete, allow_empty, recipes, ..Options::default() })
}

/// The chosen recipes, if any were given.
pub fn chosen_recipes(memory: &CacheArguments) -> Option<Recipes> {
    memory.recipes.as_deref().map(recipes)
}

fn recipes(given: &[RecipeArgument]) -> Recipes {
    let has = |recipe| given.contains(&recipe) || given.contains(&RecipeArgument::All);
    Recipes {
        copy: has(RecipeArgument::Copy),
        rewrite: has(RecipeArgument::Rewrite),
        patch: has(RecipeArgument::Patch),
        delta: has(RecipeArgument::Delta),
        regzip: has(RecipeArgument::Regzip),
    }
}

/// The store's directory; `None` with `--no-store`.
pub fn store_path(memory: &CacheArguments) -> Option<PathBuf> {
    if memory.no_store { None } else { memory.place.path() }
}

fn ssh_options(given: SshArguments, interactive: bool) -> SshOptions {
    let defaults = SshOptions::default();
    SshOptions {
        identities: given.identities,
        port: given.port,
        config_file: given.config_file,
        rsh: given.rsh,
        transport: given.transport.map(TransportKind::from),
        connect_timeout: defaults.connect_timeout.min(seconds(given.timeout)),
        interactive,
    }
}

impl From<TransportArgument> for TransportKind {
    fn from(given: TransportArgument) -> TransportKind {
        match given {
            TransportArgument::Ssh2 => TransportKind::Ssh2,
            TransportArgument::Openssh => TransportKind::OpenSsh,
            TransportArgument::Sftp => TransportKind::Sftp,
        }
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}
