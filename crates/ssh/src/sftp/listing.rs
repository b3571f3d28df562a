//! Lists directories, several at a time.

use std::collections::BTreeMap;

use super::reply::{Op, Reply, is_end_of_file};
use super::wire::{Attributes, Fields, Packet, kind};
use super::{Result, SftpError, SftpErrorKind, SftpSession};

/// Maximum number of names in the directories that are listed at once.
const NAMES_LIMIT: usize = 4_000_000;
/// Directories that are listed at a time.
const DIRECTORIES: usize = 16;
/// Requests for more names that are under way for one directory, at most. A server that sends about
/// 100 names at a time is asked for more and more at a time; one that sends all at once, which may
/// not expect two requests at a time, never has two.
const READS_LIMIT: usize = 16;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name as the server sent it: a hint, not to be trusted as a path.
    pub name: Vec<u8>,
    /// Its attributes; of a symbolic link, the link's own.
    pub attributes: Attributes,
}

/// Directories being listed.
struct Lister<'p> {
    paths: Vec<&'p [u8]>,
    /// The next one to open.
    next: usize,
    open: usize,
    names: usize,
    listings: Vec<Listing>,
    waiting: BTreeMap<u32, usize>,
}

/// A directory being listed.
#[derive(Default)]
struct Listing {
    handle: Option<Vec<u8>>,
    under_way: usize,
    /// Replies with names.
    replies: u32,
    ended: bool,
    entries: Vec<DirectoryEntry>,
    error: Option<SftpError>,
}

impl SftpSession {
    /// All names of each directory but `.` and `..`. Fails only if the session does.
    pub fn read_dirs<P: AsRef<[u8]>>(
        &mut self,
        paths: &[P],
    ) -> Result<Vec<Result<Vec<DirectoryEntry>>>> {
        let paths: Vec<&[u8]> = paths.iter().map(AsRef::as_ref).collect();
        let listings = paths.iter().map(|_| Listing::default()).collect();
        let (next, open, names, waiting) = (0, 0, 0, BTreeMap::new());
        let mut lister = Lister { paths, next, open, names, listings, waiting };
        lister.run(self)?;
        let result = |listing: Listing| listing.error.map_or(Ok(listing.entries), Err);
        Ok(lister.listings.into_iter().map(result).collect())
    }
}

impl Lister<'_> {
    fn op(&self, at: usize) -> Op<'_> {
        Op("list", self.paths[at])
    }

    fn run(&mut self, session: &mut SftpSession) -> Result<()> {
        loop {
            while self.open < DIRECTORIES && self.next < self.paths.len() {
                let path = self.paths[self.next];
                let id =
                    session.send(Op("list", path), Packet::request(kind::OPENDIR).string(path))?;
                self.waiting.insert(id, self.next);
                self.listings[self.next].under_way = 1;
                (self.next, self.open) = (self.next + 1, self.open + 1);
            }
            let Some((_, &at)) = self.waiting.first_key_value() else { return Ok(()) };
            let (id, reply) = session.receive(self.op(at))?;
            let at = self.waiting.remove(&id).ok_or_else(|| self.op(at).broken())?;
            self.listings[at].under_way -= 1;
            self.receive(at, reply)?;
            self.go_on(session, at)?;
        }
    }

    /// Takes a handle or names.
    fn receive(&mut self, at: usize, reply: Reply) -> Result<()> {
        let op = Op("list", self.paths[at]);
        let listing = &mut self.listings[at];
        if listing.handle.is_none() {
            match op.handle(reply) {
                Ok(handle) => listing.handle = Some(handle),
                Err(error) => listing.fail(error),
            }
            return Ok(());
        }
        if is_end_of_file(&reply) {
            listing.ended = true;
            return Ok(());
        }
        match op.expect(reply, kind::NAME) {
            Ok(body) => {
                let count = read_names(op, &body, &mut listing.entries)?;
                // A list that never ends would be one without names.
                listing.ended |= count == 0;
                listing.replies += 1;
                self.names += count;
            }
            // Requests behind the end may fail.
            Err(_) if listing.ended => {}
            Err(error) => listing.fail(error),
        }
        if self.names > NAMES_LIMIT {
            return Err(op.error(SftpErrorKind::Protocol, "the server lists too many names"));
        }
        Ok(())
    }

    /// Asks for more names, or closes the directory.
    fn go_on(&mut self, session: &mut SftpSession, at: usize) -> Result<()> {
        let op = Op("list", self.paths[at]);
        let listing = &mut self.listings[at];
        if let Some(handle) = listing.handle.as_ref().filter(|_| !listing.ended) {
            let doublings = listing.replies.saturating_sub(1).min(READS_LIMIT.ilog2());
            while listing.under_way < 1 << doublings {
                let id = session.send(op, Packet::request(kind::READDIR).string(handle))?;
                self.waiting.insert(id, at);
                listing.under_way += 1;
            }
        } else if listing.under_way == 0 {
            self.open -= 1;
            if let Some(handle) = &listing.handle {
                session.forget(op, Packet::request(kind::CLOSE).string(handle))?;
            }
        }
        Ok(())
    }
}

impl Listing {
    fn fail(&mut self, error: SftpError) {
        (self.error, self.ended) = (Some(error), true);
    }
}

/// Reads names, and returns how many there are.
fn read_names(op: Op<'_>, body: &[u8], entries: &mut Vec<DirectoryEntry>) -> Result<usize> {
    let mut fields = Fields(body);
    let count = fields.u32().ok_or_else(|| op.broken())?;
    for _ in 0..count {
        let entry = entry(&mut fields).ok_or_else(|| op.broken())?;
        if entry.name != b"." && entry.name != b".." {
            entries.push(entry);
        }
    }
    Ok(count as usize)
}

fn entry(fields: &mut Fields<'_>) -> Option<DirectoryEntry> {
    let name = fields.string()?.to_vec();
    let _long_form = fields.string()?;
    Some(DirectoryEntry { name, attributes: fields.attributes()? })
}
