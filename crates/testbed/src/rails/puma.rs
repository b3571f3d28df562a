//! The application server.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Site;
use super::http::{Answer, get};
use crate::error::{Doing, Error, Result};
use crate::memory::Cgroup;
use crate::process::{descendants, kill};

/// How long puma may take until it answers; on a machine with nothing else to do it takes two seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running puma: two workers behind a socket. Dropping it ends it.
#[derive(Debug)]
pub struct Puma {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Puma {
    pub(super) fn start(site: &Site, group: Option<&Cgroup>) -> Result<Puma> {
        let config = site.shared().join("puma.rb");
        let config = config.to_string_lossy();
        let command = site.through_rbenv(["bundle", "exec", "puma", "-C", &config]);
        let mut command = match group {
            Some(group) => group.joining(&command),
            None => command,
        };
        let log = site.shared().join("log/puma.log");
        let written = File::create(&log).doing("create", &log)?;
        let also = written.try_clone().doing("open", &log)?;
        // A group of its own, so that a signal for the tests does not reach it first.
        command.process_group(0).stdin(Stdio::null()).stdout(written).stderr(also);
        let child = command.spawn().doing("start", "puma")?;
        let puma = Puma { child, socket: site.shared().join("tmp/sockets/puma.sock"), log };
        puma.answering()
    }

    /// Answers a request for `path`.
    pub fn get(&self, path: &str) -> Result<Answer> {
        get(&self.socket, path)
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its workers, by process id.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        descendants(self.child.id())
    }

    fn answering(mut self) -> Result<Puma> {
        let deadline = Instant::now() + PATIENCE;
        while !self.get("/up").is_ok_and(|answer| answer.status == 200) {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if ended || Instant::now() > deadline {
                let said = self.log();
                return Err(Error::Failed {
                    program: "puma".into(),
                    status: "no answer".into(),
                    said,
                });
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }
}

impl Drop for Puma {
    fn drop(&mut self) {
        let workers = self.workers();
        kill(self.child.id());
        let _ = self.child.wait();
        workers.into_iter().for_each(kill);
    }
}
