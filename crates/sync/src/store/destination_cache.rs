//! The cached values of a destination: its state and the contents it has, in the
//! [store](crate::store).
//!
//! Best effort: what can't be read or written here costs bytes in the next push.

use std::sync::atomic::{AtomicU64, Ordering};

use assetsync_core::digest::{Digest, ShortDigest};
use assetsync_core::protocol::StateHasher;
use assetsync_core::state::{RemoteEntry, StateId};
use assetsync_ssh::Target;

use crate::compare::content_match::SourceEntry;
use crate::connect::start_agent::{ConnectOptions, destination_bytes};
use crate::cost::line::PastLine;
use crate::draft::contents::read;
use crate::draft::old_contents::{NoContents, OldContents};
use crate::error::PushError;
use crate::scan::compressed_names::is_precompressed;
use crate::scan::source::Source;
use crate::store::last_push::LastPush;
use crate::store::{CachedState, DestinationKey, Store};

/// The cache of one destination.
#[derive(Clone)]
pub struct DestinationCache<'s> {
    store: Option<&'s Store>,
    key: DestinationKey,
    name: String,
    id: Option<StateId>,
    past_line: Option<PastLine>,
}

impl<'s> DestinationCache<'s> {
    /// The cache of `target`, and the entries of its cached state.
    pub fn of(
        target: &Target,
        connection: &ConnectOptions<'s>,
    ) -> Result<(DestinationCache<'s>, Vec<RemoteEntry>), PushError> {
        let (store, path) = (connection.store, destination_bytes(target)?);
        let name = match target {
            Target::Local(_) => assetsync_core::text::name(&path),
            Target::Remote(remote) => remote.to_string(),
        };
        let key = DestinationKey::new(target, connection.ssh.port);
        let cached = store.and_then(|store| store.state(&key));
        let past_line = cached.as_ref().and_then(|state| state.past_line);
        let (id, entries) = cached.map(|state| (state.id, state.entries)).unzip();
        let memory = DestinationCache { store, key, name, id, past_line };
        Ok((memory, entries.unwrap_or_default()))
    }

    /// The id of the cached state.
    pub fn id(&self) -> Option<StateId> {
        self.id
    }

    /// What earlier pushes found out about the line.
    pub fn past_line(&self) -> Option<PastLine> {
        self.past_line
    }

    /// The cached history; empty if there is none.
    pub fn history(&self) -> Vec<u8> {
        self.store.and_then(|store| store.history(&self.key)).unwrap_or_default()
    }

    /// Caches the destination's history, unless it is the `cached` one.
    pub fn keep_history(&self, cached: &[u8], history: &[u8]) {
        let Some(store) = self.store.filter(|_| cached != history) else { return };
        let _ = store.remember_history(&self.key, history);
    }

    /// Keeps what a push did with each file.
    pub fn keep_last_push(&self, push: LastPush) {
        if let Some(store) = self.store {
            let _ = store.remember_push(&self.key, &push);
        }
    }

    /// The contents of destinations.
    pub fn contents(&self) -> &dyn OldContents {
        match self.store {
            Some(store) => store,
            None => &NoContents,
        }
    }

    /// Stores the source's contents, for later pushes to compare with: those that are new, until
    /// they have `most` bytes.
    pub fn keep_contents(&self, source: &Source, entries: &[SourceEntry], most: u64) {
        let Some(store) = self.store else { return };
        let files = entries.iter().filter_map(|local| {
            let size = local.entry.file_size()?;
            let kept = !is_precompressed(local.entry.path.as_bytes());
            kept.then_some((local, (local.digest?, size)))
        });
        let (files, wanted): (Vec<&SourceEntry>, Vec<(Digest, u64)>) = files.unzip();
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let begun = AtomicU64::new(0);
        let read = |at: usize| {
            let is_kept = begun.fetch_add(wanted[at].1, Ordering::Relaxed) < most;
            let content = if is_kept { read(source, files[at]) } else { None };
            content.ok_or_else(missing)
        };
        let _ = store.add(&wanted, &read);
    }

    /// Caches the state of the destination, if both sides agree on its id, and what the line
    /// carried, if that was measured.
    pub fn keep_state(
        &self,
        theirs: Option<StateId>,
        past_line: Option<PastLine>,
        entries: Vec<RemoteEntry>,
    ) {
        let id = StateHasher::id(&entries);
        if theirs == Some(id) {
            let past_line = past_line.or(self.past_line);
            self.remember(CachedState { id, past_line, entries });
        }
    }

    /// Caches the state of a destination without an agent, which can't confirm it.
    pub fn keep_unconfirmed(&self, entries: Vec<RemoteEntry>) {
        let id = StateHasher::id(&entries);
        self.remember(CachedState { id, past_line: self.past_line, entries });
    }

    /// What paths of a destination without an agent were asked to have, where it has another mode
    /// or time.
    pub fn asked(&self) -> Vec<RemoteEntry> {
        let cached = self.store.and_then(|store| store.state(&self.key.asked()));
        cached.map(|state| state.entries).unwrap_or_default()
    }

    /// Caches what paths were asked to have that have something else.
    pub fn keep_asked(&self, entries: Vec<RemoteEntry>) {
        let Some(store) = self.store else { return };
        let state = CachedState { id: StateHasher::id(&entries), past_line: None, entries };
        let name = format!("{} (modes and times asked for)", self.name);
        let _ = store.remember(&self.key.asked(), &name, &state);
    }

    fn remember(&self, state: CachedState) {
        if let Some(store) = self.store {
            let _ = store.remember(&self.key, &self.name, &state);
        }
    }
}

impl OldContents for Store {
    fn has(&self, digest: ShortDigest, size: u64) -> bool {
        Store::has(self, digest, size)
    }

    fn get(&self, digest: ShortDigest, size: u64) -> Option<Vec<u8>> {
        Store::get(self, digest, size)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::compare::policy::Policy;

    #[test]
    fn new_contents_are_kept_until_they_have_as_many_bytes_as_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let contents = ["a", "b", "c", "d"].map(|name| name.repeat(100));
        for content in &contents {
            fs::write(dir.path().join(&content[..1]), content).unwrap();
        }
        let source = Source::scan(dir.path(), &Policy::default()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        let target = Target::Local("/srv".into());
        let (key, name) = (DestinationKey::new(&target, None), String::new());
        let cache = DestinationCache { store: Some(&store), key, name, id: None, past_line: None };
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for expected in [2, 4] {
            one.install(|| cache.keep_contents(&source, source.hashed().unwrap(), 150));
            let is_kept = |content: &&String| {
                store.has(Digest::of(content.as_bytes()).short(), content.len() as u64)
            };
            assert_eq!(contents.iter().filter(is_kept).count(), expected);
        }
    }
}
