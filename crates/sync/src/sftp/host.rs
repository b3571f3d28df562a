//! An SFTP session with a host, and the errors for its refusals.

use assetsync_core::limits;
use assetsync_core::protocol::{Failure, FailureCode};
use assetsync_ssh::sftp::{
    Change, SftpError, SftpErrorKind, SftpOpenError, SftpSession, sftp_session,
};
use assetsync_ssh::{RemoteTarget, TransportError};

use super::names::{is_name, is_open, join};
use crate::connect::start_agent::ConnectOptions;
use crate::error::PushError;
use crate::event::{Event, Monitor};

/// A disk with fewer free bytes is full.
const FULL_DISK_BYTES: u64 = 64 * 1024;

/// An open session and its host's name.
pub struct SftpHost<'a> {
    /// The session.
    pub session: SftpSession,
    /// The host as it was given.
    pub host: String,
    /// Receives events.
    pub monitor: &'a dyn Monitor,
}

impl<'a> SftpHost<'a> {
    /// Connects to the host of `target`.
    pub fn connect(
        target: &RemoteTarget,
        connection: &ConnectOptions<'_>,
        monitor: &'a dyn Monitor,
    ) -> Result<SftpHost<'a>, PushError> {
        let host = target.host.clone();
        match sftp_session(target, connection.ssh, connection.prompt) {
            Ok((session, how)) => {
                monitor.event(Event::Connected { how: &how });
                Ok(SftpHost { session, host, monitor })
            }
            Err(SftpOpenError::Transport(error)) => Err(error.into()),
            Err(error) => Err(PushError::NoSftp(error)),
        }
    }

    /// Sends the user a message.
    pub fn notice(&self, text: &str) {
        self.monitor.event(Event::Notice(text));
    }

    /// The error for a refusal.
    pub fn refused(&self, error: &SftpError) -> PushError {
        refused(&self.host, error)
    }

    /// The error for a failure at a path, with a text of this side.
    pub fn fail(&self, code: FailureCode, path: &[u8], text: &str) -> PushError {
        let path = assetsync_core::text::name(path);
        PushError::Agent(failure(code, format!("{}: {path}: {text}", self.host)))
    }

    /// The error for a refusal to write `needed` bytes. SFTP has no error code for a full disk, so
    /// the free space is queried.
    pub fn refused_write(&mut self, error: &SftpError, dir: &[u8], needed: u64) -> PushError {
        if error.kind == SftpErrorKind::Failure
            && let Ok(Some(free_space)) = self.session.free_space(dir)
            && free_space.bytes < needed.max(FULL_DISK_BYTES)
        {
            return PushError::NoRoom { needed, free: free_space.bytes };
        }
        self.refused(error)
    }

    /// Makes changes that do not depend on each other; the first refusal is the error, once all are
    /// tried. Missing paths are ignored.
    fn change_all(&mut self, changes: &[Change]) -> Result<(), SftpError> {
        let results = self.session.change_all(changes)?;
        results.into_iter().map(ignore_missing).fold(Ok(()), Result::and)
    }

    /// Removes a directory and everything below it, following no links. Missing paths are ignored.
    pub fn remove_tree(&mut self, dir: &[u8]) -> Result<(), SftpError> {
        let (mut level, mut levels) = (vec![dir.to_vec()], Vec::new());
        let mut seen = 0;
        while !level.is_empty() && seen <= limits::ENTRIES {
            let (mut files, mut dirs) = (Vec::new(), Vec::new());
            let listed = self.session.read_dirs(&level)?;
            for (dir, entries) in level.iter().zip(listed) {
                let entries = optional(entries)?.unwrap_or_default();
                seen += entries.len() as u64;
                for entry in entries.iter().filter(|entry| is_name(&entry.name)) {
                    let path = join(dir, &entry.name);
                    match entry.attributes.is_dir() {
                        true => dirs.push(path),
                        false => files.push(Change::Remove { path }),
                    }
                }
            }
            let dirs = self.open_dirs(dirs, &mut files)?;
            self.change_all(&files)?;
            levels.push(std::mem::replace(&mut level, dirs));
        }
        for level in levels.into_iter().rev() {
            let removes: Vec<_> = level.into_iter().map(|path| Change::Rmdir { path }).collect();
            self.change_all(&removes)?;
        }
        Ok(())
    }

    /// Makes a read-only destination writable; returns the change that undoes that. What refuses
    /// shows when nothing can be made in it.
    pub fn open_root(
        &mut self,
        root: &[u8],
        mode: Option<u32>,
    ) -> Result<Option<Change>, PushError> {
        let Some(mode) = mode.map(|mode| mode & 0o7777).filter(|mode| !is_open(*mode)) else {
            return Ok(None);
        };
        let set =
            |mode| Change::SetAttributes { path: root.to_vec(), mode: Some(mode), mtime: None };
        let opened = self.session.change_all(&[set(mode | 0o700)]);
        opened.map_err(|error| self.refused(&error))?;
        Ok(Some(set(mode)))
    }

    /// Those of `listed` that are directories, made writable; the others are links that the server
    /// lists as what they lead to, and are removed like files.
    fn open_dirs(
        &mut self,
        listed: Vec<Vec<u8>>,
        files: &mut Vec<Change>,
    ) -> Result<Vec<Vec<u8>>, SftpError> {
        let looked = self.session.lstat_all(&listed)?;
        let (mut dirs, mut closed) = (Vec::new(), Vec::new());
        for (path, attributes) in listed.into_iter().zip(looked) {
            let Some(attributes) = optional(attributes)? else { continue };
            if !attributes.is_dir() {
                files.push(Change::Remove { path });
                continue;
            }
            if attributes.mode.is_some_and(|mode| !is_open(mode)) {
                let path = path.clone();
                closed.push(Change::SetAttributes { path, mode: Some(0o700), mtime: None });
            }
            dirs.push(path);
        }
        // A refusal shows when the directory can't be emptied.
        self.session.change_all(&closed)?;
        Ok(dirs)
    }
}

