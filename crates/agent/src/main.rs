//! The agent: runs the receiver on the target host.
//!
//! It is started as `assetsync-agent NONCE` with the conversation on standard input and output.
//! `assetsync-agent --probe` exits successfully: the bootstrap uses it to find out whether the
//! binary runs on this machine.

#[cfg(all(panic = "abort", target_os = "linux", target_env = "gnu"))]
mod c_library;
// On other systems the names differ, or belong to the system.
#[cfg(all(panic = "abort", target_os = "linux"))]
mod unwinding;

use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::fs::Mode;
use rustix::process::umask;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("--probe") => ExitCode::SUCCESS,
        Some(nonce) if nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) => serve(nonce),
        _ => ExitCode::from(2),
    }
}

fn serve(nonce: &str) -> ExitCode {
    // All modes are explicit: what is served does not depend on how the account is set up.
    umask(Mode::empty());
    let input = std::io::stdin().as_fd().try_clone_to_owned();
    let output = std::io::stdout().as_fd().try_clone_to_owned();
    let (Ok(input), Ok(output)) = (input, output) else { return ExitCode::FAILURE };
    match assetsync_receiver::serve(input, output, nonce) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
