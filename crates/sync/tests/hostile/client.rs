//! A source, and a remote shell behind which anything may be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assetsync_core::protocol::ToSender;
use assetsync_ssh::{Agents, NoPrompt, SshOptions, Target};
use assetsync_sync::internals::{NoMonitor, push};
use assetsync_sync::{ConnectOptions, Options, Policy, PushError, Report, Source};

use crate::support::*;

/// A source, and a remote shell behind which anything may be.
pub struct Client {
    pub dir: tempfile::TempDir,
}

impl Client {
    pub fn new() -> Client {
        let client = Client { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(client.at("src/dir")).unwrap();
        fs::write(client.at("src/a.txt"), "new a").unwrap();
        fs::write(client.at("src/dir/b.txt"), "old b ".repeat(1000) + "and more").unwrap();
        fs::write(client.at("src/dir/c.txt"), "c").unwrap();
        client
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lets a sender hear `script` from an agent that then does `after`, a line of shell.
    pub fn hear(&self, script: &[u8], after: &str) -> Result<Report, PushError> {
        fs::write(self.at("said"), script).unwrap();
        let said = self.at("said");
        let said = said.display();
        self.push_to(&format!("echo \"assetsync:$nonce:ready\"; cat '{said}'; {after}"))
    }

    pub fn hear_messages(
        &self,
        messages: &[ToSender<'_>],
        after: &str,
    ) -> Result<Report, PushError> {
        self.hear(&packed(messages), after)
    }

    /// A remote shell of this text. It is written beside and renamed: one that is open for writing
    /// can't be run.
    pub fn shell(&self, name: &str, text: &str) -> PathBuf {
        let (new, shell) = (self.at(&format!("{name}.new")), self.at(name));
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&new, &shell).unwrap();
        shell
    }

    /// Pushes to what these shell lines, which know `$nonce`, make believe.
    pub fn push_to(&self, lines: &str) -> Result<Report, PushError> {
        let text = format!("#!/bin/sh\nset -- ${{2#*\"' sh \"}}\nnonce=$1\n{lines}\n");
        let (shell, source) = (self.shell("shell", &text), self.at("src"));
        let pushed = within(move || push_by(&shell, &source, "/dest", Duration::from_secs(20)));
        pushed.recv_timeout(WAIT_LIMIT).expect("the push ends, without a panic")
    }
}

/// Makes a directory of a host that is reached by a remote shell equal to a source.
pub fn push_by(
    shell: &Path,
    source: &Path,
    destination: &str,
    timeout: Duration,
) -> Result<Report, PushError> {
    let source = Source::scan(source, &Policy::default()).unwrap();
    let rsh = Some(shell.display().to_string());
    let connection = ConnectOptions {
        agents: &Agents::default(),
        ssh: &SshOptions { rsh, ..SshOptions::default() },
        prompt: &NoPrompt,
        timeout,
        bytes_per_second: None,
        dry_run: false,
        checksum: false,
        store: None,
        group: None,
        run: None,
    };
    let target = Target::parse(format!("fake:{destination}").as_ref()).unwrap();
    let mut options = Options::default();
    options.policy.delete = true;
    options.max_delete = Some(u64::MAX);
    push(&source, &target, &connection, &options, &NoMonitor)
}
