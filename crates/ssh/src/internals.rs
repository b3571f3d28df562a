//! What reads files of others, for fuzzing. Nothing here is promised to anyone else.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::channel::{Channel, CommandHandle, Exit, Running};
use crate::error::TransportError;
use crate::host_config::parse;
use crate::known_hosts::matching;
use crate::sftp::{Change, SftpSession};
use crate::ssh_options::SshOptions;
use crate::target::RemoteTarget;

/// How many lines of a known_hosts file are of this host.
pub fn known_keys(text: &str, name: &str) -> usize {
    matching(text, name, Path::new("known_hosts")).len()
}

/// Reads the output of `ssh -G`; gives the port.
pub fn read_ssh_config(text: &str) -> u16 {
    let (user, port, path) = (None, None, OsString::from("/srv"));
    let target = RemoteTarget { user, host: "web1".into(), port, path };
    parse(text, &target, &SshOptions::default(), Some(Path::new("/home/ada"))).port
}

/// What any pipe holds.
const PIPE_BYTES: usize = 16 << 10;

/// Asks an SFTP server, which answers with these bytes, for all that a push asks for. Only the
/// first 16 KiB count.
pub fn read_sftp_replies(replies: &[u8]) -> std::io::Result<()> {
    let (answers, mut server) = std::io::pipe()?;
    server.write_all(&replies[..replies.len().min(PIPE_BYTES)])?;
    drop(server);
    let writer = std::fs::File::options().write(true).open("/dev/null")?.into();
    let channel = Channel { reader: answers.into(), writer, end: CommandHandle(Box::new(Nothing)) };
    let Ok(mut session) = SftpSession::over(channel) else { return Ok(()) };
    let _ = session.realpath(b"www");
    let _ = session.lstat_all(&["/srv/a", "/srv/b"]);
    let _ = session.read_dirs(&["/srv/a", "/srv/b"]);
    let _ = session.read_links(&["/srv/l"]);
    let _ = session.free_space(b"/srv");
    let _ = session.change_all(&[
        Change::Mkdir { path: b"/srv/d".to_vec(), mode: 0o755 },
        Change::Rename { from: b"/srv/a".to_vec(), to: b"/srv/b".to_vec() },
    ]);
    Ok(())
}

/// A command that has ended.
#[derive(Debug)]
struct Nothing;

impl Running for Nothing {
    fn host(&self) -> &str {
        "web1"
    }

    fn stderr(&self) -> String {
        String::new()
    }

    fn kill(&mut self) {}

    fn finish(&mut self, _grace: Duration) -> Result<Exit, TransportError> {
        Ok(Exit { status: Some(0), signal: None, stderr: String::new() })
    }
}
