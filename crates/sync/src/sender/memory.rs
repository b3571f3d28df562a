//! What the sender remembers of a destination: its state and the contents it has, in the [store](crate::store).
//!
//! All of it is a help, none of it is needed: what can't be read or written here costs bytes in the next push.

use assetsync_ssh::Target;

use super::distance::Distance;
use super::drafts::{NoContents, OldContents, read};
use super::error::PushError;
use super::reach::{Connection, destination_bytes};
use super::source::Source;
use crate::compare::SourceEntry;
use crate::compressed_names::is_precompressed;
use crate::digest::{Digest, ShortDigest};
use crate::proto::StateHasher;
use crate::state::{RemoteEntry, StateId};
use crate::store::{DestinationKey, RememberedState, Store};

/// The memory of one destination.
pub struct Memory<'s> {
    store: Option<&'s Store>,
    key: DestinationKey,
    name: String,
    id: Option<StateId>,
    was_near: bool,
}

impl<'s> Memory<'s> {
    /// The memory of `target`, and the entries of its remembered state.
    pub fn of(
        target: &Target,
        connection: &Connection<'s>,
    ) -> Result<(Memory<'s>, Vec<RemoteEntry>), PushError> {
        let (store, path) = (connection.store, destination_bytes(target)?);
        let name = match target {
            Target::Local(_) => assetsync_core::text::name(&path),
            Target::Remote(remote) => remote.to_string(),
        };
        let key = DestinationKey::new(target, connection.ssh.port);
        let remembered = store.and_then(|store| store.state(&key));
        let was_near = remembered.as_ref().is_some_and(|state| state.is_near);
        let (id, entries) = remembered.map(|state| (state.id, state.entries)).unzip();
        let memory = Memory { store, key, name, id, was_near };
        Ok((memory, entries.unwrap_or_default()))
    }

    /// The id of the remembered state.
    pub fn id(&self) -> Option<StateId> {
        self.id
    }

    /// How far the destination was.
    pub fn distance(&self) -> Distance {
        if self.was_near { Distance::Near } else { Distance::Far }
    }

    /// The remembered history; empty if there is none.
    pub fn history(&self) -> Vec<u8> {
        self.store.and_then(|store| store.history(&self.key)).unwrap_or_default()
    }

    /// Keeps the destination's history, if it is not the one that was `remembered`.
    pub fn keep_history(&self, remembered: &[u8], history: &[u8]) {
        let Some(store) = self.store.filter(|_| remembered != history) else { return };
        let _ = store.remember_history(&self.key, history);
    }

    /// Contents that destinations had.
    pub fn contents(&self) -> &dyn OldContents {
        match self.store {
            Some(store) => store,
            None => &NoContents,
        }
    }

    /// Keeps the source's contents that later ones may be compared with.
    pub fn keep_contents(&self, source: &Source, entries: &[SourceEntry]) {
        let Some(store) = self.store else { return };
        let files = entries.iter().filter_map(|local| {
            let size = local.entry.file_size()?;
            let kept = !is_precompressed(local.entry.path.as_bytes());
            kept.then_some((local, (local.digest?, size)))
        });
        let (files, wanted): (Vec<&SourceEntry>, Vec<(Digest, u64)>) = files.unzip();
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let read = |at: usize| read(source, files[at]).ok_or_else(missing);
        let _ = store.add(&wanted, &read);
    }

    /// Keeps what stands at the destination now, if both sides see the same, and how far it is.
    pub fn keep_state(
        &self,
        theirs: Option<StateId>,
        distance: Distance,
        entries: Vec<RemoteEntry>,
    ) {
        let id = StateHasher::id(&entries);
        if theirs == Some(id) {
            self.remember(RememberedState { id, is_near: distance == Distance::Near, entries });
        }
    }

    /// Keeps what stands at a destination without an agent, as far as this side knows: nobody there can confirm it.
    pub fn keep_unconfirmed(&self, entries: Vec<RemoteEntry>) {
        let id = StateHasher::id(&entries);
        self.remember(RememberedState { id, is_near: self.was_near, entries });
    }

    fn remember(&self, state: RememberedState) {
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
