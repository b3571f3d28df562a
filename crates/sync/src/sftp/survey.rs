//! Lists the destination over SFTP.

use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::FailureCode;
use assetsync_core::state::{RemoteEntry, State};
use assetsync_core::work_names::is_work_dir_name;
use assetsync_ssh::sftp::{Attributes, DirectoryEntry};

use super::host::SftpHost;
use super::names;
use crate::error::PushError;

/// Approximate bytes on the wire for a listed name, besides twice the name itself.
const LISTED_BYTES: u64 = 96;

/// A listed destination.
#[derive(Debug, Default)]
pub struct Survey {
    /// The state. Digests are not known.
    pub state: State,
    /// Approximate bytes of the listing on the wire.
    pub bytes: u64,
}

/// Lists everything below `root` except work directories. A listing that no file system could give
/// is refused.
pub fn survey(remote: &mut SftpHost<'_>, root: &[u8]) -> Result<Survey, PushError> {
    let mut survey = Survey::default();
    let mut pending = vec![None];
    while let Some(dir) = pending.pop() {
        let at = dir.as_ref().map_or_else(|| root.to_vec(), |dir| names::below(root, dir));
        let listed = remote.session.read_dir(&at).map_err(|error| remote.refused(&error))?;
        survey.bytes +=
            listed.iter().map(|entry| entry.name.len() as u64 * 2 + LISTED_BYTES).sum::<u64>();
        let paths = check(dir.as_ref(), &listed)
            .map_err(|text| remote.fail(FailureCode::Protocol, &at, &text))?;
        for (path, item) in paths.into_iter().zip(&listed) {
            let Some(path) = path else { continue };
            let entry = entry(remote, root, path, item.attributes)?;
            if entry.kind == Kind::Dir {
                pending.push(Some(entry.path.clone()));
            }
            survey.state.entries.push(RemoteEntry { entry, digest: None });
        }
        if survey.state.entries.len() as u64 > limits::ENTRIES {
            return Err(remote.fail(FailureCode::Protocol, root, "too many paths"));
        }
    }
    survey.state.entries.sort_unstable_by(|a, b| a.entry.path.cmp(&b.entry.path));
    Ok(survey)
}

/// The path of each listed name; none for work directories. A server's names are checked: no
/// slashes, no dots, no NULs, none twice, none too long or too deep.
fn check(
    parent: Option<&RelPath>,
    listed: &[DirectoryEntry],
) -> Result<Vec<Option<RelPath>>, String> {
    let mut sorted: Vec<&[u8]> = listed.iter().map(|entry| &entry.name[..]).collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("the server lists '{}' twice", assetsync_core::text::name(pair[0])));
    }
    let path = |entry: &DirectoryEntry| {
        let name = &entry.name;
        if !names::is_name(name) {
            return Err(format!(
                "the server lists '{}', which is no name",
                assetsync_core::text::name(name)
            ));
        }
        if is_work_dir_name(name) {
            return Ok(None);
        }
        RelPath::join(parent, name).map(Some).map_err(|error| error.to_string())
    };
    listed.iter().map(path).collect()
}

fn entry(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    path: RelPath,
    listed: Attributes,
) -> Result<Entry, PushError> {
    let at = names::below(root, &path);
    // Some servers list the target of a link. So a directory is checked with lstat, because a link
    // would lead out of the destination.
    let complete = listed.mode.is_some() && listed.size.is_some() && listed.mtime.is_some();
    let complete = complete && !listed.is_dir();
    let attributes = match complete {
        true => listed,
        false => remote.session.lstat(&at).map_err(|error| remote.refused(&error))?,
    };
    let Some((mut kind, mode)) = kind(&attributes) else {
        return Err(remote.fail(FailureCode::Protocol, &at, "the server does not say what it is"));
    };
    if let Kind::Symlink { target } = &mut kind {
        *target = remote.session.read_link(&at).map_err(|error| remote.refused(&error))?;
        if target.len() > limits::LINK_TARGET_BYTES {
            return Err(remote.fail(FailureCode::Protocol, &at, "the link's text is too long"));
        }
    }
    let secs = attributes.mtime.map_or(0, i64::from);
    // A link's own time can't be set over SFTP, so it is not compared.
    let mtime = match kind {
        Kind::File { .. } => Mtime { secs, nanos: 0 },
        _ => Mtime::default(),
    };
    Ok(Entry { path, kind, mode, mtime })
}

/// Kind (a link without its text) and permission bits.
fn kind(attributes: &Attributes) -> Option<(Kind, u32)> {
    let mode = attributes.mode? & 0o7777;
    let kind = match (attributes.is_file(), attributes.is_dir(), attributes.is_symlink()) {
        (true, _, _) => Kind::File { size: attributes.size? },
        (_, true, _) => Kind::Dir,
        (_, _, true) => Kind::Symlink { target: Vec::new() },
        _ => Kind::Special,
    };
    Some((kind, mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&[u8]]) -> Vec<DirectoryEntry> {
        let entry = |name: &&[u8]| DirectoryEntry {
            name: name.to_vec(),
            attributes: Attributes::default(),
        };
        names.iter().map(entry).collect()
    }

    #[test]
    fn hostile_listings_are_refused() {
        let cases: [&[&[u8]]; 6] =
            [&[b"a/b"], &[b".."], &[b"../x"], &[b"a\0b"], &[b""], &[b"a", b"b", b"a"]];
        for case in cases {
            assert!(check(None, &listed(case)).is_err(), "{case:?}");
        }
        let deep = vec![b"d".as_slice(); limits::PATH_DEPTH].join(&b'/');
        let deep = RelPath::new(&deep).unwrap();
        assert!(check(Some(&deep), &listed(&[b"x"])).is_err());
    }

    #[test]
    fn work_directories_are_passed_over_at_any_depth() {
        let names = listed(&[b".assetsync", b".assetsync-x", b".assetsyncs", b"-x\n\xff"]);
        for parent in [None, Some(RelPath::new(b"d").unwrap())] {
            let expected = |name: &[u8]| Some(RelPath::join(parent.as_ref(), name).unwrap());
            let expected = [None, None, expected(b".assetsyncs"), expected(b"-x\n\xff")];
            assert_eq!(check(parent.as_ref(), &names).unwrap(), expected);
        }
    }

    #[test]
    fn kinds_and_bits() {
        let told = |mode, size| Attributes { mode, size, ..Attributes::default() };
        let rows = [
            (told(Some(0o100644), Some(3)), Some((Kind::File { size: 3 }, 0o644))),
            (told(Some(0o042755), None), Some((Kind::Dir, 0o2755))),
            (told(Some(0o010600), None), Some((Kind::Special, 0o600))),
            (told(None, Some(3)), None),
            (told(Some(0o100644), None), None),
        ];
        for (attributes, expected) in rows {
            assert_eq!(kind(&attributes), expected, "{attributes:?}");
        }
    }
}
