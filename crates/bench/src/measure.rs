//! Running a command and seeing what it takes on this machine.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::error::{Doing, Result};

/// How much of what a command says is kept: its last words.
const KEPT: u64 = 2_000;

/// What a command took.
#[derive(Debug)]
pub(crate) struct Took {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// User and system time of it and all that it started and waited for.
    pub(crate) cpu: Duration,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// The last that it wrote to standard error.
    pub(crate) said: String,
}

/// Runs `command` to its end. No other child of this process may end meanwhile: the system only
/// tells what all children took together.
pub(crate) fn run(command: &mut Command) -> Result<Took> {
    let program = command.get_program().to_os_string();
    let mut errors = tempfile::tempfile().doing("make a file in", std::env::temp_dir())?;
    let written = errors.try_clone().doing("make a file in", std::env::temp_dir())?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(written);
    let before = children_cpu();
    let start = Instant::now();
    let status = command.spawn().and_then(|mut child| child.wait()).doing("run", program)?;
    let wall = start.elapsed();
    let cpu = children_cpu().saturating_sub(before);
    Ok(Took { wall, cpu, status, said: last_words(&mut errors).unwrap_or_default() })
}

/// What all children that have ended took so far.
fn children_cpu() -> Duration {
    getrusage(UsageWho::RUSAGE_CHILDREN)
        .map(|usage| duration(usage.user_time()) + duration(usage.system_time()))
        .unwrap_or_default()
}

/// A time of the system's.
pub(crate) fn duration(time: TimeVal) -> Duration {
    let micros = time.tv_sec() as i128 * 1_000_000 + time.tv_usec() as i128;
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

fn last_words(errors: &mut File) -> io::Result<String> {
    let length = errors.metadata()?.len();
    errors.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
    let mut bytes = Vec::new();
    errors.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Ok(text.lines().next_back().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_cpu_and_last_words_are_told() {
        let script = "echo first >&2; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1; \
                      echo last >&2; exit 3";
        let took = run(Command::new("sh").arg("-c").arg(script)).unwrap();
        assert_eq!((took.status.code(), took.said.as_str()), (Some(3), "last"));
        assert!(took.wall >= Duration::from_millis(100));
        assert!(took.cpu > Duration::ZERO && took.cpu <= took.wall * 2);
    }
}
