//! The arguments of `assetsync init`.

use clap::Args;

/// The arguments of `assetsync init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Replace an existing assetsync.toml
    #[arg(long)]
    pub force: bool,
}

/// The description of `init`.
pub const ABOUT: &str = "\
Create assetsync.toml, from the Capistrano configuration if there is one

Each setting in the new file has a comment that explains it. From a Capistrano configuration \
(Capfile, config/deploy.rb, config/deploy/*.rb), it takes servers, paths, roles, keys, version \
manager and restarts. If ruby and Capistrano are installed, Capistrano loads the configuration and \
says every value; no task is run, and no server is connected to. Otherwise the files are read as \
text. What can't be known is left out, and listed at the end of the file.";
