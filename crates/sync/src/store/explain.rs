//! Explains how a file travelled in the last push to a destination.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;
use assetsync_core::text;

use super::last_push::{BasisName, FileRecord, LastPush};

/// How a file travelled in the last push that changed its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// When that push ended.
    pub when: SystemTime,
    /// Bytes that it sent, for all files.
    pub sent: u64,
    /// Bytes of new content of all files, before they were compressed.
    pub new_content: u64,
    /// The file's path at the destination, safe to show.
    pub path: String,
    /// The recipe's name; `None` if the destination had no such file after that push.
    pub recipe: Option<&'static str>,
    /// What the file was made from, in words that end with its path.
    pub basis: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes of it that were new content; `None` if that is not known here.
    pub own_content: Option<u64>,
    /// Whether the destination had a file at its path.
    pub existed: bool,
    /// The recipes that were possible, about how many bytes each sends, and whether it was to be
    /// used on that line.
    pub offers: Vec<(&'static str, u64, bool)>,
    /// Files that the push changed and that are not remembered, because they were too many.
    pub left_out: u64,
}

/// How the file that is asked for travelled in the push that is remembered in the file `record`.
/// `entries` gives what the destination held after it.
pub fn explain(
    record: &Path,
    entries: impl FnOnce() -> Vec<RemoteEntry>,
    asked: &str,
) -> Option<Explanation> {
    let push = LastPush::decode(&fs::read(record).ok()?)?;
    let when = fs::metadata(record).and_then(|metadata| metadata.modified()).ok()?;
    let asked = asked.trim_start_matches("./").as_bytes();
    let (sent, new_content, left_out) = (push.sent, push.new_content, push.left_out);
    let nothing = Explanation {
        when,
        sent,
        new_content,
        path: text::name(asked),
        recipe: None,
        basis: None,
        size: 0,
        own_content: Some(0),
        existed: false,
        offers: Vec::new(),
        left_out,
    };
    let changed = push.files.into_iter().filter(|file| is_meant(&file.path, asked));
    if let Some(file) = changed.max_by_key(|file| file.path.as_bytes().len()) {
        return Some(changed_file(file, nothing));
    }
    let kept = entries().into_iter().filter_map(|remote| match remote.entry.kind {
        Kind::File { size } if is_meant(&remote.entry.path, asked) => {
            Some((remote.entry.path, size))
        }
        _ => None,
    });
    Some(match kept.max_by_key(|(path, _)| path.as_bytes().len()) {
        None => nothing,
        Some((path, size)) => Explanation {
            path: text::name(path.as_bytes()),
            recipe: Some("keep"),
            size,
            existed: true,
            ..nothing
        },
    })
}

fn changed_file(file: FileRecord, about: Explanation) -> Explanation {
    let path = |path: &RelPath| text::name(path.as_bytes());
    let offers = file.offers.iter().map(|offer| (offer.recipe, offer.bytes, offer.allowed));
    Explanation {
        path: path(&file.path),
        recipe: Some(file.recipe),
        basis: file.basis.map(|basis| match basis {
            BasisName::Existing(there) => path(&there),
            BasisName::Planned(there) => format!("{}, which this push brought", path(&there)),
            BasisName::Partial => "what an interrupted push had sent".into(),
            BasisName::Retained => "what the host keeps for rollbacks".into(),
        }),
        size: file.size,
        own_content: file.new_content,
        existed: file.existed,
        offers: offers.collect(),
        ..about
    }
}

/// Whether somebody who writes `asked` means `path`: it is that, or ends with it, as paths of the
/// project do.
fn is_meant(path: &RelPath, asked: &[u8]) -> bool {
    let before = asked.strip_suffix(path.as_bytes());
    before.is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
}
