//! Contents that publishing would lose and a rollback needs: the old `index.html`, the old
//! manifest. They are retained under their digest, where the web server does not see them.

use std::collections::HashSet;

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;

use super::deploys::{History, VersionSpan};
use super::destination_state::has_content;
use super::policy::{Delete, RetentionPolicy};
use super::retention::{Disposition, Retention};
use super::tree::{Content, Tree};

/// A file whose content is retained before publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentToRetain {
    /// Its path.
    pub path: RelPath,
    /// The digest of its content.
    pub digest: Digest,
}

/// The contents to retain before `wanted` is published, in tree order. None with
/// [`Delete::Mirror`].
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

/// The retained contents that no deploy in the history has. Deploys that are not kept are forgotten
/// with the next [`HistoryStep`](super::HistoryStep).
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

/// The digest of an existing file, if a kept deploy had it at this path. If the digest is unknown,
/// the content of the last deploy is assumed; the agent checks it before retaining it.
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
    fn contents_that_publishing_would_lose() {
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
        // If digests are unknown, every deployed file may still exist.
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
