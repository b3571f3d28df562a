//! Lists the destination over SFTP.

use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::FailureCode;
use assetsync_core::state::{RemoteEntry, State};
use assetsync_core::work_names::is_work_dir_name;
use assetsync_ssh::sftp::{Attributes, DirectoryEntry};

use super::host::{self, SftpHost};
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

/// A directory, none for the destination itself, and what is in it.
type Listed = (Option<RelPath>, Vec<DirectoryEntry>);

/// Lists everything below `root`, which has these entries, except work directories. A listing that
/// no file system could give is refused.
pub fn survey(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    in_root: Vec<DirectoryEntry>,
) -> Result<Survey, PushError> {
    let mut survey = Survey::default();
    let mut listed = vec![(None, in_root)];
    while !listed.is_empty() {
        let mut found = Vec::new();
        for (dir, entries) in listed {
            let bytes = entries.iter().map(|entry| entry.name.len() as u64 * 2 + LISTED_BYTES);
            survey.bytes += bytes.sum::<u64>();
            let paths = check(dir.as_ref(), &entries)
                .map_err(|text| remote.fail(FailureCode::Protocol, &at(root, &dir), &text))?;
            let paths = paths.into_iter().zip(&entries);
            found.extend(paths.filter_map(|(path, entry)| Some((path?, entry.attributes))));
        }
        if (survey.state.entries.len() + found.len()) as u64 > limits::ENTRIES {
            return Err(remote.fail(FailureCode::Protocol, root, "too many paths"));
        }
        let entries = entries(remote, root, found)?;
        listed = list(remote, root, &entries)?;
        let remote_entry = |entry| RemoteEntry { entry, digest: None };
        survey.state.entries.extend(entries.into_iter().map(remote_entry));
    }
    survey.state.entries.sort_unstable_by(|a, b| a.entry.path.cmp(&b.entry.path));
    Ok(survey)
}

/// Looks at these names in `root` alone.
pub fn look_at(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    names: &[RelPath],
) -> Result<Survey, PushError> {
    let paths: Vec<Vec<u8>> = names.iter().map(|name| names::below(root, name)).collect();
    let looked = remote.session.lstat_all(&paths).map_err(|error| remote.refused(&error))?;
    let mut found = Vec::new();
    for (name, attributes) in names.iter().zip(looked) {
        let attributes = host::optional(attributes).map_err(|error| remote.refused(&error))?;
        found.extend(attributes.map(|attributes| (name.clone(), attributes)));
    }
    let bytes = found.len() as u64 * LISTED_BYTES;
    let entries = entries(remote, root, found)?.into_iter();
    let entries = entries.map(|entry| RemoteEntry { entry, digest: None }).collect();
    Ok(Survey { state: State { entries, partials: Vec::new() }, bytes })
}

/// Where a directory of the destination, or the destination itself, is on the server.
fn at(root: &[u8], dir: &Option<RelPath>) -> Vec<u8> {
    dir.as_ref().map_or_else(|| root.to_vec(), |dir| names::below(root, dir))
}

/// What is listed in those of `entries` that are directories.
fn list(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    entries: &[Entry],
) -> Result<Vec<Listed>, PushError> {
    let dirs = entries.iter().filter(|entry| entry.kind == Kind::Dir);
    let dirs: Vec<Option<RelPath>> = dirs.map(|entry| Some(entry.path.clone())).collect();
    let paths: Vec<Vec<u8>> = dirs.iter().map(|dir| at(root, dir)).collect();
    let listed = remote.session.read_dirs(&paths).map_err(|error| remote.refused(&error))?;
    let listed: Result<Vec<_>, _> = listed.into_iter().collect();
    let listed = listed.map_err(|error| remote.refused(&error))?;
    Ok(dirs.into_iter().zip(listed).collect())
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

fn entries(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    mut found: Vec<(RelPath, Attributes)>,
) -> Result<Vec<Entry>, PushError> {
    complete(remote, root, &mut found)?;
    let mut entries = Vec::with_capacity(found.len());
    for (path, attributes) in found {
        let Some((kind, mode)) = kind(&attributes) else {
            let at = names::below(root, &path);
            let text = "the server does not say what it is";
            return Err(remote.fail(FailureCode::Protocol, &at, text));
        };
        let secs = attributes.mtime.map_or(0, i64::from);
        // A link's own time can't be set over SFTP, so it is not compared.
        let mtime = match kind {
            Kind::File { .. } => Mtime { secs, nanos: 0 },
            _ => Mtime::default(),
        };
        entries.push(Entry { path, kind, mode, mtime });
    }
    read_links(remote, root, &mut entries)?;
    Ok(entries)
}

/// Asks for attributes that are not listed. Some servers list the target of a link, so a directory
/// is checked: a link would lead out of the destination.
fn complete(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    found: &mut [(RelPath, Attributes)],
) -> Result<(), PushError> {
    let is_complete = |of: &Attributes| {
        of.mode.is_some() && of.size.is_some() && of.mtime.is_some() && !of.is_dir()
    };
    let unsure: Vec<&mut (RelPath, Attributes)> =
        found.iter_mut().filter(|(_, attributes)| !is_complete(attributes)).collect();
    let paths: Vec<Vec<u8>> = unsure.iter().map(|(path, _)| names::below(root, path)).collect();
    let looked = remote.session.lstat_all(&paths).map_err(|error| remote.refused(&error))?;
    for ((_, attributes), looked) in unsure.into_iter().zip(looked) {
        *attributes = looked.map_err(|error| remote.refused(&error))?;
    }
    Ok(())
}

/// Reads the text of all links. On a server that can't, the text stays empty, which is like none.
fn read_links(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    entries: &mut [Entry],
) -> Result<(), PushError> {
    let is_link = |entry: &&mut Entry| matches!(entry.kind, Kind::Symlink { .. });
    let links: Vec<&mut Entry> = entries.iter_mut().filter(is_link).collect();
    let paths: Vec<Vec<u8>> = links.iter().map(|entry| names::below(root, &entry.path)).collect();
    let read = remote.session.read_links(&paths).map_err(|error| remote.refused(&error))?;
    for ((entry, at), text) in links.into_iter().zip(paths).zip(read) {
        let target = match text {
            Err(error) if host::is_refusal(&error) => Vec::new(),
            text => text.map_err(|error| remote.refused(&error))?,
        };
        if target.len() > limits::LINK_TARGET_BYTES {
            return Err(remote.fail(FailureCode::Protocol, &at, "the link's text is too long"));
        }
        entry.kind = Kind::Symlink { target };
    }
    Ok(())
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
