//! The store: where it is, and the arguments of `assetsync store`.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Subcommand, ValueHint};
use etcetera::BaseStrategy;
use etcetera::base_strategy::choose_native_strategy;

/// Where the store is, for every command that uses it.
#[derive(Debug, Args)]
pub struct StoreLocation {
    /// The directory of the store [default: assetsync/store in the user's cache directory]
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
    /// The directory: as given, or else where the system keeps caches. `None` where a user has no such place.
    /// An empty name is none: that is how many a CI leaves a variable out.
    pub fn path(&self) -> Option<PathBuf> {
        let own = || Some(choose_native_strategy().ok()?.cache_dir().join("assetsync/store"));
        let given = self.store.clone().filter(|path| !path.as_os_str().is_empty());
        given.or_else(own)
    }
}

/// What `assetsync store` is told.
#[derive(Debug, Args)]
pub struct StoreArguments {
    /// What to do with the store.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What can be done with a store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Show what is kept, and of which destinations
    Status(StatusArguments),
    /// Drop what no destination has any more
    #[command(long_about = PRUNE)]
    Prune(PruneArguments),
}

/// What `assetsync store status` is told.
#[derive(Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: StoreLocation,
    /// Print one JSON object instead of words
    #[arg(long)]
    pub json: bool,
}

/// What `assetsync store prune` is told.
#[derive(Debug, Args)]
pub struct PruneArguments {
    /// Forget all destinations, and drop everything
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: StoreLocation,
    /// Print one JSON object instead of words
    #[arg(long)]
    pub json: bool,
}

/// What the store is.
pub const ABOUT: &str = "\
See what was kept of earlier pushes, or drop what is not needed

The store keeps the contents that were pushed, and what each destination had after the last push to \
it, so that the next push sends little. It can be deleted at any time: pushes then send more, and \
are as right as before.";

/// What pruning does.
const PRUNE: &str = "\
Drop what no destination has any more

Pushes do this by themselves, about once a day. Destinations that nobody pushed to for 90 days are \
forgotten. Over its limit of 2 GiB the store loses contents of the destinations that were not pushed \
to for longest. What was added in the last hour stays, for it may belong to a push that is running.";