/// Treats a missing path as deleted.
pub fn ignore_missing(result: Result<(), SftpError>) -> Result<(), SftpError> {
    match result {
        Err(error) if error.kind == SftpErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether the server does not do what was asked, at this path or at all.
pub fn is_refusal(error: &SftpError) -> bool {
    matches!(
        error.kind,
        SftpErrorKind::PermissionDenied
            | SftpErrorKind::Unsupported
            | SftpErrorKind::TargetExists
            | SftpErrorKind::Failure
    )
}

/// `None` for a missing path.
pub fn optional<T>(result: Result<T, SftpError>) -> Result<Option<T>, SftpError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == SftpErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(host: &str, error: &SftpError) -> PushError {
    let text = format!("{host}: {error}");
    let code = match error.kind {
        SftpErrorKind::Lost => return PushError::Closed(text),
        SftpErrorKind::PermissionDenied => FailureCode::Permission,
        SftpErrorKind::TargetExists => FailureCode::Obstruction,
        SftpErrorKind::Protocol => FailureCode::Protocol,
        SftpErrorKind::Failure => {
            let hint = "(over SFTP, a read-only file system and an exhausted quota are not told apart from other failures)";
            return PushError::Agent(failure(FailureCode::Other, format!("{text} {hint}")));
        }
        _ => FailureCode::Other,
    };
    PushError::Agent(failure(code, text))
}

fn failure(code: FailureCode, text: String) -> Failure {
    Failure { code, text }
}

/// An SFTP push goes to a host.
pub fn no_host() -> PushError {
    PushError::Transport(TransportError::Options(
        "SFTP needs a destination on a host, as in host:path",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_host_path_and_cause() {
        let rows = [
            (SftpErrorKind::PermissionDenied, Some(FailureCode::Permission)),
            (SftpErrorKind::TargetExists, Some(FailureCode::Obstruction)),
            (SftpErrorKind::Protocol, Some(FailureCode::Protocol)),
            (SftpErrorKind::Failure, Some(FailureCode::Other)),
            (SftpErrorKind::NotFound, Some(FailureCode::Other)),
            (SftpErrorKind::Lost, None),
        ];
        for (kind, expected) in rows {
            let (path, detail) = ("/srv/x".into(), "so it is".into());
            let error = SftpError { kind, operation: "create", path, detail };
            let error = refused("web", &error);
            let text = error.to_string();
            assert!(text.contains("web: Cannot create /srv/x over SFTP: so it is"), "{text}");
            match (error, expected) {
                (PushError::Agent(failure), Some(code)) => assert_eq!(failure.code, code),
                (PushError::Closed(_), None) => {}
                (error, _) => panic!("{kind:?}: {error:?}"),
            }
        }
    }
}
