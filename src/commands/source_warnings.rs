//! Warnings about the source of a push.

use assetsync_sync::{About, PreparedPush, ScanNotice};

use crate::ui::console::Console;

/// Warns of paths of the source, and of a store that can't be used.
pub fn warn_of_source(console: &Console, prepared: &PreparedPush<'_>) {
    if !console.output.json {
        prepared.source.notices.iter().for_each(|notice| warn_of(console, notice));
    }
    if let Err(error) = &prepared.store {
        console.warn(&error.to_string());
    }
}

fn warn_of(console: &Console, notice: &ScanNotice) {
    let hint = match notice.about {
        About::OutsideLink { .. } => "; --copy-unsafe-links pushes what they lead to",
        About::Private { .. } => "; push with --chmod=D755,F644",
        About::Sensitive { .. } => "; --exclude leaves it out",
        About::Special | About::Reserved | About::UnsafeLink | About::CaseOnly { .. } => "",
    };
    console.warn(&format!("{notice}{hint}"));
}
