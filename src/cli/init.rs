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
manager and restarts. The Ruby code is not run: statements that can't be read are listed at the \
end of the file.";
