//! The server of a race: a throw-away sshd on this machine, or the user's own host.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use assetsync_link::{Link, LinkSpec};
use assetsync_loopback_sshd::{Route, Sshd};
use assetsync_ssh::{RemoteTarget, SshOptions};

use crate::error::{ErrorContext, Result};
use crate::host::{ALIAS, Host};
use crate::measured_link::MeasuredLink;
use crate::placeholders::{plain, quoted};
use crate::server_shell::ServerShell;
use crate::session_usage::{self, SessionUsage};

/// How long sessions may take to end after a run.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The advice about a temporary directory whose name a shell would not take literally.
const TMPDIR: &str = "set TMPDIR to another directory";

/// The server of a race.
#[derive(Debug)]
pub(crate) struct Server {
    /// A shell on it.
    pub(crate) shell: ServerShell,
    /// Its name in every ssh configuration of the race.
    pub(crate) host: &'static str,
    /// A new directory on it, of this race alone.
    pub(crate) base_dir: String,
    /// Its name in the record.
    pub(crate) label: String,
    /// The ssh configuration that reaches it without a link.
    pub(crate) direct_config: String,
    kind: Kind,
    /// Agents and their directories that were there before the race.
    agents_before: BTreeSet<String>,
}

#[derive(Debug)]
enum Kind {
    Loopback { sshd: Sshd, log: PathBuf },
    Remote(Box<Host>),
}

/// Prints agents and the directories that hold them.
///
/// Anybody can create the names in /tmp and /var/tmp: by a link there, all files of the user would
/// seem to be new agents, and be removed after the race.
const AGENTS: &str = "c=${XDG_CACHE_HOME:-$HOME/.cache}; test -d \"$c\" && echo \"$c\"; \
    u=$(id -u); for d in \"$c/assetsync\" \"/var/tmp/assetsync-$u\" \"/tmp/assetsync-$u\"; do \
    test -h \"$d\" && continue; test -d \"$d\" && test -O \"$d\" || continue; echo \"$d\"; \
    for f in \"$d\"/agent-*; do test -f \"$f\" && echo \"$f\"; done; done; true";

/// Removes files, and directories that are empty.
const REMOVE: &str = "for p do if test -d \"$p\"; then rmdir -- \"$p\" 2>/dev/null; \
    else rm -f -- \"$p\"; fi; done; true";

/// Makes a directory for the race in `$1` and prints its absolute path.
const MAKE_BASE: &str =
    "cd -- \"$1\" && d=$(pwd -P) && mktemp -d \"${d%/}/.assetsync-bench-XXXXXX\"";

impl Server {
    /// Starts an sshd on loopback; `assetsync` measures its sessions.
    pub(crate) fn loopback(assetsync: &Path, scratch: &Path) -> Result<Server> {
        let log = scratch.join("sessions");
        let program = quoted(&assetsync.to_string_lossy());
        let command = format!("{program} bench-session {}", plain(&log, TMPDIR)?);
        let sshd = Sshd::builder().config(&format!("ForceCommand {command}")).start()?;
        let base = scratch.join("server");
        fs::create_dir(&base).doing("make", &base)?;
        let shell = ServerShell::Local { home: sshd.home() };
        Ok(Server {
            agents_before: agents(&shell)?,
            shell,
            host: Route::ALIAS,
            base_dir: plain(&base, TMPDIR)?,
            label: "loopback".into(),
            direct_config: plain(sshd.ssh_config(), TMPDIR)?,
            kind: Kind::Loopback { sshd, log },
        })
    }

