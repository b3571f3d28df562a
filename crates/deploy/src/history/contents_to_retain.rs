//! Content that publishing would lose though a rollback needs it: the old `index.html`, the old
//! manifest. It is kept under its digest, out of the web server's sight.

use std::collections::HashSet;

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;

use super::deploys::{History, VersionSpan};
use super::destination_state::has_content;
use super::policy::{Delete, RetentionPolicy};
use super::retention::{Disposition, Retention};
use super::tree::{Content, Tree};

/// A file to set aside before publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentToRetain {
    /// Where it stands.
    pub path: RelPath,
    /// The digest of its content.
    pub digest: Digest,
}

/// What to set aside before `wanted` is published, in tree order. A mirror keeps nothing.
pub fn contents_to_retain(
    history: &History,
    wanted: &Tree,
    existing: &[RemoteEntry],
    policy: &RetentionPolicy,
    retention: &Retention,
) -> Vec<ContentToRetain> {
    if policy.delete == Delete::Mirror {
        return Vec::new();
    }
    let lost = existing.iter().filter(|remote| is_lost(remote, wanted, retention));
    let needed = lost.filter_map(|remote| {
        let path = remote.entry.path.clone();
        let digest = needed_digest(history, remote, retention.first_kept)?;
        Some(ContentToRetain { path, digest })
    });
    needed.collect()
}

/// Of the contents that were set aside, those that no deploy in the history had. Deploys that
/// aren't kept leave it with the next [`HistoryStep`](super::HistoryStep).
pub fn outdated(history: &History, retained: &[Digest]) -> Vec<Digest> {
    let needed: HashSet<Digest> =
        history.spans.iter().filter_map(|span| digest(&span.content)).collect();
    retained.iter().filter(|digest| !needed.contains(digest)).copied().collect()
}

fn is_lost(remote: &RemoteEntry, wanted: &Tree, retention: &Retention) -> bool {
    match wanted.get(&remote.entry.path) {
        Some(file) => has_content(remote, &file.content) != Some(true),
        None => matches!(retention.disposition(&remote.entry.path), Some(Disposition::Remove(_))),
    }
}

/// The digest of what stands, if a kept deploy had it at this path. Where it isn't known, it is
/// taken for what the last deploy put there: whoever sets it aside finds out.
fn needed_digest(history: &History, remote: &RemoteEntry, first_kept: usize) -> Option<Digest> {
    let versions = history.versions(&remote.entry.path);
    let newest = versions.last()?.last;
    let stands =
        |span: &&VersionSpan| has_content(remote, &span.content).unwrap_or(span.last == newest);
    let mut kept = versions.iter().filter(|span| span.last as usize >= first_kept);
    kept.find(stands).and_then(|span| digest(&span.content))
}

fn digest(content: &Content) -> Option<Digest> {
    match content {
        Content::File { digest, .. } => Some(*digest),
        Content::Symlink { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixtures::{Host, at, policy, tree};
    use crate::history::policy::RetentionPolicy;
    use crate::history::retention::retention;

    fn names(host: &Host, wanted: &Tree, policy: &RetentionPolicy) -> Vec<String> {
        let made = retention(&host.history, wanted, &host.existing, policy, at(100));
        let retained_contents =
            contents_to_retain(&host.history, wanted, &host.existing, policy, &made);
        retained_contents
            .iter()
            .map(|retained_contents| retained_contents.path.to_string())
            .collect()
    }

    #[test]
    fn what_publishing_would_lose() {
        let mut host = Host::default();
        let deployed = [".sprockets-manifest-1111.json", "app-1.js", "index.html=1", "same.txt"];
        host.deploy(&tree(&deployed), &policy(2, 0), at(0));
        let wanted = tree(&["index.html=2", "same.txt"]);
        let lost = [".sprockets-manifest-1111.json", "index.html"];
        assert_eq!(names(&host, &wanted, &policy(2, 0)), lost);
        assert_eq!(names(&host, &wanted, &policy(1, 0)), [""; 0]);
        assert_eq!(
            names(&host, &wanted, &RetentionPolicy { delete: Delete::Mirror, ..policy(2, 0) }),
            [""; 0]
        );
        // Where digests are unknown, all that was put there may still be there.
        host.existing.iter_mut().for_each(|remote| remote.digest = None);
        let unsure = [".sprockets-manifest-1111.json", "index.html", "same.txt"];
        assert_eq!(names(&host, &wanted, &policy(2, 0)), unsure);
    }

    #[test]
    fn unreferenced_contents() {
        let mut host = Host::default();
        for version in 1..=4 {
            host.deploy(&tree(&[&format!("index.html={version}")]), &policy(2, 0), at(version));
        }
        assert_eq!(host.retained_contents, [Digest::of(&[3])]);
        assert_eq!(outdated(&History::new(), &host.retained_contents), host.retained_contents);
    }
}
