//! A directory on disk, read into memory.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{ErrorContext, Result};

/// Every path below a directory, relative to it, in byte order. The directory itself is not in it.
pub type Snapshot = BTreeMap<Vec<u8>, Node>;

/// The kind of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A device, pipe or socket.
    Other,
}

/// A path's kind, attributes and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its kind.
    pub kind: Kind,
    /// Its permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// Its modification time in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// A file's length; 0 for all else.
    pub size: u64,
    /// A file's BLAKE3.
    pub hash: Option<blake3::Hash>,
    /// The target of a symbolic link.
    pub target: Option<Vec<u8>>,
}

/// Reads everything below `dir`, contents included.
pub fn snapshot(dir: &Path) -> Result<Snapshot> {
    let mut found = Snapshot::new();
    read_dir(dir, dir, &mut found)?;
    Ok(found)
}

fn read_dir(root: &Path, dir: &Path, found: &mut Snapshot) -> Result<()> {
    for entry in fs::read_dir(dir).doing("list", dir)? {
        let path = entry.doing("list", dir)?.path();
        let node = read_node(&path)?;
        let is_dir = node.kind == Kind::Dir;
        let relative = path.strip_prefix(root).unwrap_or(&path);
        found.insert(relative.as_os_str().as_bytes().to_vec(), node);
        if is_dir {
            read_dir(root, &path, found)?;
        }
    }
    Ok(())
}

fn read_node(path: &Path) -> Result<Node> {
    let metadata = fs::symlink_metadata(path).doing("read", path)?;
    let kind = kind_of(&metadata);
    let is_file = kind == Kind::File;
    let hash = is_file.then(|| fs::read(path).doing("read", path)).transpose()?;
    let target = (kind == Kind::Symlink).then(|| fs::read_link(path).doing("read", path));
    Ok(Node {
        kind,
        mode: metadata.mode() & 0o7777,
        mtime_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        size: if is_file { metadata.len() } else { 0 },
        hash: hash.map(|bytes| blake3::hash(&bytes)),
        target: target.transpose()?.map(|target| target.as_os_str().as_bytes().to_vec()),
    })
}

fn kind_of(metadata: &Metadata) -> Kind {
    let kind = metadata.file_type();
    match (kind.is_file(), kind.is_dir(), kind.is_symlink()) {
        (true, _, _) => Kind::File,
        (_, true, _) => Kind::Dir,
        (_, _, true) => Kind::Symlink,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn every_kind_is_read_as_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/f"), "abc").unwrap();
        symlink("nowhere", root.join("l")).unwrap();
        let _socket = UnixListener::bind(root.join("s")).unwrap();
        let found = snapshot(root).unwrap();
        let kinds: Vec<_> =
            found.iter().map(|(path, node)| (&path[..], node.kind, node.size)).collect();
        assert_eq!(
            kinds,
            [
                (&b"d"[..], Kind::Dir, 0),
                (b"d/f", Kind::File, 3),
                (b"l", Kind::Symlink, 0),
                (b"s", Kind::Other, 0)
            ]
        );
        assert_eq!(found[&b"d/f"[..]].hash, Some(blake3::hash(b"abc")));
        assert_eq!(found[&b"l"[..]].target.as_deref(), Some(&b"nowhere"[..]));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = snapshot(Path::new("/no/such/tree")).unwrap_err().to_string();
        assert!(error.starts_with("Cannot list /no/such/tree: "), "{error}");
    }
}
