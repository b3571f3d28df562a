//! Ctrl-C: the terminal is left as it was found, then the signal does what it always does.
//!
//! Nothing has to be undone at the destination: the agent publishes by renaming only, and ends with its
//! connection.

use std::io;
use std::sync::Arc;

use assetsync_deploy::rollout::Cancel;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::console::{Console, print_stderr_raw};

/// Begins to listen. Where that is impossible, signals do what they always do.
pub fn watch(console: &Arc<Console>) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let console = Arc::clone(console);
    // A passphrase prompt turns the echo off; dying in it must not leave it off.
    let terminal = tcgetattr(io::stdin()).ok();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // Nothing can draw while this holds the lines of progress, which ends with the process.
            console.bars().suspend(|| end(&console, terminal.as_ref(), signal));
        }
    });
}

/// The first signal asks a rollout to stop; the second does what it always does.
pub fn cancel(console: &Arc<Console>, cancel: &Cancel) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let (console, cancel) = (Arc::clone(console), cancel.clone());
    let terminal = tcgetattr(io::stdin()).ok();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if cancel.is_cancelled() {
                console.bars().suspend(|| end(&console, terminal.as_ref(), signal));
            }
            cancel.cancel();
            if !console.output.quiet {
                console.tell("assetsync: stopping; the same again ends at once");
            }
        }
    });
}

fn end(console: &Console, terminal: Option<&Termios>, signal: i32) {
    if let Some(terminal) = terminal {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
    }
    if !console.output.quiet {
        print_stderr_raw("assetsync: interrupted; every path is whole; push again to complete");
    }
    let _ = emulate_default_handler(signal);
}
