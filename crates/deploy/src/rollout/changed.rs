//! The files whose URLs stay and whose content has changed: for hooks that tell a
//! CDN.

use std::collections::BTreeSet;
use std::io::{self, Write};

use assetsync_core::plan::{Action, ActionKind, PublishRank};
use assetsync_core::recipe::Recipe;
use assetsync_sync::{Policy, Report};
use assetsync_verify::url_path;
use tempfile::NamedTempFile;

/// The variable with the name of the file that has the list.
pub(super) const VARIABLE: &str = "ASSETSYNC_CHANGED";

/// What was published somewhere.
pub(super) struct PublishedChange<'r> {
    /// Where it is in URLs, if that is known.
    pub url_path: Option<&'r str>,
    pub policy: &'r Policy,
    pub report: &'r Report,
    /// Whether it is a bucket, where also headers change.
    pub is_bucket: bool,
}

impl PublishedChange<'_> {
    /// Adds the paths of URLs that give something else than before, or nothing.
    pub fn add_to(&self, urls: &mut BTreeSet<String>) {
        let root = self.url_path.unwrap_or_default().trim_matches('/');
        let root = if root.is_empty() { String::new() } else { format!("/{root}") };
        for action in self.report.plan.actions.iter().filter(|action| self.is_changed(action)) {
            let url = format!("{root}/{}", url_path(action.path.as_bytes()));
            // Visitors mostly ask for the directory.
            if let Some(directory) = url.strip_suffix("index.html").filter(|it| it.ends_with('/')) {
                urls.insert(directory.to_owned());
            }
            urls.insert(url);
        }
    }

    fn is_changed(&self, action: &Action) -> bool {
        let is_there_before = match &action.what {
            ActionKind::File(file) => match file.recipe {
                Recipe::Keep => false,
                Recipe::Touch => self.is_bucket,
                _ => action.known.is_some(),
            },
            ActionKind::Symlink { .. } => action.known.is_some(),
            ActionKind::Delete | ActionKind::Respell { .. } => true,
            _ => false,
        };
        let rank = self.policy.rank(action.path.as_bytes());
        is_there_before && rank != PublishRank::Fingerprinted
    }
}

/// A file with a path on each line.
pub(super) fn write(urls: &BTreeSet<String>) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    for url in urls {
        writeln!(file, "{url}")?;
    }
    file.flush()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Mtime;
    use assetsync_core::index::Index;
    use assetsync_core::path::RelPath;
    use assetsync_core::plan::FileAction;

    use super::*;

    fn action(path: &str, recipe: Recipe, is_new: bool) -> Action {
        let file = FileAction {
            size: 1,
            mode: 0o644,
            mtime: Mtime::default(),
            digest: None,
            recipe,
            rank: PublishRank::Ordinary,
        };
        let path = RelPath::new(path.as_bytes()).expect("a path");
        Action { path, known: (!is_new).then(|| Index::new(0)), what: ActionKind::File(file) }
    }

    fn changed(url_path: &str, is_bucket: bool) -> Vec<String> {
        let gone = Action { what: ActionKind::Delete, ..action("gone.html", Recipe::Keep, false) };
        let mut report = Report::default();
        report.plan.actions = vec![
            action("a b.html", Recipe::Whole, false),
            action("shop/index.html", Recipe::Whole, false),
            action("not-index.html", Recipe::Touch, false),
            action("app-3f2a91c0.js", Recipe::Whole, false),
            gone,
            action("new.html", Recipe::Whole, true),
            action("same.css", Recipe::Touch, false),
        ];
        let policy = Policy::default();
        let url_path = Some(url_path);
        let mut urls = BTreeSet::new();
        PublishedChange { url_path, policy: &policy, report: &report, is_bucket }.add_to(&mut urls);
        urls.into_iter().collect()
    }

    #[test]
    fn what_was_there_before_and_is_other_now_is_on_the_list() {
        assert_eq!(
            changed("assets", false),
            ["/assets/a%20b.html", "/assets/gone.html", "/assets/shop/", "/assets/shop/index.html",]
        );
        let of_bucket = [
            "/a%20b.html",
            "/gone.html",
            "/not-index.html",
            "/same.css",
            "/shop/",
            "/shop/index.html",
        ];
        assert_eq!(changed("", true), of_bucket);
    }
}
