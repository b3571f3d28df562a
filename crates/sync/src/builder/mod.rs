//! The way in: a [`Push`] is put together, prepared, and run.

mod followers;
mod interaction;
mod prepared;
mod pushed;
mod settings;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(test)]
use assetsync_ssh::Agents;
use assetsync_ssh::{SshOptions, TransportError};

pub use self::interaction::Interaction;
use self::interaction::Unattended;
pub use self::prepared::PreparedPush;
pub use self::pushed::Pushed;
use self::settings::PushSettings;
use crate::error::PushError;
use crate::options::Options;

/// One source, pushed to any number of destinations side by side.
///
/// ```no_run
/// # fn main() -> Result<(), assetsync_sync::PushError> {
/// let push = assetsync_sync::Push::new("public/assets")
///     .to("deploy@web1:/srv/shop/assets")?
///     .to("deploy@web2:/srv/shop/assets")?
///     .delete(true);
/// for pushed in push.run()? {
///     println!("{}: {} files sent", pushed.destination, pushed.result?.files_sent);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Unless told otherwise, a push uses the user's ssh configuration, the carried agents and the
/// default store, deletes nothing, and falls back to SFTP on hosts that can't run an agent.
#[derive(Debug, Clone)]
pub struct Push {
    settings: PushSettings,
}

impl Push {
    /// A push of `source`, a directory or a file, to no destination yet. [`Extend`] adds files.
    pub fn new(source: impl Into<PathBuf>) -> Push {
        Push { settings: PushSettings::new(source.into()) }
    }

    /// Adds a destination, written as for rsync: `[user@]host:path`, a URL, or a local path.
    pub fn to(mut self, given: impl AsRef<OsStr>) -> Result<Push, TransportError> {
        self.settings.destinations.push(given.as_ref().try_into()?);
        Ok(self)
    }

    /// Whether what the source does not have is deleted, after everything else.
    pub fn delete(mut self, delete: bool) -> Push {
        self.settings.options.policy.delete = delete;
        self
    }

    /// Replaces the default options. Also sets whether extraneous
    /// paths are deleted.
    pub fn options(mut self, options: Options) -> Push {
        self.settings.options = options;
        self
    }

    /// Whether only to find out what would be done.
    pub fn dry_run(mut self, dry_run: bool) -> Push {
        self.settings.dry_run = dry_run;
        self
    }

    /// Whether the content of every file at the destination is read, whatever its index says.
    pub fn checksum(mut self, checksum: bool) -> Push {
        self.settings.checksum = checksum;
        self
    }

    /// Send at most so many bytes a second to each destination.
    pub fn bytes_per_second(mut self, limit: Option<u64>) -> Push {
        self.settings.bytes_per_second = limit;
        self
    }

    /// Give a destination up after so long without a byte from it.
    pub fn timeout(mut self, timeout: Duration) -> Push {
        self.settings.timeout = timeout;
        self
    }

    /// How hosts are reached.
    pub fn ssh(mut self, ssh: SshOptions) -> Push {
        self.settings.ssh = ssh;
        self
    }

    /// The agents to install on hosts, for tests.
    #[cfg(test)]
    fn agents(mut self, agents: Agents) -> Push {
        self.settings.agents = agents;
        self
    }

    /// The store's directory, in place of the default one; `None`: nothing is remembered.
    pub fn store(mut self, store: Option<PathBuf>) -> Push {
        self.settings.store = store;
        self
    }

    /// Scans the source and opens the store. No host is reached yet. Refuses destinations that are
    /// hardly meant: one given twice, one that is the source or in it, one that the source is in
    /// and would be deleted from.
    pub fn prepare(&self) -> Result<PreparedPush<'_>, PushError> {
        PreparedPush::new(&self.settings)
    }

    /// Pushes to all destinations side by side; gives one result for each, in the order they were
    /// added.
    pub fn run(&self) -> Result<Vec<Pushed>, PushError> {
        Ok(self.prepare()?.run(&Unattended))
    }
}

/// More files to push, if the source is a file.
impl Extend<PathBuf> for Push {
    fn extend<T: IntoIterator<Item = PathBuf>>(&mut self, files: T) {
        self.settings.sources.extend(files);
    }
}
