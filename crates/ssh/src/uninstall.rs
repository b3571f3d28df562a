//! Removes what assetsync left on a host: the work directory of a destination, and the agents.
//!
//! Done by a script of a few lines (`uninstall.sh`), so that no agent has to be installed for it.
//! The remote command is constant and takes the script from standard input, and with it the path.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use assetsync_core::text;

use crate::channel::Channel;
use crate::child_process::spawn;
use crate::connect::connect;
use crate::error::TransportError;
use crate::nonce::nonce;
use crate::ssh_options::{Prompt, SshOptions};
use crate::target::Target;
use crate::timeout_io::{TimedReader, TimedWriter};

const SCRIPT: &str = include_str!("uninstall.sh");

/// What is executed: the script that comes.
const EVAL: &str = r#"eval "$(cat)""#;

/// No more is read of what the script and the login shell print.
const LIMIT: u64 = 64 * 1024;

/// How long to wait for the exit status of a script that has closed its output.
const CLOSING_GRACE: Duration = Duration::from_secs(2);

/// What was found at a destination, safe to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uninstalled {
    /// The directory that is served, if it exists. It stays.
    pub live: Option<String>,
    /// Work directories that were removed, or would be.
    pub work: Vec<String>,
    /// Directories whose agents were removed, or would be.
    pub agents: Vec<String>,
    /// What could not be removed.
    pub left: Vec<String>,
    /// What the host said about that.
    pub said: String,
}

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UninstallError {
    /// The host can't be reached, or runs no command.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Its path can't be sent in a line.
    #[error("A path with a line feed in it can't be uninstalled")]
    Path,
    /// A push has the lock.
    #[error(
        "A push is under way{}; nothing was removed. When it has ended, uninstall again (it has \
         locked {path})",
        .holder.as_ref().map(|holder| format!(" ({holder})")).unwrap_or_default()
    )]
    Held {
        /// The work directory.
        path: String,
        /// Who pushes.
        holder: Option<String>,
    },
    /// A push over SFTP has left or uses a directory.
    #[error(
        "A push over SFTP is under way, or was interrupted within the last hour, in {0}; nothing was \
         removed, uninstall when it has ended, or an hour after it was interrupted"
    )]
    Sftp(String),
    /// The host can't tell.
    #[error(
        "The host has no program flock, so it can't tell whether a push is under way; nothing was \
         removed. While none is: rm -r {0}"
    )]
    Unlockable(String),
    /// The user may not look at it.
    #[error(
        "This user may not read {0}; nothing was removed, log in as the user that pushes (user@host)"
    )]
    Closed(String),
    /// Neither the directory nor the one above it is there.
    #[error("{0} does not exist, and neither does the directory above it; nothing was removed")]
    Missing(String),
}

/// How to uninstall.
#[derive(Clone, Copy)]
pub struct Uninstall<'a> {
    /// How hosts are reached.
    pub ssh: &'a SshOptions,
    /// Asks for passphrases.
    pub prompt: &'a dyn Prompt,
    /// How long to wait for a host that sends nothing.
    pub timeout: Duration,
    /// Whether only to tell what would be removed.
    pub dry_run: bool,
}

