//! A cgroup with a memory limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use assetsync_loopback_sshd::process::kill;

use super::controller::{Controller, count_of};
use crate::error::{Error, ErrorContext, Result};

/// Joins the group whose process file is `$1`, then becomes the rest of the arguments. A process
/// can only be sure to be in the group from its first instruction if it joined before `exec`.
const JOIN: &str = r#"echo $$ >"$1" && shift && exec "$@""#;

/// How long a dropped group waits for its processes to die.
const DROP_TIMEOUT: Duration = Duration::from_secs(60);

/// A group with a memory limit, removed on drop with all that runs in it. Needs root, as a rule.
///
/// The kernel counts page cache too, but takes it back before it kills, so only memory that cannot
/// be given back breaks the limit.
#[derive(Debug)]
pub struct Cgroup {
    controller: Controller,
    dir: PathBuf,
}

/// The result of a command under a memory limit.
#[derive(Debug)]
pub struct Limited {
    /// Its output and exit status.
    pub output: Output,
    /// The group's peak in bytes, where the kernel reports it.
    pub peak: Option<u64>,
    /// How many processes the kernel killed for exceeding the limit.
    pub oom_kills: u64,
}

impl Cgroup {
    /// A group limited to `limit` bytes, or [`Error::NoCgroup`] where none can be made.
    pub fn new(limit: u64) -> Result<Self> {
        let controller = Controller::here().map_err(|why| Error::NoCgroup { why })?;
        let dir = controller.group(&unused_name());
        fs::create_dir(&dir).map_err(|error| unusable(&dir, &error))?;
        let group = Self { controller, dir };
        let file = group.dir.join(controller.limit);
        fs::write(&file, limit.to_string()).map_err(|error| unusable(&file, &error))?;
        // Kernels without swap accounting lack the file, and then nothing can be done about it.
        let swap = group.dir.join(controller.no_swap.0);
        let _ = fs::write(swap, controller.swap_limit(limit).to_string());
        Ok(group)
    }

    /// Runs `command` in the group, with its arguments, environment and directory, to its end.
    pub fn run(&self, command: &Command) -> Result<Limited> {
        let output = self.joining(command).output().doing("run", command.get_program())?;
        Ok(Limited { output, peak: self.peak(), oom_kills: self.oom_kills() })
    }

    /// The file to write a process id to, to add that process and all it starts to the group.
    #[must_use]
    pub fn procs(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    /// The group's peak in bytes; under cgroup v2, kernels before 5.19 do not report it.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        self.read(self.controller.peak)?.trim().parse().ok()
    }

    /// How many processes the kernel killed for exceeding the limit.
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        self.read(self.controller.kills).and_then(|text| count_of(&text, "oom_kill")).unwrap_or(0)
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.dir.join(file)).ok()
    }

    /// `command`, not started yet, made to join the group first. An environment that it clears is
    /// not cleared then.
    pub(crate) fn joining(&self, command: &Command) -> Command {
        let mut joining = Command::new("/bin/sh");
        joining.args(["-c", JOIN, "sh"]).arg(self.procs());
        joining.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => joining.env(name, value),
                None => joining.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            joining.current_dir(dir);
        }
        joining
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + DROP_TIMEOUT;
        // A group goes only once all its processes have, and those take a moment to die.
        while fs::remove_dir(&self.dir).is_err() && Instant::now() < deadline {
            let left = self.read("cgroup.procs").unwrap_or_default();
            left.lines().filter_map(|pid| pid.parse().ok()).for_each(kill);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A name that no other group of this or another test process has.
fn unused_name() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("assetsync-testbed-{}-{number}", std::process::id())
}

/// The error for a group that cannot be made or limited.
fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::NoCgroup { why: format!("{}: {error}", path.display()) }
}

#[cfg(test)]
mod tests {
    use assetsync_loopback_sshd::Sshd;

    use super::*;

    /// A group, unless this machine or user cannot have one.
    fn group(limit: u64) -> Option<Cgroup> {
        match Cgroup::new(limit) {
            Ok(group) => Some(group),
            Err(Error::NoCgroup { .. }) => None,
            Err(other) => panic!("{other}"),
        }
    }

    /// A shell that holds `bytes` bytes in a variable.
    fn hold(bytes: u64) -> Command {
        let mut command = Command::new("sh");
        let script = format!("x=$(head -c {bytes} /dev/zero | tr '\\0' x); echo ${{#x}}");
        command.args(["-c", &script]);
        command
    }

    #[test]
    fn what_stays_below_the_limit_runs_and_is_measured() {
        let Some(group) = group(64 << 20) else { return };
        let run = group.run(&hold(1 << 20)).unwrap();
        assert_eq!(run.output.stdout, b"1048576\n");
        assert_eq!(run.oom_kills, 0);
        assert!(run.peak.is_none_or(|peak| (1 << 20..=64 << 20).contains(&peak)));
    }

    #[test]
    fn what_breaks_the_limit_is_killed_and_counted() {
        let Some(group) = group(8 << 20) else { return };
        let run = group.run(&hold(64 << 20)).unwrap();
        assert_ne!(run.output.stdout, b"67108864\n");
        assert!(run.oom_kills >= 1);
    }

    #[test]
    fn a_dropped_group_ends_what_runs_in_it() {
        let Some(group) = group(64 << 20) else { return };
        let dir = group.dir.clone();
        let run = group.run(Command::new("sh").args(["-c", "sleep 600 >/dev/null 2>&1 &"]));
        assert!(run.unwrap().output.status.success());
        drop(group);
        assert!(!dir.exists());
    }

    #[test]
    fn sessions_of_an_sshd_can_join_it() {
        let Some(group) = group(64 << 20) else { return };
        let join = format!("echo $$ >{}", group.procs().display());
        let sshd = Sshd::builder().prelude(&join).start().unwrap();
        let script = "x=$(head -c 4000000 /dev/zero | tr '\\0' x)";
        assert!(sshd.route().ssh().unwrap().arg(script).status().unwrap().success());
        assert!(group.peak().is_none_or(|peak| peak > 4_000_000));
        assert_eq!(group.oom_kills(), 0);
    }

    #[test]
    fn environment_and_directory_are_kept() {
        let Some(group) = group(64 << 20) else { return };
        let mut command = Command::new("sh");
        command.args(["-c", "echo $MARK; pwd"]).env("MARK", "here").current_dir("/");
        assert_eq!(group.run(&command).unwrap().output.stdout, b"here\n/\n");
    }
}
