//! The digests of files that this machine pushed before: over SFTP the server can't compute them.

use assetsync_core::plan::Plan;
use assetsync_core::state::{RemoteEntry, State};
use assetsync_ssh::Target;

use crate::connect::start_agent::ConnectOptions;
use crate::error::PushError;
use crate::plan::state_after::state_after;
use crate::store::destination_cache::DestinationCache;

/// The cached state of a destination.
pub struct Remembered<'s> {
    cache: DestinationCache<'s>,
    entries: Vec<RemoteEntry>,
}

impl<'s> Remembered<'s> {
    /// The cached state of `target` in the connection's store.
    pub fn of(
        target: &Target,
        connection: &ConnectOptions<'s>,
    ) -> Result<Remembered<'s>, PushError> {
        let (cache, entries) = DestinationCache::of(target, connection)?;
        Ok(Remembered { cache, entries })
    }

    /// Sets the digests of files whose size and mtime, in seconds, are unchanged.
    pub fn recall(&self, state: &mut State) {
        let mut cached = self.entries.iter().peekable();
        for remote in &mut state.entries {
            while cached.next_if(|before| before.entry.path < remote.entry.path).is_some() {}
            let Some(before) = cached.peek() else { break };
            if is_unchanged(before, remote) {
                remote.digest = before.digest;
            }
        }
    }

    /// Caches the state that the plan will make, before it is carried out. After an interruption,
    /// size and mtime in seconds show which files were published; files for which both are the same
    /// before and after are left out.
    pub fn begin(&self, state: &State, plan: &Plan) {
        let mut after = state_after(state, plan, &[], true);
        let mut existing = state.entries.iter().peekable();
        for remote in &mut after {
            while existing.next_if(|before| before.entry.path < remote.entry.path).is_some() {}
            let Some(before) = existing.peek() else { break };
            if is_unchanged(before, remote) && before.digest != remote.digest {
                remote.digest = None;
            }
        }
        self.cache.keep_unconfirmed(after);
    }

    /// Caches the state after the plan is carried out. Digests of files that were not sent come
    /// from the state only: if sizes decide, a file that stays may have another content than the
    /// source's.
    pub fn keep(&self, state: &State, plan: &Plan) {
        self.cache.keep_unconfirmed(state_after(state, plan, &[], true));
    }
}

fn is_unchanged(before: &RemoteEntry, now: &RemoteEntry) -> bool {
    let (before, now) = (&before.entry, &now.entry);
    before.path == now.path && before.kind == now.kind && before.mtime.secs == now.mtime.secs
}

#[cfg(test)]
mod tests {
    use assetsync_core::digest::{Digest, ShortDigest};
    use assetsync_core::entry::{Entry, Kind, Mtime};
    use assetsync_core::path::RelPath;

    use super::*;

    fn remote(path: &str, size: u64, secs: i64, digest: Option<ShortDigest>) -> RemoteEntry {
        let (path, kind) = (RelPath::new(path.as_bytes()).unwrap(), Kind::File { size });
        let entry = Entry { path, kind, mode: 0o644, mtime: Mtime { secs, nanos: 0 } };
        RemoteEntry { entry, digest }
    }

    #[test]
    fn a_digest_is_recalled_only_where_path_size_and_second_are_those_of_then() {
        let digest = Some(Digest::of(b"content").short());
        let before = remote("b", 7, 1000, digest);
        let mut fine = before.clone();
        fine.entry.mtime.nanos = 5;
        let rows = [
            (remote("b", 7, 1000, None), true),
            (remote("b", 8, 1000, None), false),
            (remote("b", 7, 1001, None), false),
            (remote("a", 7, 1000, None), false),
            (remote("c", 7, 1000, None), false),
        ];
        assert!(is_unchanged(&fine, &before));
        for (now, expected) in rows {
            assert_eq!(is_unchanged(&before, &now), expected, "{now:?}");
        }
    }
}
