//! The `assetsync` command: arguments in, words and progress out. All work is done by the engine.

mod cli;
mod commands;
mod error;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let (matches, arguments) = cli::parse();
    commands::run(&matches, arguments).into()
}
