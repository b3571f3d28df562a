//! `assetsync completions`.

use clap::CommandFactory;

use crate::cli::args::Arguments;
use crate::error::Exit;
use crate::ui::console::print;

/// Prints the completion script of a shell.
pub fn run(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "assetsync", &mut script);
    print(&script)
}
