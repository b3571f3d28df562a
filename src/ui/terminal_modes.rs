//! The modes of the terminal while progress lines are drawn on it.

use std::io;
use std::sync::OnceLock;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::label::can_redraw;

/// The modes before the program changed them.
static BEFORE: OnceLock<Termios> = OnceLock::new();

/// Keeps the terminal from showing `^C`: progress lines fill their line, so it would begin a new
/// one, and the lines could no longer be removed. Returns the modes to restore, if standard input
/// is a terminal; a prompt for a passphrase changes them, too.
pub fn hide_control_characters() -> Option<Termios> {
    let before = tcgetattr(io::stdin()).ok()?;
    if can_redraw() {
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHOCTL);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
        let _ = BEFORE.set(before.clone());
    }
    Some(before)
}

/// Restores the modes at the end of the program.
pub fn restore() {
    if let Some(before) = BEFORE.get() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    }
}
