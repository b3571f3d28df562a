//! The agent: runs the receiver on the target host.
//!
//! It is started as `assetsync-agent NONCE HELLO` with the conversation on standard input and
//! output; without the *Hello* as a word, it waits for the line.
//! `assetsync-agent --probe` exits successfully: the bootstrap uses it to find out whether the
//! binary runs on this machine. `assetsync-agent --restrict DIR` is for `command=` in
//! authorized_keys: it pushes to DIR, or to what is in it, and does nothing else.

#[cfg(all(panic = "abort", target_os = "linux", target_env = "gnu"))]
mod c_library;
#[cfg(target_os = "linux")]
mod sandbox;
// On other systems the names differ, or belong to the system.
#[cfg(all(panic = "abort", target_os = "linux"))]
mod unwinding;

use std::ffi::OsStr;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assetsync_receiver::{Confine, ServeOptions};
use rustix::fs::Mode;
use rustix::process::umask;

#[cfg(target_os = "linux")]
const CONFINE: Option<Confine> = Some(sandbox::confine);
#[cfg(not(target_os = "linux"))]
const CONFINE: Option<Confine> = None;

/// Length of a sender's nonce.
const NONCE_DIGITS: usize = 32;

fn main() -> ExitCode {
    let (first, second) = (std::env::args().nth(1), std::env::args_os().nth(2));
    match (first.as_deref(), second) {
        (Some("--probe"), _) => ExitCode::SUCCESS,
        (Some("--restrict"), Some(dir)) => restricted(Path::new(&dir)),
        (Some(nonce), hello) if is_nonce(nonce) => {
            serve(nonce, hello.as_deref().and_then(OsStr::to_str), None)
        }
        _ => ExitCode::from(2),
    }
}

fn is_nonce(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Serves a push to a directory, or to one in it, whatever command was asked for: of that, only the
/// nonce and the *Hello* after it count.
fn restricted(dir: &Path) -> ExitCode {
    let asked = std::env::var("SSH_ORIGINAL_COMMAND").unwrap_or_default();
    let mut words = asked.split(' ');
    let nonce = words.find(|word| word.len() == NONCE_DIGITS && is_nonce(word));
    match (nonce, dir.canonicalize()) {
        (Some(nonce), Ok(dir)) => serve(nonce, words.next(), Some(dir)),
        (_, Err(error)) => refuse(&format!("can't use {}: {error}", dir.display())),
        (None, _) => refuse("this login may only push with assetsync"),
    }
}

/// Tells the person at the other end, who sees standard error.
fn refuse(reason: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "assetsync-agent: {reason}");
    ExitCode::from(2)
}

fn serve(nonce: &str, hello: Option<&str>, within: Option<PathBuf>) -> ExitCode {
    // All modes are explicit: what is served does not depend on how the account is set up.
    umask(Mode::empty());
    let input = std::io::stdin().as_fd().try_clone_to_owned();
    let output = std::io::stdout().as_fd().try_clone_to_owned();
    let (Ok(input), Ok(output)) = (input, output) else { return ExitCode::FAILURE };
    let gone: Box<dyn FnOnce() + Send> = Box::new(|| std::process::exit(1));
    let hello = hello.map(str::to_owned);
    let options = ServeOptions { gone: Some(gone), hello, within, confine: CONFINE };
    match assetsync_receiver::serve_with(input, output, nonce, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
