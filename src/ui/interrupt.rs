//! Signals: restores the terminal, then lets the signal have its default effect.
//!
//! Nothing has to be undone at the destination: the agent publishes by renaming only, and exits
//! when its connection is closed.

use std::io;
use std::sync::Arc;

use assetsync_deploy::Cancel;
use rustix::termios::{OptionalActions, Termios, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::console::{Console, write_labelled};
use super::label::Label;
use super::terminal_modes;

/// Starts to handle signals. If that fails, signals keep their default effect.
pub fn watch(console: &Arc<Console>) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let console = Arc::clone(console);
    // A passphrase prompt turns the echo off; it must be on again when the process ends.
    let terminal = terminal_modes::hide_control_characters();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // `suspend` locks the progress lines, so that nothing is drawn until the process ends.
            console.bars().suspend(|| end(&console, terminal.as_ref(), signal));
        }
    });
}

/// The first signal asks a rollout to stop; the second one has its default effect.
pub fn cancel(console: &Arc<Console>, cancel: &Cancel) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let (console, cancel) = (Arc::clone(console), cancel.clone());
    let terminal = terminal_modes::hide_control_characters();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if cancel.cancel() {
                console.bars().suspend(|| end(&console, terminal.as_ref(), signal));
            }
            if !console.output.quiet {
                let text = "stopping; press Ctrl-C again to quit immediately";
                console.print_labelled(Label::Note, text);
            }
        }
    });
}

fn end(console: &Console, terminal: Option<&Termios>, signal: i32) {
    if let Some(terminal) = terminal {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
    }
    if !console.output.quiet {
        let text = "interrupted; no file is half written; run the push again to complete it";
        write_labelled(Label::Error, text);
    }
    let _ = emulate_default_handler(signal);
}
