//! The checkout: its scripts, and its release build.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::error::{Error, ErrorContext, Result};

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Runs a script of the checkout.
pub(crate) fn script(name: &str, args: &[&str]) -> Result<()> {
    run(Command::new(root().join("scripts").join(name)).args(args))
}

/// Builds the command in the release profile; returns its path.
pub(crate) fn build_release() -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo).args(["build", "--release", "-p", "assetsync"]))?;
    Ok(target_dir().join("release/assetsync"))
}

/// Cargo's target directory.
pub(crate) fn target_dir() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Runs `command` in the root of the checkout, with the terminal's output.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_os_string();
    let status = command.current_dir(root()).status().doing("run", &program)?;
    let output = Output { status, stdout: Vec::new(), stderr: Vec::new() };
    check(&program.to_string_lossy(), &output)
}

/// Fails unless a program succeeded.
pub(crate) fn check(what: &str, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let (what, status) = (what.to_owned(), output.status.to_string());
    let output = [&output.stdout[..], &output.stderr[..]].concat();
    let output = String::from_utf8_lossy(&output).trim().to_owned();
    Err(Error::Failed { what, status, output })
}
