//! Finds out how a server replaces and removes symbolic links.
//!
//! Some resolve the paths of a request first, so that a rename onto a link replaces the file that
//! the link leads to. Whether a server does is seen on links in the staging directory, before any
//! link of the destination is touched.

use assetsync_core::protocol::FailureCode;
use assetsync_ssh::sftp::{DirectoryEntry, SftpError, SftpErrorKind};

use super::host::SftpHost;
use super::staging_dir::StagingDir;
use crate::error::PushError;

/// How a link is replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Links {
    /// By renaming onto it.
    Replaced,
    /// It is removed first: a rename follows it, or may follow it.
    #[default]
    Removed,
}

const REPLACED: &[u8] = b"probe-replaced";
const REMOVED: &[u8] = b"probe-removed";
const NEW: &[u8] = b"probe-new";
const FILES: [&[u8]; 2] = [b"probe-file-1", b"probe-file-2"];

/// Tries both in the staging directory. A server that can't even remove a link without its file is
/// refused.
pub fn probe(remote: &mut SftpHost<'_>, stage: &StagingDir) -> Result<Links, PushError> {
    let tried = rename_onto_link(remote, stage);
    lost(remote, tried)?;
    let tried = remove_link(remote, stage);
    lost(remote, tried)?;
    let listed = remote.session.read_dir(stage.dir()).map_err(|error| remote.refused(&error))?;
    let kind = |name: &[u8]| listed.iter().find(|entry| entry.name == name).map(kind);
    // A server that removes nothing says so when it is asked to.
    if kind(FILES[1]) != Some(Kind::File) {
        let text = "this server can't remove a symbolic link without the file that it leads to; \
                    remove the links in the destination, or push in another way than SFTP";
        return Err(remote.fail(FailureCode::Other, stage.dir(), text));
    }
    let replaced = (kind(REPLACED), kind(FILES[0]), kind(NEW));
    match replaced == (Some(Kind::Link), Some(Kind::File), None) {
        true => Ok(Links::Replaced),
        false => Ok(Links::Removed),
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    File,
    Link,
    Other,
}

fn kind(entry: &DirectoryEntry) -> Kind {
    match (entry.attributes.is_file(), entry.attributes.is_symlink()) {
        (true, _) => Kind::File,
        (_, true) => Kind::Link,
        _ => Kind::Other,
    }
}

/// What a refusal means shows in the listing; without a connection there is none.
fn lost(remote: &SftpHost<'_>, tried: Result<(), SftpError>) -> Result<(), PushError> {
    match tried {
        Err(error) if error.kind == SftpErrorKind::Lost => Err(remote.refused(&error)),
        _ => Ok(()),
    }
}

fn rename_onto_link(remote: &mut SftpHost<'_>, stage: &StagingDir) -> Result<(), SftpError> {
    let session = &mut remote.session;
    session.create(&stage.path(FILES[0]), 0o600, true)?;
    session.symlink(FILES[0], &stage.path(REPLACED))?;
    session.symlink(b"nowhere", &stage.path(NEW))?;
    session.rename(&stage.path(NEW), &stage.path(REPLACED))
}

fn remove_link(remote: &mut SftpHost<'_>, stage: &StagingDir) -> Result<(), SftpError> {
    let session = &mut remote.session;
    session.create(&stage.path(FILES[1]), 0o600, true)?;
    session.symlink(FILES[1], &stage.path(REMOVED))?;
    session.remove(&stage.path(REMOVED))
}
