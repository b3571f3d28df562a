//! Runs a command and measures its time and CPU on this machine.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::error::{ErrorContext, Result};

/// How many bytes of standard error are read, from its end.
const TAIL: u64 = 2_000;

/// Time and CPU of a command, and how it ended.
#[derive(Debug)]
pub(crate) struct Usage {
    /// Time from its start to its end.
    pub(crate) wall: Duration,
    /// User and system time of it and all that it started and waited for.
    pub(crate) cpu: Duration,
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// The last line of its standard error.
    pub(crate) last_line: String,
}

/// Runs `command` to its end. No other child of this process may end meanwhile: the kernel reports
/// only the sum of all children.
pub(crate) fn run(command: &mut Command) -> Result<Usage> {
    let program = command.get_program().to_os_string();
    let mut errors = tempfile::tempfile().doing("make a file in", std::env::temp_dir())?;
    let written = errors.try_clone().doing("make a file in", std::env::temp_dir())?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(written);
    let before = children_cpu();
    let start = Instant::now();
    let status = command.spawn().and_then(|mut child| child.wait()).doing("run", program)?;
    let wall = start.elapsed();
    let cpu = children_cpu().saturating_sub(before);
    Ok(Usage { wall, cpu, status, last_line: last_line(&mut errors).unwrap_or_default() })
}

/// User and system time of all children that have ended.
fn children_cpu() -> Duration {
    getrusage(UsageWho::RUSAGE_CHILDREN)
        .map(|usage| duration(usage.user_time()) + duration(usage.system_time()))
        .unwrap_or_default()
}

/// Converts a `timeval`.
pub(crate) fn duration(time: TimeVal) -> Duration {
    let micros = time.tv_sec() as i128 * 1_000_000 + time.tv_usec() as i128;
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

fn last_line(errors: &mut File) -> io::Result<String> {
    let length = errors.metadata()?.len();
    errors.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    errors.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Ok(text.lines().next_back().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_cpu_and_last_line_are_measured() {
        let script = "echo first >&2; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1; \
                      echo last >&2; exit 3";
        let used = run(Command::new("sh").arg("-c").arg(script)).unwrap();
        assert_eq!((used.status.code(), used.last_line.as_str()), (Some(3), "last"));
        assert!(used.wall >= Duration::from_millis(100));
        assert!(used.cpu > Duration::ZERO && used.cpu <= used.wall * 2);
    }
}
