//! The far side's own measure: what stands between the throw-away sshd and every command it runs.
//!
//! The system counts the peak memory of a process from before it became another program, so one
//! that is started by this program could never seem smaller than this program. Therefore a small
//! shell starts it and ends, and this process adopts it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::{
    Pid, WaitId, WaitIdOptions, WaitOptions, getpid, set_child_subreaper, waitid, waitpid,
};

use crate::error::{Doing, Result};
use crate::measure::duration;

/// What commands on the far side took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FarUsage {
    /// User and system time of all.
    pub(crate) cpu: Duration,
    /// Peak resident memory of the largest process in bytes.
    pub(crate) peak: u64,
}

/// Starts the command of the session in the background, with this process's own standard input,
/// and writes its number to `$1`. sshd names SFTP as if it were a command.
const START: &str = "exec 3<&0; case $SSH_ORIGINAL_COMMAND in internal-sftp*) \
    for s in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server \
    /usr/libexec/sftp-server; do [ -x $s ] && SSH_ORIGINAL_COMMAND=\"exec $s\" && break; done ;; esac; \
    /bin/sh -c \"$SSH_ORIGINAL_COMMAND\" <&3 3<&- & exec 3<&-; echo $! > \"$1\"";

/// Runs the command that an SSH client asked for, as sshd's `ForceCommand`, and adds a line about
/// what it took to `log`. Gives its exit code.
pub fn far_side(log: &Path) -> Result<i32> {
    // Where this is refused, the command is lost to another parent and only its numbers are missing.
    let _ = set_child_subreaper(Some(getpid()));
    let number = pid_file(log);
    let mut shell = Command::new("/bin/sh");
    let starter = shell.arg("-c").arg(START).arg("sh").arg(&number);
    let starter = starter.spawn().doing("run", "/bin/sh")?;
    let status = wait_for_command(&starter, &number);
    let _ = fs::remove_file(&number);
    if status.is_some() {
        note(log).doing("write", log)?;
    }
    Ok(status.map_or(255, exit_code))
}

/// A file of this process alone, beside `log`.
fn pid_file(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_os_string();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

/// Waits for the command, but never for the shell that started it, so that only the command counts.
fn wait_for_command(starter: &Child, number: &Path) -> Option<ExitStatus> {
    let shell = Pid::from_child(starter);
    waitid(WaitId::Pid(shell), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).ok()?;
    let number: i32 = fs::read_to_string(number).ok()?.trim().parse().ok()?;
    let (_, status) = waitpid(Pid::from_raw(number), WaitOptions::empty()).ok()??;
    Some(ExitStatus::from_raw(status.as_raw()))
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}

/// Adds what the ended children took: CPU microseconds and peak kilobytes.
fn note(log: &Path) -> io::Result<()> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = duration(usage.user_time()) + duration(usage.system_time());
    let line = format!("{} {}\n", cpu.as_micros(), usage.max_rss());
    OpenOptions::new().append(true).create(true).open(log)?.write_all(line.as_bytes())
}

/// What the sessions since the last [`clear`] took together; nothing if none could be watched.
pub(crate) fn usage(log: &Path) -> Option<FarUsage> {
    let text = fs::read_to_string(log).ok()?;
    let lines: Vec<_> = text.lines().filter_map(read_line).collect();
    let add = |sum: FarUsage, next: FarUsage| FarUsage {
        cpu: sum.cpu + next.cpu,
        peak: sum.peak.max(next.peak),
    };
    lines.into_iter().reduce(add)
}

fn read_line(line: &str) -> Option<FarUsage> {
    let (cpu, peak) = line.split_once(' ')?;
    let peak_kib: u64 = peak.parse().ok()?;
    Some(FarUsage { cpu: Duration::from_micros(cpu.parse().ok()?), peak: peak_kib * 1024 })
}

/// Forgets all sessions.
pub(crate) fn clear(log: &Path) {
    // One that is not there is as good.
    let _ = fs::remove_file(log);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert_eq!(usage(&log), None);
        fs::write(&log, "1500 2000\n500 3000\nnonsense\n").unwrap();
        let expected = FarUsage { cpu: Duration::from_millis(2), peak: 3000 * 1024 };
        assert_eq!(usage(&log), Some(expected));
        clear(&log);
        assert_eq!(usage(&log), None);
    }
}
