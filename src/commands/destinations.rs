//! `DEST...` or `STAGE`, for commands that take either: the destinations, and how each is reached.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "buckets")]
use assetsync_bucket::{BucketSettings, BucketUrl};
use assetsync_core::text;
use assetsync_deploy::{Cancel, Engine, Rollout, RolloutError, RolloutSelection};
use assetsync_ssh::{SshOptions, Target};
use assetsync_sync::Destination;
use clap::ArgMatches;

use super::project::{Project, is_stage};
use crate::cli::config::SettingsArguments;
use crate::cli::given::first_of;
use crate::cli::rollout::HostsArguments;
use crate::error::{CommandError, Exit};
use crate::ui::console::Console;
use crate::ui::rollout_text::RolloutMonitor;

/// What chooses destinations, besides their names.
pub struct Given<'a> {
    /// The first option that was given and says how a host is reached, which a stage says itself.
    pub host_option: Option<String>,
    /// The first option that was given and is only for stages.
    pub stage_option: Option<String>,
    /// Where the settings of a stage come from.
    pub settings: &'a SettingsArguments,
    /// Which hosts of a stage.
    pub selection: &'a RolloutSelection,
}

/// The first option that was given and is only for stages.
pub fn stage_option(matches: &ArgMatches) -> Option<String> {
    first_of::<HostsArguments>(matches, &[]).or_else(|| first_of::<SettingsArguments>(matches, &[]))
}

/// The hosts and buckets of a stage that the options choose.
pub fn chosen(hosts: &HostsArguments, interactive: bool) -> RolloutSelection {
    RolloutSelection {
        roles: hosts.roles.clone(),
        hosts: hosts.hosts.clone(),
        interactive,
        ..RolloutSelection::default()
    }
}

/// The destinations that are named, each with how it is reached.
#[derive(Default)]
pub struct Resolved {
    /// Directories on hosts.
    pub hosts: Vec<(Destination, SshOptions)>,
    /// Buckets of a stage.
    #[cfg(feature = "buckets")]
    pub buckets: Vec<NamedBucket>,
}

/// A bucket, and how it is reached.
#[cfg(feature = "buckets")]
pub struct NamedBucket {
    /// As it is written.
    pub label: String,
    /// Where it is.
    pub url: BucketUrl,
    /// How it is reached.
    pub settings: BucketSettings,
}

impl Given<'_> {
    /// The destinations on hosts that are named, of which a stage must have some. What is wrong is
    /// printed.
    pub fn hosts(
        &self,
        names: &[OsString],
        ssh: SshOptions,
        console: &Arc<Console>,
    ) -> Result<Vec<(Destination, SshOptions)>, Exit> {
        let Resolved { hosts, .. } = self.resolve(names, ssh, console)?;
        if hosts.is_empty() {
            let stage = names.iter().map(|name| text::name(name.as_encoded_bytes())).collect();
            let error = CommandError::usage(RolloutError::OnlyBuckets(stage));
            console.error(None, &error);
            return Err(error.exit);
        }
        Ok(hosts)
    }

    /// The destinations that are named, each with how it is reached: as `ssh` says, or as the stage
    /// does. What is wrong is printed.
    pub fn resolve(
        &self,
        names: &[OsString],
        ssh: SshOptions,
        console: &Arc<Console>,
    ) -> Result<Resolved, Exit> {
        let print = |error: CommandError| {
            console.error(None, &error);
            error.exit
        };
        if let [name] = names
            && let Some(stage) = stage(name).map_err(print)?
        {
            self.check_stage_options(stage).map_err(print)?;
            return self.of_stage(stage, console);
        }
        if let Some(option) = &self.stage_option {
            let text = format!("{option} can only be used with a stage of assetsync.toml");
            return Err(print(CommandError::usage(text)));
        }
        let destinations = names.iter().map(|name| Destination::try_from(name.as_os_str()));
        let destinations = destinations.map(|one| one.map(|one| (one, ssh.clone())));
        let hosts = destinations.collect::<Result<_, _>>();
        let hosts = hosts.map_err(|error| print(CommandError::usage(error)))?;
        Ok(Resolved { hosts, ..Resolved::default() })
    }

    fn check_stage_options(&self, stage: &str) -> Result<(), CommandError> {
        match &self.host_option {
            None => Ok(()),
            Some(option) => {
                let text = format!("{option} can't be used with the stage {stage}");
                let hint = "a stage has settings for that (--set KEY=VALUE)";
                Err(CommandError::usage(text).hint(hint))
            }
        }
    }

    fn of_stage(&self, stage: &str, console: &Arc<Console>) -> Result<Resolved, Exit> {
        let print = |error: CommandError| {
            console.error(None, &error);
            error.exit
        };
        let project = Project::open(self.settings).map_err(print)?;
        let deployment = project.deployment(stage, console)?;
        let rollout = Rollout {
            deployment: &deployment,
            project: &project.folder,
            engine: &Engine::default(),
            selection: self.selection,
            cancel: &Cancel::default(),
            monitor: RolloutMonitor::on(console, true),
        };
        let found = rollout.destinations().map_err(|error| print(CommandError::usage(&error)))?;
        #[cfg(feature = "buckets")]
        let buckets = found.1.into_iter().map(|bucket| NamedBucket {
            label: bucket.label.clone(),
            url: bucket.url.clone(),
            settings: bucket.settings.clone(),
        });
        Ok(Resolved {
            hosts: found.0,
            #[cfg(feature = "buckets")]
            buckets: buckets.collect(),
        })
    }
}

/// The stage that a name means: one of the project, unless the name is a path.
fn stage(name: &OsString) -> Result<Option<&str>, CommandError> {
    let is_path = matches!(Target::parse(name), Ok(Target::Remote(_)) | Err(_));
    let Some(word) = name.to_str().filter(|name| !is_path && !name.contains('/')) else {
        return Ok(None);
    };
    if is_stage(word) {
        return Ok(Some(word));
    }
    if Path::new(name).is_dir() {
        return Ok(None);
    }
    let here = env::current_dir().unwrap_or_default();
    let text = format!(
        "{} is neither a stage nor a directory in {}",
        text::name(word.as_bytes()),
        text::path(&here)
    );
    Err(CommandError::usage(text)
        .hint("a destination is written [user@]host:path, and a local one ./path"))
}
