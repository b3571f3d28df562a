//! Finds, runs and kills programs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Error, ErrorContext, Result};

/// Directories of daemons, which an ordinary user's `PATH` lacks.
const DAEMON_DIRS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// The absolute path of `program`, daemons included; the error names the Debian `package`.
pub fn find(program: &'static str, package: &'static str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(DAEMON_DIRS.map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or(Error::Missing { program, package })
}

/// Runs `command` to its end; a failure is an error with its standard error.
pub fn run(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_os_string();
    let output = command.output().doing("run", &program)?;
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Failed {
        program: program.to_string_lossy().into_owned(),
        status: output.status.to_string(),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Kills `pid`, which may be gone already.
pub fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The only other failure is a process of another user, which is not ours to kill.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The processes that `root` started, and those that they started, children before grandchildren.
pub fn descendants(root: u32) -> Vec<u32> {
    let processes = parents();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Every process and its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent_of(pid)?)))
        .collect()
}

/// The parent of `pid`, from the fields after its name, which may itself hold spaces and brackets.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error = find("assetsync-no-such-program", "some-package").unwrap_err();
        assert_eq!(
            error.to_string(),
            "assetsync-no-such-program is not installed; `apt-get install some-package` brings it"
        );
    }

    #[test]
    fn a_failure_quotes_standard_error() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh ended with exit status: 3: why");
    }

    #[test]
    fn descendants_include_grandchildren_and_end_when_killed() {
        let mut child = Command::new("sh").args(["-c", "sh -c 'sleep 60; :'; :"]).spawn().unwrap();
        while descendants(child.id()).len() < 2 {
            std::thread::yield_now();
        }
        for pid in descendants(child.id()) {
            kill(pid);
        }
        child.wait().unwrap();
        assert!(descendants(child.id()).is_empty());
    }
}
