//! The store that every push uses.

use std::path::Path;

use assetsync_sync::Store;

use crate::ui::console::Console;

/// A store that can't be opened costs bytes, no more. A dry run makes none.
pub fn open_store(path: &Path, dry_run: bool, console: &Console) -> Option<Store> {
    let opened = match dry_run {
        true => Store::open_existing(path),
        false => Store::open(path).map(Some),
    };
    opened.unwrap_or_else(|error| {
        console.warn(&error.to_string());
        None
    })
}
