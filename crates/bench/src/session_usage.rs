//! Measures CPU time and memory of the throw-away sshd's sessions: sshd runs this in place of every
//! command, and this runs the command.
//!
//! The kernel counts the peak memory of a process from before `exec`, so a direct child of this
//! program could never seem smaller than this program. Therefore a small shell starts the command
//! and exits, and this process, as a subreaper, becomes the command's parent.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::{
    os::fd::AsRawFd,
    path::PathBuf,
    process::{Child, Stdio},
};

use nix::sys::resource::{UsageWho, getrusage};
#[cfg(target_os = "linux")]
use rustix::process::{
    Pid, WaitId, WaitIdOptions, WaitOptions, getpid, set_child_subreaper, waitid, waitpid,
};

use crate::error::{ErrorContext, Result};
use crate::measure::duration;

/// CPU time and memory of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SessionUsage {
    /// User and system time of all.
    pub(crate) cpu: Duration,
    /// Peak resident memory of the largest process in bytes.
    pub(crate) peak: u64,
}

/// Starts the command of the session in the background and writes its process id to `$1`. The
/// command waits for a line on this shell's standard input; its own is file descriptor `$2`. sshd
/// names its built-in SFTP server as if it were a command.
#[cfg(target_os = "linux")]
const START: &str = "exec 9<&0; case $SSH_ORIGINAL_COMMAND in internal-sftp*) \
    for s in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server \
    /usr/libexec/sftp-server; do [ -x $s ] && SSH_ORIGINAL_COMMAND=\"exec $s\" && break; done ;; esac; \
    { read go <&9; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\" <&$2 3<&- 4<&- 9<&-; } & \
    echo $! > \"$1\"";

/// The line in the log when a session starts.
const STARTED: &str = "started";

/// Runs the command that an SSH client asked for, as sshd's `ForceCommand`, and appends its CPU
/// time and memory to `log`. Returns its exit code.
pub fn run_session(log: &Path) -> Result<i32> {
    add_line(log, STARTED).doing("write", log)?;
    let status = run_command(log).doing("run", "/bin/sh")?;
    add_line(log, &usage_line()).doing("write", log)?;
    Ok(status.map_or(255, exit_code))
}

/// Runs the command of the session as a child of this subreaper.
#[cfg(target_os = "linux")]
fn run_command(log: &Path) -> io::Result<Option<ExitStatus>> {
    set_child_subreaper(Some(getpid()))?;
    let number = pid_file(log);
    let input = rustix::io::dup(io::stdin())?;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(START).arg("sh").arg(&number).arg(input.as_raw_fd().to_string());
    let mut starter = shell.stdin(Stdio::piped()).spawn()?;
    drop(input);
    let status = wait_for_command(&mut starter, &number);
    let _ = fs::remove_file(&number);
    Ok(status)
}

/// Runs the command of the session as an ordinary child: there are no subreapers here.
#[cfg(not(target_os = "linux"))]
fn run_command(_: &Path) -> io::Result<Option<ExitStatus>> {
    let command = std::env::var_os("SSH_ORIGINAL_COMMAND").unwrap_or_default();
    Command::new("/bin/sh").arg("-c").arg(command).status().map(Some)
}

/// A file of this process alone, beside `log`.
#[cfg(target_os = "linux")]
fn pid_file(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_os_string();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

/// Waits for the command, but never reaps the shell that started it, so that only the command is
/// counted. The command starts once that shell has exited, which could reap it otherwise.
#[cfg(target_os = "linux")]
fn wait_for_command(starter: &mut Child, number: &Path) -> Option<ExitStatus> {
    let shell = Pid::from_child(starter);
    waitid(WaitId::Pid(shell), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).ok()?;
    let number: i32 = fs::read_to_string(number).ok()?.trim().parse().ok()?;
    starter.stdin.take()?.write_all(b"\n").ok()?;
    let (_, status) = waitpid(Pid::from_raw(number), WaitOptions::empty()).ok()??;
    Some(ExitStatus::from_raw(status.as_raw()))
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}

/// The unit of `max_rss` in bytes.
const UNIT: u64 = if cfg!(target_os = "macos") { 1 } else { 1024 };

/// CPU microseconds and peak memory, in [`UNIT`]s, of the children that have ended.
fn usage_line() -> String {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return "unknown".into() };
    let cpu = duration(usage.user_time()) + duration(usage.system_time());
    format!("{} {}", cpu.as_micros(), usage.max_rss())
}

fn add_line(log: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(log)?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// Whether every session has ended. A client can end before its command.
pub(crate) fn all_ended(log: &Path) -> bool {
    let text = fs::read_to_string(log).unwrap_or_default();
    let (started, ended): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| *line == STARTED);
    started.len() == ended.len()
}

/// The total of the sessions since the last [`clear`]; nothing if none was measured.
pub(crate) fn usage(log: &Path) -> Option<SessionUsage> {
    let text = fs::read_to_string(log).ok()?;
    let lines: Vec<_> = text.lines().filter_map(read_line).collect();
    let add = |sum: SessionUsage, next: SessionUsage| SessionUsage {
        cpu: sum.cpu + next.cpu,
        peak: sum.peak.max(next.peak),
    };
    lines.into_iter().reduce(add)
}

fn read_line(line: &str) -> Option<SessionUsage> {
    let (cpu, peak) = line.split_once(' ')?;
    let peak: u64 = peak.parse().ok()?;
    Some(SessionUsage { cpu: Duration::from_micros(cpu.parse().ok()?), peak: peak * UNIT })
}

/// Removes the log.
pub(crate) fn clear(log: &Path) {
    // It may not exist.
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
        fs::write(&log, "started\n1500 2000\nstarted\n").unwrap();
        assert!(!all_ended(&log));
        add_line(&log, "500 3000").unwrap();
        assert!(all_ended(&log));
        let expected = SessionUsage { cpu: Duration::from_millis(2), peak: 3000 * UNIT };
        assert_eq!(usage(&log), Some(expected));
        clear(&log);
        assert_eq!((usage(&log), all_ended(&log)), (None, true));
    }
}