impl Uninstall<'_> {
    /// Removes the work directory of a destination, and the agents of the user there.
    pub fn run(&self, target: &Target) -> Result<Uninstalled, UninstallError> {
        let nonce = nonce()?;
        match target {
            Target::Local(path) => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", EVAL]);
                let channel = spawn(command, "this machine")?;
                self.talk(channel, &nonce, path)
            }
            Target::Remote(host) => {
                let run_as = self.ssh.run_as.as_ref();
                let sudo = run_as.map(crate::run_as::RunAs::prefix).unwrap_or_default();
                let command = format!("exec {sudo}/bin/sh -c '{EVAL}'");
                let path = Path::new(&host.path);
                let mut ended = None;
                let connected = connect(host, self.ssh, self.prompt, &command, |connected| {
                    // Another way to the host is tried only if this one got no answer.
                    match self.talk(connected.channel, &nonce, path) {
                        Err(UninstallError::Transport(error)) => Err(error),
                        other => {
                            ended = Some(other);
                            Ok(())
                        }
                    }
                });
                connected.map_err(|error| error.with_run_as(run_as))?;
                ended.unwrap_or_else(|| Ok(Uninstalled::default()))
            }
        }
    }

    fn talk(
        &self,
        channel: Channel,
        nonce: &str,
        path: &Path,
    ) -> Result<Uninstalled, UninstallError> {
        let script = script(nonce, path, !self.dry_run).ok_or(UninstallError::Path)?;
        let Channel { reader, writer, end } = channel;
        let failed = |source| TransportError::Io { host: end.host().to_owned(), source };
        let mut writer = TimedWriter::new(writer, self.timeout).map_err(failed)?;
        // If the command has ended, its reason is in what it printed.
        let _ = writer.write_all(&script);
        drop(writer);
        let reader = TimedReader::new(reader, self.timeout).map_err(failed)?;
        let printed = printed(reader).map_err(failed)?;
        let host = end.host().to_owned();
        let exit = end.finish_within(CLOSING_GRACE)?;
        read(&printed, nonce, exit.stderr.trim()).unwrap_or_else(|| {
            let (exit, signal, stderr) = (exit.status, exit.signal, exit.stderr);
            Err(TransportError::Closed { host, exit, signal, stderr }.into())
        })
    }
}

