//! The commands deploy, push and prune. Rollback is in its own file.

use assetsync_ssh::SshOptions;
use assetsync_sync::{Destination, Options, Source};

use super::checkout_lock::CheckoutLock;
use super::error::RolloutError;
use super::options::Rollout;
use super::outcome::Outcome;
use super::payload;
use super::payload::{Payload, PayloadKind};
use super::retention::RolloutKind;
use super::started::RolloutSteps;
use super::target::{chosen_buckets, targets};
use crate::config::Bucket;

/// Destinations on hosts, each with how it is reached, and buckets.
type Chosen<'d> = (Vec<(Destination, SshOptions)>, Vec<&'d Bucket>);

impl Rollout<'_> {
    /// Every asset set on every host that is chosen, and how that is reached; and the chosen
    /// buckets.
    pub fn destinations(&self) -> Result<Chosen<'_>, RolloutError> {
        let targets = targets(self.deployment, self.selection)?.into_iter();
        let destination = |label: String, target| Destination { label, target };
        let hosts = targets.map(|it| (destination(it.label, it.destination), it.ssh)).collect();
        let buckets = chosen_buckets(self.deployment, self.selection).into_iter();
        Ok((hosts, buckets.map(|(_, bucket)| bucket).collect()))
    }

    /// Builds and deploys to every host, with hooks and the restart.
    pub fn deploy(&self) -> Result<Outcome, RolloutError> {
        let (build, selection) = (&self.deployment.build, self.selection);
        let command = build.command.as_deref();
        let command = command.filter(|_| !selection.skip_build && !selection.dry_run);
        let _lock = self.lock_checkout()?;
        let cleans_up = command.is_some() && build.cleanup;
        let steps = RolloutSteps { runs_commands: true, verifies: true, prunes: true, cleans_up };
        let outcome = self.roll_out(steps, |pipeline| {
            if let Some(command) = command {
                pipeline.check()?;
                pipeline.check_commands(true)?;
                pipeline.build(command)?;
            }
            pipeline.built()
        })?;
        Ok(self.roll_back_unverified(outcome))
    }

    /// Publishes the existing output of the build on every host, or on none; runs no commands.
    pub fn push(&self) -> Result<Outcome, RolloutError> {
        let _lock = self.lock_checkout()?;
        let steps =
            RolloutSteps { runs_commands: false, verifies: true, prunes: true, cleans_up: false };
        let outcome = self.roll_out(steps, |pipeline| pipeline.built())?;
        Ok(self.roll_back_unverified(outcome))
    }

    /// A dry run changes nothing, and reads what is there.
    fn lock_checkout(&self) -> Result<Option<CheckoutLock>, RolloutError> {
        match self.selection.dry_run {
            true => Ok(None),
            false => CheckoutLock::take(self.project),
        }
    }

    /// Deletes files that retention no longer keeps, on every host.
    pub fn prune(&self) -> Result<Outcome, RolloutError> {
        let nothing = tempfile::tempdir().map_err(RolloutError::Temporary)?;
        let steps =
            RolloutSteps { runs_commands: false, verifies: false, prunes: true, cleans_up: false };
        self.roll_out(steps, |pipeline| {
            let payloads = pipeline.sets().into_iter().map(|set| {
                let options = payload::options(set.assets, self.engine.recipes)?;
                // The source is empty; retention keeps the live deploy.
                let options = Options { allow_empty: true, ..options };
                let source = Source::of(Vec::new(), nothing.path())?;
                let decide = payload::deploy_retention(set.assets, RolloutKind::Prune)?.decide();
                Ok(Payload { set: set.at, source, options, decide, kind: PayloadKind::Empty })
            });
            payloads.collect()
        })
    }
}
