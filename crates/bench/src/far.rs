//! A shell on the far side, for all that is not measured: preparing, checking, clearing up.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::error::{Doing, Error, Result};
use crate::names::quoted;

/// A shell where the destination is. Both kinds run the very same scripts.
#[derive(Debug, Clone)]
pub(crate) enum Far {
    /// This machine, with the home that sessions of the throw-away sshd have.
    Here {
        /// That home.
        home: PathBuf,
    },
    /// A host, reached by ssh.
    There {
        /// The configuration of the straight way to it.
        config: PathBuf,
        /// Its name there.
        host: String,
        /// Its name for people.
        label: String,
    },
}

/// Packs the directory `$1`, to the nanosecond.
const PACK: &str = "tar -C \"$1\" --format=posix -cf - .";

/// Unpacks into the directory `$1`.
const UNPACK: &str = "mkdir -p \"$1\" && tar -xpf - -C \"$1\"";

impl Far {
    /// Runs `script`, with `args` as `$1` and so on; gives what it printed.
    pub(crate) fn run(&self, action: &'static str, script: &str, args: &[&str]) -> Result<String> {
        let mut command = self.command(script, args);
        let output = command.stdin(Stdio::null()).output().doing("run", "sh")?;
        self.well(action, &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Makes `path` there what the directory `from` here is, whatever it was.
    pub(crate) fn copy(&self, from: &str, path: &str) -> Result<()> {
        self.remove(path)?;
        let mut pack = here(PACK, &[from]).stdout(Stdio::piped()).spawn().doing("run", "tar")?;
        let packed = pack.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let output = self.command(UNPACK, &[path]).stdin(packed).output().doing("run", "sh")?;
        let status = pack.wait().doing("run", "tar")?;
        self.well("unpack a tree", &output)?;
        match status.success() {
            true => Ok(()),
            false => Err(self.failed("pack a tree for it", status.to_string())),
        }
    }

    /// Removes `path` there, if it is there.
    pub(crate) fn remove(&self, path: &str) -> Result<()> {
        self.run("remove a directory", "rm -rf -- \"$1\"", &[path]).map(drop)
    }

    fn command(&self, script: &str, args: &[&str]) -> Command {
        match self {
            Far::Here { home } => {
                let mut command = here(script, args);
                command.env("HOME", home).env("XDG_CACHE_HOME", home.join(".cache"));
                command
            }
            Far::There { config, host, .. } => {
                let words = ["sh", "-c", script, "sh"].into_iter().chain(args.iter().copied());
                let line: Vec<String> = words.map(quoted).collect();
                let mut command = Command::new("ssh");
                command.arg("-F").arg(config).arg(host).arg(line.join(" "));
                command
            }
        }
    }

    fn well(&self, action: &'static str, output: &Output) -> Result<()> {
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(self.failed(action, if said.is_empty() { output.status.to_string() } else { said }))
    }

    fn failed(&self, action: &'static str, said: String) -> Error {
        let place = match self {
            Far::Here { .. } => "this machine",
            Far::There { label, .. } => label,
        };
        Error::Preparing { action, place: place.to_owned(), said }
    }
}

/// A shell on this machine.
pub(crate) fn here(script: &str, args: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).arg("sh").args(args);
    command
}