fn printed(reader: TimedReader) -> io::Result<String> {
    let mut printed = Vec::new();
    reader.take(LIMIT).read_to_end(&mut printed)?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// The script, after what is asked of it. `None` if the path can't be in a line of its answer.
fn script(nonce: &str, path: &Path, removes: bool) -> Option<Vec<u8>> {
    let path = path.as_os_str().as_bytes();
    if path.contains(&b'\n') {
        return None;
    }
    let quoted: Vec<u8> = path
        .iter()
        .flat_map(|byte| match byte {
            b'\'' => br"'\''".as_slice(),
            byte => std::slice::from_ref(byte),
        })
        .copied()
        .collect();
    let removes = if removes { "1" } else { "" };
    let before = format!("nonce={nonce}\nremoves={removes}\ndestination='");
    Some([before.as_bytes(), &quoted, b"'\n", SCRIPT.as_bytes()].concat())
}

/// What the script said; `None` if it did not get to its end.
fn read(printed: &str, nonce: &str, stderr: &str) -> Option<Result<Uninstalled, UninstallError>> {
    let marker = format!("assetsync:{nonce}:");
    let mut found = Uninstalled::default();
    let mut holder = None;
    for line in printed.lines() {
        let Some((_, line)) = line.split_once(&marker) else { continue };
        let (word, detail) = line.split_once(':')?;
        let path = text::name(detail.as_bytes());
        match word {
            "live" => found.live = Some(path),
            "work" => found.work.push(path),
            "agents" => found.agents.push(path),
            "left" => found.left.push(path),
            "holder" => holder = Some(text::line(detail.as_bytes())),
            "done" => {
                found.said = stderr.to_owned();
                return Some(Ok(found));
            }
            word => return refusal(word, path, holder).map(Err),
        }
    }
    None
}

fn refusal(word: &str, path: String, holder: Option<String>) -> Option<UninstallError> {
    Some(match word {
        "held" => UninstallError::Held { path, holder },
        "sftp" => UninstallError::Sftp(path),
        "unlockable" => UninstallError::Unlockable(path),
        "closed" => UninstallError::Closed(path),
        "missing" => UninstallError::Missing(path),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A home with an agent, and a destination with a work directory, of odd names.
    struct Host {
        dir: tempfile::TempDir,
    }

    impl Host {
        fn new() -> Host {
            let host = Host { dir: tempfile::tempdir().unwrap() };
            for path in ["home/.cache/assetsync/store", "it's a \\ $(dir)/live"] {
                fs::create_dir_all(host.at(path)).unwrap();
            }
            fs::write(host.at("home/.cache/assetsync/agent-Linux-x86_64-00"), "").unwrap();
            fs::write(host.live().join("app.js"), "app").unwrap();
            fs::create_dir(host.work()).unwrap();
            fs::write(host.work().join("lock"), "me, process 1").unwrap();
            host
        }

        fn at(&self, path: &str) -> PathBuf {
            self.dir.path().join(path)
        }

        fn live(&self) -> PathBuf {
            self.at("it's a \\ $(dir)/live")
        }

        fn work(&self) -> PathBuf {
            self.at("it's a \\ $(dir)/.assetsync-live")
        }

        fn agent(&self) -> PathBuf {
            self.at("home/.cache/assetsync/agent-Linux-x86_64-00")
        }

        /// Runs the script as the login shell `shell` does.
        fn uninstall(&self, shell: &str, dry_run: bool) -> Result<Uninstalled, UninstallError> {
            let mut command = Command::new(shell);
            command.args(["-c", &format!("exec /bin/sh -c '{EVAL}'")]);
            command.env("HOME", self.at("home")).env_remove("XDG_CACHE_HOME");
            let ssh = SshOptions::default();
            let uninstall = Uninstall {
                ssh: &ssh,
                prompt: &crate::ssh_options::NoPrompt,
                timeout: Duration::from_secs(300),
                dry_run,
            };
            uninstall.talk(spawn(command, "host").unwrap(), &nonce().unwrap(), &self.live())
        }
    }

    #[test]
    fn every_login_shell_removes_what_is_not_served() {
        for shell in ["sh", "bash", "dash", "tcsh", "fish", "mksh", "zsh"] {
            let host = Host::new();
            let found = host.uninstall(shell, true).unwrap();
            assert!(host.work().exists() && host.agent().exists(), "{shell}: a dry run");
            assert_eq!(found.work, [text::path(&host.work())], "{shell}");
            assert_eq!(found.live, Some(text::path(&host.live())), "{shell}");
            assert_eq!(host.uninstall(shell, false).unwrap(), found, "{shell}");
            assert!(!host.work().exists() && !host.agent().exists(), "{shell}");
            assert!(host.live().join("app.js").exists(), "{shell}");
            assert!(host.at("home/.cache/assetsync/store").exists(), "{shell}");
            let nothing = Uninstalled { live: found.live, ..Uninstalled::default() };
            assert_eq!(host.uninstall(shell, false).unwrap(), nothing, "{shell}");
        }
    }

    #[test]
    fn nothing_is_removed_while_a_push_is_under_way() {
        let host = Host::new();
        let lock = fs::File::open(host.work().join("lock")).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        for dry_run in [true, false] {
            let error = host.uninstall("sh", dry_run).unwrap_err().to_string();
            assert!(error.contains("under way (me, process 1)"), "{error}");
        }
        drop(lock);
        for name in ["lock.held", "sftp-0123456789abcdef"] {
            match name {
                "lock.held" => fs::write(host.work().join(name), "").unwrap(),
                name => fs::create_dir(host.work().join(name)).unwrap(),
            }
            let error = host.uninstall("sh", false).unwrap_err().to_string();
            assert!(error.contains("under way"), "{name}: {error}");
            fs::rename(host.work().join(name), host.work().join("old")).unwrap();
            let _ = fs::remove_file(host.work().join("old"));
        }
        assert!(host.work().exists() && host.agent().exists());
        host.uninstall("sh", false).unwrap();
        assert!(!host.work().exists() && !host.agent().exists());
    }

    #[test]
    fn a_link_in_place_of_a_work_directory_is_no_way_elsewhere() {
        let host = Host::new();
        fs::rename(host.work(), host.at("elsewhere")).unwrap();
        std::os::unix::fs::symlink(host.at("elsewhere"), host.work()).unwrap();
        let found = host.uninstall("sh", false).unwrap();
        assert!(found.work.is_empty() && host.at("elsewhere/lock").exists(), "{found:?}");
    }

    #[test]
    fn what_a_host_says_is_read_to_its_end_only() {
        let said = |printed: &str| read(printed, "00", "");
        let whole = "Welcome! assetsync:00:work:/srv/\u{1b}[31m\nassetsync:00:done:\n";
        let found = said(whole).unwrap().unwrap();
        assert!(found.work[0].starts_with("/srv/\\"), "{found:?}");
        assert!(said("assetsync:00:work:/srv\n").is_none(), "cut short");
        assert!(said("assetsync:01:done:\n").is_none(), "of another run");
        assert!(said("assetsync:00:what:\n").is_none(), "of another version");
    }
}
