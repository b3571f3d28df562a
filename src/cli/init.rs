//! The arguments of `assetsync init`.

use clap::Args;

/// What `assetsync init` is told.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Replace an assetsync.toml that is there already
    #[arg(long)]
    pub force: bool,
}

/// What `init` does.
pub const ABOUT: &str = "\
Write an assetsync.toml to begin with

It says what each setting is for. Where there is a Capistrano configuration (Capfile, \
config/deploy.rb, config/deploy/*.rb), servers, paths, roles, keys, version manager and restarts are \
taken from it. None of its Ruby is run: what can't be read is listed at the end of the file.";
