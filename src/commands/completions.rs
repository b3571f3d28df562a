//! `assetsync completions`.

use crate::cli;
use crate::error::Exit;
use crate::ui::console::print;

/// Prints the completion script of a shell.
pub fn run(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "assetsync", &mut script);
    print(&script)
}
