//! Requests of which many are under way at a time.

use std::collections::BTreeMap;

use super::reply::{Op, Reply};
use super::wire::{Attributes, Packet, kind};
use super::{Change, Result, SftpSession};

/// Requests under way: 64 hide the latency of any link, and their replies fit any pipe.
pub(super) const WINDOW: usize = 64;

impl SftpSession {
    /// Attributes at each path; of a symbolic link, the link's own. Fails only if the session does.
    pub fn lstat_all<P: AsRef<[u8]>>(&mut self, paths: &[P]) -> Result<Vec<Result<Attributes>>> {
        let request = |path| (Op("stat", path), Packet::request(kind::LSTAT).string(path));
        self.all(paths.iter().map(|path| request(path.as_ref())), Op::attributes)
    }

    /// Attributes at each path; symbolic links are followed. Fails only if the session does.
    pub fn stat_all<P: AsRef<[u8]>>(&mut self, paths: &[P]) -> Result<Vec<Result<Attributes>>> {
        let request = |path| (Op("stat", path), Packet::request(kind::STAT).string(path));
        self.all(paths.iter().map(|path| request(path.as_ref())), Op::attributes)
    }

    /// The target of each symbolic link. Fails only if the session does.
    pub fn read_links<P: AsRef<[u8]>>(&mut self, paths: &[P]) -> Result<Vec<Result<Vec<u8>>>> {
        let request = |path| (Op("read link", path), Packet::request(kind::READLINK).string(path));
        self.all(paths.iter().map(|path| request(path.as_ref())), Op::name)
    }

    /// Makes changes that do not depend on each other: servers may make them in any order. A
    /// refused one does not keep others from being made; fails only if the session does.
    pub fn change_all(&mut self, changes: &[Change]) -> Result<Vec<Result<()>>> {
        let replaces = self.renames_atomically();
        let requests = changes.iter().map(|change| (change.op(), change.packet(replaces)));
        self.all(requests, Op::status)
    }

    /// The replies to all requests, in the order of the requests.
    fn all<'r, T>(
        &mut self,
        mut requests: impl Iterator<Item = (Op<'r>, Packet)>,
        read: impl Fn(Op<'r>, Reply) -> Result<T>,
    ) -> Result<Vec<Result<T>>> {
        let mut waiting: BTreeMap<u32, (usize, Op<'r>)> = BTreeMap::new();
        let mut results: Vec<Option<Result<T>>> = Vec::new();
        loop {
            while waiting.len() < WINDOW
                && let Some((op, packet)) = requests.next()
            {
                waiting.insert(self.send(op, packet)?, (results.len(), op));
                results.push(None);
            }
            let Some((_, &(_, op))) = waiting.first_key_value() else {
                return Ok(results.into_iter().flatten().collect());
            };
            let (id, reply) = self.receive(op)?;
            let (at, op) = waiting.remove(&id).ok_or_else(|| op.broken())?;
            results[at] = Some(read(op, reply));
        }
    }
}
