//! Compares files of the source and the destination: equal, different, or to be asked about.

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Mtime};
use assetsync_core::index::Listed;
use assetsync_core::state::RemoteEntry;

use super::source_index::SourceList;

/// One path of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// The path with its kind, mode and mtime.
    pub entry: Entry,
    /// The content's digest; every regular file has one.
    pub digest: Option<Digest>,
}

impl Listed for SourceEntry {
    type List = SourceList;
}

/// Whether the contents of two files are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentMatch {
    /// They are the same.
    Yes,
    /// They differ.
    No,
    /// Unknown until the destination's file is read.
    Query,
}

/// The resolution of the destination's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MtimeResolution {
    /// To the nanosecond.
    #[default]
    Nanoseconds,
    /// To the second, as SFTP does.
    Seconds,
}

impl MtimeResolution {
    /// Whether two times are the same at this resolution.
    pub fn same(self, a: Mtime, b: Mtime) -> bool {
        match self {
            MtimeResolution::Nanoseconds => a == b,
            MtimeResolution::Seconds => a.secs == b.secs,
        }
    }
}

/// Compares the contents of two regular files at the same path.
pub fn same_content(local: &SourceEntry, remote: &RemoteEntry, size_only: bool) -> ContentMatch {
    let (Some(here), Some(there)) = (local.entry.file_size(), remote.entry.file_size()) else {
        return ContentMatch::No;
    };
    if here != there {
        return ContentMatch::No;
    }
    let known = local.digest.zip(remote.digest);
    match (size_only, known) {
        (true, _) => ContentMatch::Yes,
        (false, Some((here, there))) if here.short() == there => ContentMatch::Yes,
        (false, Some(_)) => ContentMatch::No,
        (false, None) => ContentMatch::Query,
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Kind;
    use assetsync_core::path::RelPath;

    use super::*;

    fn file(size: u64, secs: i64, nanos: u32) -> Entry {
        let path = RelPath::new(b"a").unwrap();
        Entry { path, kind: Kind::File { size }, mode: 0o644, mtime: Mtime { secs, nanos } }
    }

    #[test]
    fn only_size_and_digests_decide() {
        let local = SourceEntry { entry: file(3, 10, 5), digest: Some(Digest::of(b"abc")) };
        let abc = Some(Digest::of(b"abc").short());
        let abd = Some(Digest::of(b"abd").short());
        let rows = [
            (file(3, 10, 5), abc, false, ContentMatch::Yes),
            (file(3, 99, 0), abc, false, ContentMatch::Yes),
            (file(3, 10, 5), abd, false, ContentMatch::No),
            (file(3, 10, 5), None, false, ContentMatch::Query),
            (file(3, 10, 6), None, false, ContentMatch::Query),
            (file(4, 10, 5), None, false, ContentMatch::No),
            (file(4, 10, 5), abc, true, ContentMatch::No),
            (file(3, 10, 5), None, true, ContentMatch::Yes),
            (file(3, 99, 5), abd, true, ContentMatch::Yes),
        ];
        for (entry, digest, rule, expected) in rows {
            let remote = RemoteEntry { entry, digest };
            assert_eq!(same_content(&local, &remote, rule), expected, "{remote:?} {rule:?}");
        }
    }
}
