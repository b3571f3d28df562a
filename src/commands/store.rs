//! `assetsync store`: shows or prunes the local store.

use std::path::{Path, PathBuf};

use assetsync_sync::{Pruned, Store, StoreStatus};

use crate::cli::store::{
    PruneArguments, StatusArguments, StoreArguments, StoreCommand, StoreLocation,
};
use crate::error::{CommandError, Exit};
use crate::ui::console::{Console, report};
use crate::ui::output::Output;
use crate::ui::store;

/// Shows or prunes the store. A missing store counts as empty and is not created.
pub fn run(arguments: &StoreArguments) -> Exit {
    match &arguments.command {
        StoreCommand::Status(given) => show(given.json, status(given)),
        StoreCommand::Prune(given) => show(given.json, prune(given)),
    }
}

fn show(json: bool, text: Result<String, CommandError>) -> Exit {
    let console = Console::new(Output { json, ..Output::default() });
    let shown = text.map(|text| console.print_stdout(&text)).map(|()| Exit::Done);
    console.finish(shown.unwrap_or_else(|error| report(&error)))
}

fn status(given: &StatusArguments) -> Result<String, CommandError> {
    let path = path(&given.place)?;
    let status = match open(&path)? {
        Some(store) => store.status()?,
        None => StoreStatus { path, ..StoreStatus::default() },
    };
    Ok(if given.json { store::status_json(&status) } else { store::status(&status) })
}

fn prune(given: &PruneArguments) -> Result<String, CommandError> {
    let path = path(&given.place)?;
    let pruned = match open(&path)? {
        Some(store) if given.all => store.clear()?,
        Some(store) => store.prune()?,
        None => Pruned::default(),
    };
    Ok(if given.json { store::pruned_json(&path, &pruned) } else { store::pruned(&path, &pruned) })
}

fn path(given: &StoreLocation) -> Result<PathBuf, CommandError> {
    let unknown = "Can't find your cache directory; choose the store's directory with --store DIR";
    given.path().ok_or_else(|| CommandError::usage(unknown))
}

fn open(path: &Path) -> Result<Option<Store>, CommandError> {
    Ok(Store::open_existing(path)?)
}