    /// Makes a new directory in the one that `target` names.
    pub(crate) fn remote(
        target: &RemoteTarget,
        options: &SshOptions,
        scratch: &Path,
    ) -> Result<Server> {
        let host = Host::find(target, options)?;
        let config = scratch.join("ssh_config");
        fs::write(&config, host.ssh_config(host.address)).doing("write", &config)?;
        let direct_config = plain(&config, TMPDIR)?;
        let shell = ServerShell::Ssh { config, host: ALIAS.into(), label: target.host.clone() };
        // Before anything is made there, so that a refusal leaves nothing.
        let dir = plain(Path::new(&target.path), "name another directory")?;
        let agents_before = agents(&shell)?;
        let made = shell.run("make a directory in the destination", MAKE_BASE, &[&dir])?;
        let base_dir = made.trim().to_owned();
        if let Err(error) = plain(Path::new(&base_dir), "name another directory") {
            shell.remove(&base_dir)?;
            return Err(error);
        }
        let (label, kind) = (target.to_string(), Kind::Remote(Box::new(host)));
        Ok(Server { shell, host: ALIAS, base_dir, label, direct_config, kind, agents_before })
    }

    /// Puts a link in front of it.
    pub(crate) fn link(&self, spec: LinkSpec, scratch: &Path) -> Result<MeasuredLink> {
        match &self.kind {
            Kind::Loopback { sshd, .. } => {
                let link = Link::to(sshd.port(), spec)?;
                let config = plain(sshd.via(link.port())?.config(), TMPDIR)?;
                Ok(MeasuredLink { link, config })
            }
            Kind::Remote(host) => {
                let link = Link::to_address(host.address, spec)?;
                let path = scratch.join(format!("ssh_config-{}", link.port()));
                let own = ([127, 0, 0, 1], link.port()).into();
                fs::write(&path, host.ssh_config(own)).doing("write", &path)?;
                Ok(MeasuredLink { link, config: plain(&path, TMPDIR)? })
            }
        }
    }

    /// Starts to measure its sessions.
    pub(crate) fn start_measuring(&self) {
        if let Kind::Loopback { log, .. } = &self.kind {
            session_usage::clear(log);
        }
    }

    /// The CPU time and memory of its sessions since then, once all have ended; nothing for a
    /// remote host.
    pub(crate) fn usage(&self) -> Option<SessionUsage> {
        let Kind::Loopback { log, .. } = &self.kind else { return None };
        let deadline = Instant::now() + TIMEOUT;
        while !session_usage::all_ended(log) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        session_usage::usage(log)
    }

    /// Removes the agents that were not there before the race.
    pub(crate) fn remove_new_agents(&self) -> Result<()> {
        let now = agents(&self.shell)?;
        // Backwards, as a directory sorts before what is in it.
        let new = now.iter().rev().filter(|path| !self.agents_before.contains(*path));
        let new: Vec<&str> = new.map(String::as_str).collect();
        match new.is_empty() {
            true => Ok(()),
            false => self.shell.run("remove the agent", REMOVE, &new).map(drop),
        }
    }

    /// Removes everything that the race left on it.
    pub(crate) fn clean_up(&self) -> Result<()> {
        let removed = self.shell.remove(&self.base_dir);
        self.remove_new_agents().and(removed)
    }
}

fn agents(shell: &ServerShell) -> Result<BTreeSet<String>> {
    let text = shell.run("look for agents", AGENTS, &[])?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// In a mount namespace with a /tmp and a /var/tmp of its own.
    #[test]
    fn only_agents_are_listed_and_only_in_directories_of_the_user() {
        let prepare = "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /var/tmp && \
            export HOME=/tmp/home && unset XDG_CACHE_HOME && mkdir -p $HOME/.cache/assetsync && \
            cd $HOME/.cache/assetsync && touch agent-a notes ../agent-b $HOME/agent-c";
        let own = "/tmp/home/.cache\n/tmp/home/.cache/assetsync\n\
            /tmp/home/.cache/assetsync/agent-a\n";
        for attack in [
            "true",
            "ln -s $HOME /tmp/assetsync-$(id -u)",
            "d=/var/tmp/assetsync-$(id -u) && mkdir $d && touch $d/agent-d && chown 1234 $d",
        ] {
            let mut command = Command::new("unshare");
            command.args(["-m", "sh", "-c", &format!("{prepare} && {attack} && {AGENTS}")]);
            let output = command.output().expect("unshare is missing: apt-get install util-linux");
            assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(String::from_utf8_lossy(&output.stdout), own, "{attack}");
        }
    }
}
