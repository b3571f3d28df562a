//! The `assetsync` command: parses arguments, calls the libraries, prints progress and results.

mod cli;
mod commands;
mod error;
mod ui;

use std::process::ExitCode;

use crate::error::Exit;

fn main() -> ExitCode {
    commands::answer_completion();
    let (matches, arguments) = cli::parse();
    let exit = commands::run(&matches, arguments);
    ui::terminal_modes::restore();
    if exit == Exit::Interrupted {
        ui::interrupt::die();
    }
    exit.into()
}
