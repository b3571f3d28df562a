//! Values for tests.

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;

use super::clock::Clocks;
use super::contents_to_retain::{contents_to_retain, outdated};
use super::deploys::{Deploy, History, Origin};
use super::id::DeployId;
use super::policy::{Delete, RetentionPolicy, UnmanagedFiles};
use super::retention::{Retention, retention};
use super::tree::{Content, FileAttributes, HistoryFile, Tree};

pub(super) fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).expect("a good path")
}

/// A file whose content is a number.
pub(crate) fn file(name: &str, version: u8) -> HistoryFile {
    let content = Content::File { size: 100, digest: Digest::of(&[version]) };
    let mtime = Mtime { secs: 1_700_000_000, nanos: u32::from(version) };
    HistoryFile {
        path: path(name),
        content,
        attributes: FileAttributes { mode: 0o644, mtime, entry_point: false },
    }
}

/// A tree of `name` or `name=version`.
pub(super) fn tree(names: &[&str]) -> Tree {
    let files = names.iter().map(|text| match text.split_once('=') {
        Some((name, version)) => file(name, version.parse().expect("a number")),
        None => file(text, 0),
    });
    Tree::new(files.collect()).expect("a good tree")
}

pub(super) fn deploy(number: u32, published: i64) -> Deploy {
    let origin = Origin {
        user: "ann".into(),
        host: "laptop".into(),
        tool: "assetsync 0.1".into(),
        ..Origin::default()
    };
    Deploy { id: DeployId::new(published, number), published, origin, restores: None }
}

pub(super) fn remote(file: &HistoryFile) -> RemoteEntry {
    let (kind, digest) = match &file.content {
        Content::File { size, digest } => (Kind::File { size: *size }, Some(digest.short())),
        Content::Symlink { target } => (Kind::Symlink { target: target.clone() }, None),
    };
    let FileAttributes { mode, mtime, .. } = file.attributes;
    RemoteEntry { entry: Entry { path: file.path.clone(), kind, mode, mtime }, digest }
}

pub(super) fn directory(name: &str) -> RemoteEntry {
    let entry = Entry { path: path(name), kind: Kind::Dir, mode: 0o755, mtime: Mtime::default() };
    RemoteEntry { entry, digest: None }
}

pub(super) fn at(secs: i64) -> Clocks {
    Clocks { host: secs, sender: secs }
}

pub(super) fn policy(keep: u32, max_age: u64) -> RetentionPolicy {
    RetentionPolicy { keep, max_age, delete: Delete::Retain, unmanaged: UnmanagedFiles::Leave }
}

/// A model of a destination over several deploys.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    pub(super) history: History,
    /// In tree order.
    pub(super) existing: Vec<RemoteEntry>,
    pub(super) retained_contents: Vec<Digest>,
    deployed: u32,
}

impl Host {
    /// Deploys a tree at the time `now`, and prunes at once.
    pub(super) fn deploy(
        &mut self,
        wanted: &Tree,
        policy: &RetentionPolicy,
        now: Clocks,
    ) -> Retention {
        let made = retention(&self.history, wanted, &self.existing, policy, now);
        let retained_contents =
            contents_to_retain(&self.history, wanted, &self.existing, policy, &made);
        self.retained_contents.extend(
            retained_contents.into_iter().map(|retained_contents| retained_contents.digest),
        );
        self.deployed += 1;
        let id = DeployId::new(now.sender, self.deployed);
        let deploy = Deploy { id, published: now.host, ..deploy(0, 0) };
        let paths = self.existing.iter().map(|remote| &remote.entry.path);
        let step = self.history.step(deploy, wanted, made.first_kept, paths);
        self.history = self.history.clone().apply(step).expect("a good step");
        for digest in outdated(&self.history, &self.retained_contents) {
            self.retained_contents.retain(|known| *known != digest);
        }
        self.remove(&made);
        self.put(wanted);
        made
    }

    pub(super) fn remove(&mut self, retention: &Retention) {
        let gone: Vec<&RelPath> = retention.removed().map(|(path, _)| path).collect();
        self.existing.retain(|remote| !gone.contains(&&remote.entry.path));
    }

    fn put(&mut self, wanted: &Tree) {
        self.existing.retain(|remote| wanted.get(&remote.entry.path).is_none());
        self.existing.extend(wanted.files().iter().map(remote));
        self.sort();
    }

    pub(super) fn sort(&mut self) {
        self.existing.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    }

    /// The names of all existing files.
    pub(super) fn names(&self) -> Vec<String> {
        self.existing.iter().map(|remote| remote.entry.path.to_string()).collect()
    }
}
