//! The location of the store, and the arguments of `assetsync store`.

use std::path::PathBuf;

use assetsync_sync::Store;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Subcommand, ValueHint};

/// The location of the store, for every command that uses it.
#[derive(Debug, Args)]
pub struct StoreLocation {
    /// The store's directory [default: assetsync/store in your cache directory]
    #[arg(
        long,
        value_name = "DIR",
        env = "ASSETSYNC_STORE",
        hide_env_values = true,
        value_parser = OsStringValueParser::new().map(PathBuf::from),
        value_hint = ValueHint::DirPath,
    )]
    pub store: Option<PathBuf>,
}

impl StoreLocation {
    /// The given directory, or one in the user's cache directory; `None` if there is none. An empty
    /// name counts as not given, because CI systems set unused variables to empty texts.
    pub fn path(&self) -> Option<PathBuf> {
        let given = self.store.clone().filter(|path| !path.as_os_str().is_empty());
        given.or_else(Store::default_path)
    }
}

/// The arguments of `assetsync store`.
#[derive(Debug, Args)]
pub struct StoreArguments {
    /// The command to run.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// The commands on the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Show its size and the destinations it knows
    Status(StatusArguments),
    /// Delete unreferenced contents
    #[command(long_about = PRUNE)]
    Prune(PruneArguments),
}

/// The arguments of `assetsync store status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: StoreLocation,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `assetsync store prune`.
#[derive(Debug, Args)]
pub struct PruneArguments {
    /// Delete everything, including the states of all destinations
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: StoreLocation,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The description of `store`.
pub const ABOUT: &str = "\
Show or prune the local store

The store holds the contents that were pushed, and the state of each destination after the last \
push to it, so that the next push sends little. It is safe to delete: the next pushes only send \
more.";

/// The description of `store prune`.
const PRUNE: &str = "\
Delete contents that no destination has any more

Pushes do this automatically, about once a day. The states of destinations that were not pushed to \
for 90 days are deleted. If the store is over its limit of 2 GiB, the contents of the destinations \
with the oldest pushes are deleted. Contents added in the last hour are kept: a running push may \
need them.";
