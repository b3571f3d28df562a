//! The far side's own measure: what stands between the throw-away sshd and every command it runs.
//!
//! The system counts the peak memory of a process from before it became another program, so one
//! that is started by this program could never seem smaller than this program. Therefore a small
//! shell starts it and ends, and this process adopts it.

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

/// Starts the command of the session in the background, to run with standard input from `$2` once a
/// line came on this shell's own, and writes its number to `$1`. sshd names SFTP as if it were a
/// command.
#[cfg(target_os = "linux")]
const START: &str = "exec 9<&0; case $SSH_ORIGINAL_COMMAND in internal-sftp*) \
    for s in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server \
    /usr/libexec/sftp-server; do [ -x $s ] && SSH_ORIGINAL_COMMAND=\"exec $s\" && break; done ;; esac; \
    { read go <&9; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\" <&$2 3<&- 4<&- 9<&-; } & \
    echo $! > \"$1\"";

/// The line that a session begins with in the log.
const BEGUN: &str = "begun";

/// Runs the command that an SSH client asked for, as sshd's `ForceCommand`, and adds a line about
/// what it took to `log`. Gives its exit code.
pub fn far_side(log: &Path) -> Result<i32> {
    add_line(log, BEGUN).doing("write", log)?;
    let status = run_command(log).doing("run", "/bin/sh")?;
    add_line(log, &told()).doing("write", log)?;
    Ok(status.map_or(255, exit_code))
}

/// Runs the command of the session as an adopted child.
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

/// Runs the command of the session as an ordinary child: nobody can adopt here.
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

/// Waits for the command, but never for the shell that started it, so that only the command counts.
/// The command begins when that shell has ended, as it might take note of the command's end itself.
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

/// Bytes in what the system counts memory in.
const UNIT: u64 = if cfg!(target_os = "macos") { 1 } else { 1024 };

/// What the ended children took: CPU microseconds and peak memory in [`UNIT`]s.
fn told() -> String {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return "unknown".into() };
    let cpu = duration(usage.user_time()) + duration(usage.system_time());
    format!("{} {}", cpu.as_micros(), usage.max_rss())
}

fn add_line(log: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(log)?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// Whether every session that has begun has ended, too. A client may be gone before its command is.
pub(crate) fn all_ended(log: &Path) -> bool {
    let text = fs::read_to_string(log).unwrap_or_default();
    let (begun, ended): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| *line == BEGUN);
    begun.len() == ended.len()
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
    let peak: u64 = peak.parse().ok()?;
    Some(FarUsage { cpu: Duration::from_micros(cpu.parse().ok()?), peak: peak * UNIT })
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
        fs::write(&log, "begun\n1500 2000\nbegun\n").unwrap();
        assert!(!all_ended(&log));
        add_line(&log, "500 3000").unwrap();
        assert!(all_ended(&log));
        let expected = FarUsage { cpu: Duration::from_millis(2), peak: 3000 * UNIT };
        assert_eq!(usage(&log), Some(expected));
        clear(&log);
        assert_eq!((usage(&log), all_ended(&log)), (None, true));
    }
}
