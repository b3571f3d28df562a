//! A shell on the server, for what is not measured: preparing, checking, cleaning up.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::error::{Error, ErrorContext, Result};
use crate::placeholders::quoted;

/// A shell on the server. Both kinds run the same scripts.
#[derive(Debug, Clone)]
pub(crate) enum ServerShell {
    /// This machine, with the home of the throw-away sshd's sessions.
    Local {
        /// That home.
        home: PathBuf,
    },
    /// A host, reached by ssh.
    Ssh {
        /// The configuration that reaches it without a link.
        config: PathBuf,
        /// Its name in that.
        host: String,
        /// Its name in messages.
        label: String,
    },
}

/// Packs the directory `$1`, with times to the nanosecond.
const PACK: &str = "tar -C \"$1\" --format=posix -cf - .";

/// Unpacks into the directory `$1`.
const UNPACK: &str = "mkdir -p \"$1\" && tar -xpf - -C \"$1\"";

impl ServerShell {
    /// Runs `script`, with `args` as `$1` and so on; returns its output.
    pub(crate) fn run(&self, action: &'static str, script: &str, args: &[&str]) -> Result<String> {
        let mut command = self.command(script, args);
        let output = command.stdin(Stdio::null()).output().doing("run", "sh")?;
        self.check(action, &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Replaces `path` on the server with a copy of the local directory `from`.
    pub(crate) fn copy(&self, from: &str, path: &str) -> Result<()> {
        self.remove(path)?;
        let mut pack =
            local_shell(PACK, &[from]).stdout(Stdio::piped()).spawn().doing("run", "tar")?;
        let packed = pack.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let output = self.command(UNPACK, &[path]).stdin(packed).output().doing("run", "sh")?;
        let status = pack.wait().doing("run", "tar")?;
        self.check("unpack a tree", &output)?;
        match status.success() {
            true => Ok(()),
            false => Err(self.failed("pack a tree for it", status.to_string())),
        }
    }

    /// Removes `path` on the server, if it exists.
    pub(crate) fn remove(&self, path: &str) -> Result<()> {
        self.run("remove a directory", "rm -rf -- \"$1\"", &[path]).map(drop)
    }

    fn command(&self, script: &str, args: &[&str]) -> Command {
        match self {
            ServerShell::Local { home } => {
                let mut command = local_shell(script, args);
                command.env("HOME", home).env("XDG_CACHE_HOME", home.join(".cache"));
                command
            }
            ServerShell::Ssh { config, host, .. } => {
                let words = ["sh", "-c", script, "sh"].into_iter().chain(args.iter().copied());
                let line: Vec<String> = words.map(quoted).collect();
                let mut command = Command::new("ssh");
                command.arg("-F").arg(config).arg(host).arg(line.join(" "));
                command
            }
        }
    }

    fn check(&self, action: &'static str, output: &Output) -> Result<()> {
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(self.failed(action, if said.is_empty() { output.status.to_string() } else { said }))
    }

    fn failed(&self, action: &'static str, said: String) -> Error {
        let place = match self {
            ServerShell::Local { .. } => "this machine",
            ServerShell::Ssh { label, .. } => label,
        };
        Error::Preparing { action, place: place.to_owned(), said }
    }
}

/// A shell on this machine.
pub(crate) fn local_shell(script: &str, args: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).arg("sh").args(args);
    command
}
