//! The small server, and what can be measured of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use assetsync_link::{Link, LinkSpec};
use assetsync_testbed::memory::Cgroup;
use assetsync_testbed::rails::{App, Puma, Site};
use assetsync_testbed::{Route, Sshd};

use crate::error::StoryError;
use crate::telling::Copying;
use crate::{LINK, MACHINE, SYSTEM};

/// How long sessions may take to end after their clients.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server, and what Linux leaves of its memory.
pub(crate) struct Server {
    pub(crate) site: Site,
    pub(crate) memory: Cgroup,
}

/// A way of copying to it, behind the link; its sessions are measured by themselves.
pub(crate) struct Way {
    pub(crate) route: Route,
    link: Link,
    /// Read by every session as it begins: what puts it into the group of this copy.
    join: PathBuf,
    /// Never read, but dropping it ends the server.
    _sshd: Sshd,
}

impl Server {
    /// One in the new directory `dir`, which has to be on a disk: what is in memory counts as used.
    pub(crate) fn new(dir: &Path, app: &App) -> Result<Server, StoryError> {
        let memory = Cgroup::new(MACHINE - SYSTEM)?;
        Ok(Server { site: Site::lay_out(dir, app)?, memory })
    }

    /// Starts puma; the site needs assets for that.
    pub(crate) fn serve(&self) -> Result<Puma, StoryError> {
        Ok(self.site.serve(Some(&self.memory))?)
    }

    /// A way to it; `dir` is the server's.
    pub(crate) fn way(&self, dir: &Path) -> Result<Way, StoryError> {
        let join = dir.join("join");
        let sshd = self.site.sshd(Some(&format!(". '{}'", join.display())))?;
        let link = Link::to(sshd.port(), LinkSpec::parse(LINK)?)?;
        let route = sshd.via(link.port())?;
        Ok(Way { route, link, join, _sshd: sshd })
    }
}

/// A line of sh that puts its process into `group`.
pub(crate) fn joining(group: &Cgroup) -> String {
    format!("echo $$ >'{}'", group.procs().display())
}

impl Way {
    /// Runs a command that copies by this way, and says what it took.
    pub(crate) fn copy(
        &self,
        what: &'static str,
        command: &mut Command,
    ) -> Result<Copying, StoryError> {
        let group = Cgroup::new(MACHINE - SYSTEM)?;
        fs::write(&self.join, joining(&group)).map_err(|source| StoryError::Io {
            action: "write",
            path: self.join.clone(),
            source,
        })?;
        self.link.reset();
        let begin = Instant::now();
        let output = command.output().map_err(|source| StoryError::Io {
            action: "run",
            path: command.get_program().into(),
            source,
        })?;
        let seconds = begin.elapsed().as_secs_f64();
        well(what, &output)?;
        if !self.link.wait_idle(PATIENCE) {
            return Err(StoryError::Odd(format!("{what} left a connection open")));
        }
        let counts = self.link.counts();
        let peak = group.peak().ok_or_else(|| {
            StoryError::Odd("this kernel does not tell the peak of a cgroup".to_owned())
        })?;
        if group.oom_kills() > 0 {
            return Err(StoryError::Odd(format!("{what}: the kernel killed it on the server")));
        }
        Ok(Copying { seconds, bytes: counts.sent + counts.received, peak })
    }
}

/// Fails unless a program ended well.
pub(crate) fn well(what: &'static str, output: &Output) -> Result<(), StoryError> {
    if output.status.success() {
        return Ok(());
    }
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Err(StoryError::Failed { what, status: output.status.to_string(), said })
}
