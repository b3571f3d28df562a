//! The checked and resolved arguments of a push.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assetsync_core::recipe::Recipes;
use assetsync_core::text;
use assetsync_ssh::{AddressFamily, CONNECT_TIMEOUT, SshOptions, TransportKind};
use assetsync_sync::{Chmod, DEFAULT_PATTERNS, Destination, EntryPoints, Options, Policy, Push};
use clap::ArgMatches;

use super::args::{PushArguments, SelectionArguments};
use super::cache::{CacheArguments, RecipeArgument};
use super::connection::{SshArguments, TransportArgument};
use super::push_paths::PushPaths;
pub use super::push_paths::labels;
use super::{rsync_options, rules};
use crate::error::CommandError;

/// A checked `assetsync push`.
pub struct PushOptions {
    /// The directory to push, or the files.
    pub sources: Vec<PathBuf>,
    /// The destinations; at least one.
    pub destinations: Vec<Destination>,
    /// The push.
    pub push: Push,
    /// Whether extraneous files are deleted.
    pub delete: bool,
    /// Whether somebody is there to answer questions.
    pub interactive: bool,
}

impl PushOptions {
    /// Checks the arguments; `matches` has their order.
    pub fn new(
        matches: &ArgMatches,
        arguments: PushArguments,
        interactive: bool,
    ) -> Result<PushOptions, CommandError> {
        let PushArguments { source, destinations, files, choice, memory, ssh, .. } = arguments;
        rsync_options::refuse(matches)?;
        let given = destinations;
        let destinations = self::destinations(&given)?;
        ssh.identities.iter().try_for_each(|path| refuse_directory('i', path))?;
        ssh.config_file.iter().try_for_each(|path| refuse_directory('F', path))?;
        let push = Push::new(&source)
            .options(allowed(matches, &choice, &memory)?)
            .dry_run(choice.dry_run)
            .checksum(choice.checksum || choice.ignore_times)
            .store(store_path(&memory))
            .timeout(seconds(ssh.timeout))
            .bytes_per_second(ssh.bwlimit.and_then(|rate| rate.bytes_per_second()))
            .ssh(ssh_options(ssh, interactive));
        let mut push = given.iter().try_fold(push, Push::to).map_err(CommandError::usage)?;
        push.extend(files.iter().cloned());
        let delete = choice.deletes();
        let sources = [vec![source], files].concat();
        let options = PushOptions { sources, destinations, push, delete, interactive };
        options.paths().check(matches)?;
        Ok(options)
    }

    /// SRC and every DEST, with what decides whether they are safe to use.
    pub fn paths(&self) -> PushPaths<'_> {
        let PushOptions { sources, destinations, delete, .. } = self;
        PushPaths { sources, destinations, delete: *delete }
    }
}

fn destinations(given: &[OsString]) -> Result<Vec<Destination>, CommandError> {
    let parsed = given.iter().map(|given| Destination::try_from(given.as_os_str()));
    parsed.collect::<Result<_, _>>().map_err(CommandError::usage)
}

/// Catches rsync's `-i` and `-F`, which take no value: the next argument is then a directory.
fn refuse_directory(short: char, path: &Path) -> Result<(), CommandError> {
    if !path.is_dir() {
        return Ok(());
    }
    let path = text::path(path);
    let error = CommandError::usage(format!("-{short} takes a file, but {path} is a directory"));
    Err(rsync_options::tip(short).into_iter().fold(error, CommandError::hint))
}

/// The options of the push: comparison, deletes, filter, recipes.
pub fn allowed(
    matches: &ArgMatches,
    choice: &SelectionArguments,
    memory: &CacheArguments,
) -> Result<Options, CommandError> {
    let own = choice.entry_point.iter().map(|pattern| pattern.as_bytes());
    let all = DEFAULT_PATTERNS.iter().map(|pattern| pattern.as_bytes()).chain(own);
    let policy = Policy {
        delete: choice.deletes(),
        size_only: choice.size_only,
        filter: rules::filter(matches, choice)?,
        links: choice.links(),
        chmod: chmod(choice)?,
        entry_points: EntryPoints::try_from(all.collect::<Vec<_>>())
            .map_err(CommandError::usage)?,
        ..Policy::default()
    };
    Ok(Options {
        policy,
        max_delete: choice.max_delete,
        allow_empty: choice.allow_empty,
        recipes: chosen_recipes(memory),
        ..Options::default()
    })
}

fn chmod(choice: &SelectionArguments) -> Result<Chmod, CommandError> {
    match choice.chmod.as_slice() {
        [] => Ok(Chmod::default()),
        given => given.join(",").parse().map_err(CommandError::usage),
    }
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

/// How hosts are reached.
pub fn ssh_options(given: SshArguments, interactive: bool) -> SshOptions {
    let timeout = seconds(given.timeout);
    SshOptions {
        identities: given.identities,
        port: given.port,
        config_file: given.config_file,
        run_as: given.sudo.or(given.rsync_path.and_then(|path| path.run_as)),
        rsh: given.rsh.or_else(remote_shell),
        address_family: address_family(given.ipv4, given.ipv6),
        transport: given.transport.map(TransportKind::from),
        connect_timeout: (timeout < CONNECT_TIMEOUT).then_some(timeout),
        interactive,
        ssh_may_ask: ssh_may_ask(),
    }
}

/// Whether the ssh program can ask for a password: there is a terminal, even if standard input is
/// something else, or a program that asks.
fn ssh_may_ask() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
        || std::env::var_os("SSH_ASKPASS").is_some_and(|program| !program.is_empty())
}

/// The remote shell that the environment names, as for rsync.
fn remote_shell() -> Option<String> {
    std::env::var("RSYNC_RSH").ok().filter(|shell| !shell.trim().is_empty())
}

fn address_family(ipv4: bool, ipv6: bool) -> Option<AddressFamily> {
    match (ipv4, ipv6) {
        (true, _) => Some(AddressFamily::Ipv4),
        (_, true) => Some(AddressFamily::Ipv6),
        _ => None,
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
