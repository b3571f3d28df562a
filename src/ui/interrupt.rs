//! Signals: restores the terminal, says what is live, then lets the signal have its default effect,
//! so that shells see that the process was interrupted (status 130 after Ctrl-C).
//!
//! Nothing has to be undone at the destination: the agent publishes by renaming only, and exits
//! when its connection is closed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use assetsync_deploy::Cancel;
use rustix::termios::{OptionalActions, Termios, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::console::{Console, write_labelled};
use super::label::Label;
use super::push_states::PushStates;
use super::terminal_modes;

/// The signal that asked a rollout to stop.
static SIGNAL: AtomicI32 = AtomicI32::new(SIGINT);

/// Starts to handle signals during pushes with these `states`. If that fails, signals keep their
/// default effect.
pub fn watch(console: &Arc<Console>, states: &Arc<PushStates>) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let (console, states) = (Arc::clone(console), Arc::clone(states));
    // A passphrase prompt turns the echo off; it must be on again when the process ends.
    let terminal = terminal_modes::hide_control_characters();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // `suspend` locks the progress lines, so that nothing is drawn until the process ends.
            let texts = states.interrupted();
            console.bars().suspend(|| end(&console, terminal.as_ref(), &texts, signal));
        }
    });
}

/// The first signal asks a rollout to stop; the second one has its default effect.
pub fn cancel(console: &Arc<Console>, cancel: &Cancel, stage: &str) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let (console, cancel) = (Arc::clone(console), cancel.clone());
    let terminal = terminal_modes::hide_control_characters();
    let text = format!(
        "interrupted; no file is half written; to see what is live: assetsync status {stage}"
    );
    let texts = [(Label::Error, text)];
    std::thread::spawn(move || {
        for signal in signals.forever() {
            SIGNAL.store(signal, Ordering::SeqCst);
            if cancel.cancel() {
                console.bars().suspend(|| end(&console, terminal.as_ref(), &texts, signal));
            }
            if !console.output.quiet {
                let text = "stopping; press Ctrl-C again to quit immediately";
                console.print_labelled(Label::Note, text);
            }
        }
    });
}

/// Ends the process by the signal that stopped a rollout, once all is said.
pub fn die() {
    let _ = emulate_default_handler(SIGNAL.load(Ordering::SeqCst));
}

fn end(console: &Console, terminal: Option<&Termios>, texts: &[(Label, String)], signal: i32) {
    if let Some(terminal) = terminal {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
    }
    if !console.output.quiet {
        for (label, text) in texts {
            write_labelled(*label, text);
        }
    }
    let _ = emulate_default_handler(signal);
}
