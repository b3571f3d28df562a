//! The application server.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assetsync_loopback_sshd::Error as ToolError;
use assetsync_loopback_sshd::process::{descendants, kill};

use super::http::{Answer, get};
use crate::error::{ErrorContext, Result};
use crate::memory::Cgroup;

/// How long puma may take until it answers; an idle machine needs two seconds.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A running puma: two workers behind a socket. Dropping it ends it.
#[derive(Debug)]
pub struct Puma {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Puma {
    /// Starts `command`, whose log and socket are in `shared`, in `group` if there is one.
    pub(super) fn start(command: Command, shared: &Path, group: Option<&Cgroup>) -> Result<Puma> {
        let mut command = match group {
            Some(group) => group.joining(&command),
            None => command,
        };
        let log = shared.join("log/puma.log");
        let written = File::create(&log).doing("create", &log)?;
        let also = written.try_clone().doing("open", &log)?;
        // A process group of its own, so that it gets no signal that is meant for the tests.
        command.process_group(0).stdin(Stdio::null()).stdout(written).stderr(also);
        let child = command.spawn().doing("start", "puma")?;
        let puma = Puma { child, socket: shared.join("tmp/sockets/puma.sock"), log };
        puma.wait_until_ready()
    }

    /// Answers a request for `path`.
    pub fn get(&self, path: &str) -> Result<Answer> {
        get(&self.socket, path)
    }

    /// The socket it listens on.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its workers, by process id.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        descendants(self.child.id())
    }

    fn wait_until_ready(mut self) -> Result<Puma> {
        let deadline = Instant::now() + TIMEOUT;
        while !self.get("/up").is_ok_and(|answer| answer.status == 200) {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if ended || Instant::now() > deadline {
                let stderr = self.log();
                return Err(ToolError::Failed {
                    program: "puma".into(),
                    status: "no answer".into(),
                    stderr,
                }
                .into());
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
