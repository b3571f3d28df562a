//! Where a race takes place: a throw-away sshd on this machine, or the user's own host.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use assetsync_link::{Link, LinkSpec};
use assetsync_loopback_sshd::{Route, Sshd};
use assetsync_transport::{RemoteTarget, SshOptions};

use crate::error::{Doing, Result};
use crate::far::Far;
use crate::far_side::{self, FarUsage};
use crate::host::{ALIAS, Host};
use crate::lane::Lane;
use crate::names::{plain, quoted};

/// How long what a run left running may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do about a temporary directory with an odd name.
const TMPDIR: &str = "set TMPDIR to another directory";

/// Where a race takes place.
#[derive(Debug)]
pub(crate) struct Ground {
    /// A shell there.
    pub(crate) far: Far,
    /// Its name in every ssh configuration of the race.
    pub(crate) host: &'static str,
    /// A new directory there, of this race alone.
    pub(crate) base: String,
    /// What the record calls it.
    pub(crate) label: String,
    /// The ssh configuration of the way without a link.
    pub(crate) straight: String,
    kind: Kind,
    /// Agents and their directories that were there before.
    found: BTreeSet<String>,
}

#[derive(Debug)]
enum Kind {
    ThrowAway { sshd: Sshd, log: PathBuf },
    Own(Host),
}

/// Prints agents and the directories that hold them.
const AGENTS: &str = "c=${XDG_CACHE_HOME:-$HOME/.cache}; u=$(id -u); \
    for d in \"$c\" \"$c/assetsync\" \"/var/tmp/assetsync-$u\" \"/tmp/assetsync-$u\"; do \
    test -d \"$d\" && echo \"$d\"; done; \
    for f in \"$c/assetsync\"/* \"/var/tmp/assetsync-$u\"/* \"/tmp/assetsync-$u\"/*; do \
    test -f \"$f\" && echo \"$f\"; done; true";

/// Removes files, and directories that are empty.
const REMOVE: &str = "for p do if test -d \"$p\"; then rmdir -- \"$p\" 2>/dev/null; \
    else rm -f -- \"$p\"; fi; done; true";

/// Makes a directory for the race in `$1` and prints its absolute path.
const MAKE_BASE: &str =
    "cd -- \"$1\" && d=$(pwd -P) && mktemp -d \"${d%/}/.assetsync-bench-XXXXXX\"";

impl Ground {
    /// A new sshd on loopback, all of whose commands `assetsync` measures.
    pub(crate) fn throw_away(assetsync: &Path, scratch: &Path) -> Result<Ground> {
        let log = scratch.join("far-usage");
        let program = quoted(&assetsync.to_string_lossy());
        let command = format!("{program} bench-far-side {}", plain(&log, TMPDIR)?);
        let sshd = Sshd::builder().config(&format!("ForceCommand {command}")).start()?;
        let base = scratch.join("far");
        fs::create_dir(&base).doing("make", &base)?;
        let far = Far::Here { home: sshd.home() };
        Ok(Ground {
            found: agents(&far)?,
            far,
            host: Route::ALIAS,
            base: plain(&base, TMPDIR)?,
            label: "loopback".into(),
            straight: plain(sshd.ssh_config(), TMPDIR)?,
            kind: Kind::ThrowAway { sshd, log },
        })
    }

    /// A new directory in the one that `target` names.
    pub(crate) fn own(
        target: &RemoteTarget,
        options: &SshOptions,
        scratch: &Path,
    ) -> Result<Ground> {
        let host = Host::find(target, options)?;
        let straight = scratch.join("ssh_config");
        fs::write(&straight, host.ssh_config(host.address)).doing("write", &straight)?;
        let config = straight.clone();
        let far = Far::There { config, host: ALIAS.into(), label: target.host.clone() };
        // Known before anything is made there, so that a refusal leaves nothing.
        let (dir, found) =
            (plain(Path::new(&target.path), "name another directory")?, agents(&far)?);
        let made = far.run("make a directory in the destination", MAKE_BASE, &[&dir])?;
        let base = made.trim().to_owned();
        if let Err(error) = plain(Path::new(&base), "name another directory") {
            far.remove(&base)?;
            return Err(error);
        }
        let (label, straight) = (target.to_string(), plain(&straight, TMPDIR)?);
        Ok(Ground { far, host: ALIAS, base, label, straight, kind: Kind::Own(host), found })
    }

    /// A link like `spec` to it, and the configuration of the way along that.
    pub(crate) fn lane(&self, spec: LinkSpec, scratch: &Path) -> Result<Lane> {
        match &self.kind {
            Kind::ThrowAway { sshd, .. } => {
                let link = Link::to(sshd.port(), spec)?;
                let config = plain(sshd.via(link.port())?.config(), TMPDIR)?;
                Ok(Lane { link, config })
            }
            Kind::Own(host) => {
                let link = Link::to_address(host.address, spec)?;
                let path = scratch.join(format!("ssh_config-{}", link.port()));
                let near = ([127, 0, 0, 1], link.port()).into();
                fs::write(&path, host.ssh_config(near)).doing("write", &path)?;
                Ok(Lane { link, config: plain(&path, TMPDIR)? })
            }
        }
    }

    /// Begins to watch what commands take there.
    pub(crate) fn watch(&self) {
        if let Kind::ThrowAway { log, .. } = &self.kind {
            far_side::clear(log);
        }
    }

    /// What they took since then, once all have ended; nothing where they can't be watched.
    pub(crate) fn usage(&self) -> Option<FarUsage> {
        let Kind::ThrowAway { log, .. } = &self.kind else { return None };
        let deadline = Instant::now() + PATIENCE;
        while !far_side::all_ended(log) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        far_side::usage(log)
    }

    /// Removes the agents that were not there before.
    pub(crate) fn forget_agents(&self) -> Result<()> {
        let now = agents(&self.far)?;
        // Backwards, as a directory sorts before what is in it.
        let new = now.iter().rev().filter(|path| !self.found.contains(*path));
        let new: Vec<&str> = new.map(String::as_str).collect();
        match new.is_empty() {
            true => Ok(()),
            false => self.far.run("remove the agent", REMOVE, &new).map(drop),
        }
    }

    /// Removes everything that the race left there.
    pub(crate) fn clear(&self) -> Result<()> {
        let removed = self.far.remove(&self.base);
        self.forget_agents().and(removed)
    }
}

fn agents(far: &Far) -> Result<BTreeSet<String>> {
    let text = far.run("look for agents", AGENTS, &[])?;
    Ok(text.lines().map(str::to_owned).collect())
}
