//! The small server, and measured transfers to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use assetsync_link::{Link, LinkSpec};
use assetsync_testbed::memory::Cgroup;
use assetsync_testbed::rails::{App, Puma, Site};
use assetsync_testbed::{Route, Sshd};

use super::measurements::{LINK, SERVER_MEMORY, SYSTEM_MEMORY, Transfer};
use crate::error::{Error, ErrorContext, Result};
use crate::repository::check;

/// How long sessions may take to end after their clients.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A server, and the memory that Linux leaves for the application.
pub(super) struct Server {
    pub(super) site: Site,
    pub(super) memory: Cgroup,
}

/// A measured connection to it, through the link.
pub(super) struct MeasuredRoute {
    pub(super) route: Route,
    link: Link,
    /// A shell script that every session sources first, to join the cgroup of the current transfer.
    join: PathBuf,
    /// Kept, as dropping it ends the server.
    _sshd: Sshd,
}

impl Server {
    /// Makes one in the new directory `dir`, which has to be on a disk: files in memory count as
    /// used.
    pub(super) fn new(dir: &Path, app: &App) -> Result<Server> {
        let memory = Cgroup::new(SERVER_MEMORY - SYSTEM_MEMORY)?;
        Ok(Server { site: Site::lay_out(dir, app)?, memory })
    }

    /// Starts puma; the site needs assets for that.
    pub(super) fn serve(&self) -> Result<Puma> {
        Ok(self.site.serve(Some(&self.memory))?)
    }

    /// A measured connection to it; `dir` is the server's.
    pub(super) fn route(&self, dir: &Path) -> Result<MeasuredRoute> {
        let join = dir.join("join");
        let sshd = self.site.sshd(Some(&format!(". '{}'", join.display())))?;
        let link = Link::to(sshd.port(), LinkSpec::parse(LINK)?)?;
        let route = sshd.via(link.port())?;
        Ok(MeasuredRoute { route, link, join, _sshd: sshd })
    }
}

/// A line of sh that makes the shell join `group`.
pub(super) fn joining(group: &Cgroup) -> String {
    format!("echo $$ >'{}'", group.procs().display())
}

impl MeasuredRoute {
    /// Runs a command that copies by this route, and measures it.
    pub(super) fn copy(&self, what: &str, command: &mut Command) -> Result<Transfer> {
        let group = Cgroup::new(SERVER_MEMORY - SYSTEM_MEMORY)?;
        fs::write(&self.join, joining(&group)).doing("write", &self.join)?;
        self.link.reset();
        let begin = Instant::now();
        let output = command.output().doing("run", command.get_program())?;
        let seconds = begin.elapsed().as_secs_f64();
        check(what, &output)?;
        if !self.link.wait_idle(TIMEOUT) {
            return Err(Error::Unexpected(format!("{what} left a connection open")));
        }
        let counts = self.link.counts();
        let peak = group.peak().ok_or_else(|| {
            Error::Unexpected("this kernel does not report the peak of a cgroup".to_owned())
        })?;
        if group.oom_kills() > 0 {
            return Err(Error::Unexpected(format!("{what}: the kernel killed it on the server")));
        }
        Ok(Transfer { seconds, bytes: counts.sent + counts.received, peak })
    }
}
