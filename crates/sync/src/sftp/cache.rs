//! The digests of files that this machine pushed before: over SFTP the server can't compute them.

use assetsync_core::entry::{Kind, Mtime};
use assetsync_core::path::RelPath;
use assetsync_core::plan::Plan;
use assetsync_core::state::{RemoteEntry, State};
use assetsync_ssh::Target;

use super::kept_attributes::KeptAttributes;
use crate::connect::start_agent::ConnectOptions;
use crate::error::PushError;
use crate::plan::state_after::state_after;
use crate::store::destination_cache::DestinationCache;

/// The cached state of a destination.
pub struct Remembered<'s> {
    cache: DestinationCache<'s>,
    entries: Vec<RemoteEntry>,
    /// What paths were asked to have that have another mode or time.
    asked: Vec<RemoteEntry>,
}

impl<'s> Remembered<'s> {
    /// The cached state of `target` in the connection's store.
    pub fn of(
        target: &Target,
        connection: &ConnectOptions<'s>,
    ) -> Result<Remembered<'s>, PushError> {
        let (cache, entries) = DestinationCache::of(target, connection)?;
        let asked = cache.asked();
        Ok(Remembered { cache, entries, asked })
    }

    /// Sets the digests of files whose size and mtime, in seconds, are unchanged. Paths that still
    /// have what the server keeps instead of the mode and time that it was asked to set count as
    /// having what was asked for: asking again would not help. What those have is added to `kept`.
    pub fn recall(&self, state: &mut State, kept: &mut KeptAttributes) {
        let mut cached = self.entries.iter().peekable();
        for remote in &mut state.entries {
            while cached.next_if(|before| before.entry.path < remote.entry.path).is_some() {}
            let Some(before) = cached.peek() else { break };
            if !is_unchanged(before, remote) {
                continue;
            }
            remote.digest = before.digest;
            let asked = find(&self.asked, &remote.entry.path);
            let same = |asked: &&RemoteEntry| {
                asked.digest == before.digest && before.entry.mode == remote.entry.mode
            };
            if let Some(asked) = asked.filter(same) {
                kept.insert(&remote.entry);
                (remote.entry.mode, remote.entry.mtime) = (asked.entry.mode, asked.entry.mtime);
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

    /// Caches the state after the plan is carried out, with the modes and times that the server has
    /// `kept`, and what it was asked for. Digests of files that were not sent come from the state
    /// only: if sizes decide, a file that stays may have another content than the source's.
    pub fn keep(&self, state: &State, plan: &Plan, kept: &KeptAttributes) {
        let mut after = state_after(state, plan, &[], true);
        let mut asked = Vec::new();
        for remote in &mut after {
            if let Some(there) = kept.of(&remote.entry.path) {
                asked.push(remote.clone());
                remote.entry.mode = there.mode.map_or(remote.entry.mode, |mode| mode & 0o7777);
                if let (Kind::File { .. }, Some(secs)) = (&remote.entry.kind, there.mtime) {
                    remote.entry.mtime = Mtime { secs: secs.into(), nanos: 0 };
                }
            }
        }
        self.cache.keep_unconfirmed(after);
        if asked != self.asked {
            self.cache.keep_asked(asked);
        }
    }
}

fn find<'e>(entries: &'e [RemoteEntry], path: &RelPath) -> Option<&'e RemoteEntry> {
    let at = entries.binary_search_by(|remote| remote.entry.path.cmp(path)).ok()?;
    entries.get(at)
}

fn is_unchanged(before: &RemoteEntry, now: &RemoteEntry) -> bool {
    let (before, now) = (&before.entry, &now.entry);
    before.path == now.path && before.kind == now.kind && before.mtime.secs == now.mtime.secs
}

#[cfg(test)]
mod tests {
    use assetsync_core::digest::{Digest, ShortDigest};
    use assetsync_core::entry::Entry;

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
