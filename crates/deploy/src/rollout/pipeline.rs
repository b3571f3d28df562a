//! A rollout before staging: chooses targets, checks them, and excludes failed ones.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use assetsync_core::text;
use assetsync_ssh::SshOptions;
use assetsync_sync as sender;
use assetsync_sync::ConnectOptions;

use super::bucket_checks;
use super::bucket_targets;
use super::command_phase::CommandPhase;
use super::each::each;
use super::error::{RolloutError, TargetError};
use super::event::{Event, Phase};
use super::hooks::Commands;
use super::options::Rollout;
use super::outcome::{Outcome, TargetOutcome};
use super::payload;
use super::payload::Payload;
use super::retention::{RolloutKind, unix_time};
use super::target::{DeployTarget, SetSurvey, chosen_buckets, chosen_hosts, targets};
use super::target_status::KeptDeploy;
use super::worker::{self, PushEvents};
use crate::command::Secrets;
use crate::history::{DeployId, Origin};

/// A rollout that has not started to stage.
pub(super) struct Pipeline<'a> {
    pub rollout: &'a Rollout<'a>,
    pub id: DeployId,
    /// Redacted in all commands and their output.
    pub secrets: Secrets,
    /// The targets that have not failed.
    pub targets: Vec<DeployTarget>,
    /// Targets that failed before staging, and are excluded.
    excluded: Vec<TargetOutcome>,
    /// Whether it was checked that commands can run.
    pub commands_checked: bool,
    /// What is to be done after publishing, and is not done yet.
    pub not_done: Vec<&'static str>,
    /// The deploy that a rollback brings back.
    pub restored: Option<KeptDeploy>,
}

/// What is in a bucket.
pub(super) struct BucketSurvey {
    /// Its URL as it is in the settings.
    pub label: String,
    /// The position of the asset set that it gets.
    pub set: usize,
    /// What the names of the compressed files end with that are stored in place of plain ones.
    pub in_place: Option<&'static str>,
    pub survey: sender::Survey,
}

impl Rollout<'_> {
    /// Reports that a phase begins.
    pub(super) fn begin(&self, phase: Phase) {
        let hosts = chosen_hosts(self.deployment, self.selection).unwrap_or_default();
        let buckets = chosen_buckets(self.deployment, self.selection);
        self.monitor.event(&Event::Phase { phase, chosen: (hosts.len(), buckets.len()) });
    }
}

/// The error of a bucket.
pub(super) fn bucket_failed(label: String, error: TargetError) -> RolloutError {
    RolloutError::Bucket { label, error: Box::new(error) }
}

impl Rollout<'_> {
    /// Surveys targets, and changes nothing. One without an agent is an error.
    pub(super) fn survey<'p>(
        &self,
        targets: &'p [DeployTarget],
    ) -> Vec<(&'p DeployTarget, Result<sender::Survey, TargetError>)> {
        each(targets, self.deployment.max_parallel, |target| match target.is_sftp() {
            true => Err(TargetError::NoHistory(None)),
            false => self.survey_by(target, &target.ssh),
        })
    }

    /// Surveys targets before a deploy. One without an agent is only reached over SFTP.
    fn survey_for_deploy<'p>(
        &self,
        targets: &'p [DeployTarget],
    ) -> Vec<(&'p DeployTarget, Result<sender::Survey, TargetError>)> {
        each(targets, self.deployment.max_parallel, |target| {
            match self.survey_by(target, &target.ssh) {
                Err(TargetError::NoHistory(no_agent)) => {
                    let looked = self.survey_by(target, &target.sftp_options());
                    looked.map_err(|error| worker::without_sftp(no_agent, error))
                }
                other => other,
            }
        })
    }

    fn survey_by(
        &self,
        target: &DeployTarget,
        ssh: &SshOptions,
    ) -> Result<sender::Survey, TargetError> {
        let watch = PushEvents { target: &target.label, monitor: &*self.monitor };
        let timeout = self.deployment.timeouts.silence;
        let connection = ConnectOptions { ssh, ..target.connect_options(self.engine, timeout) };
        let survey = sender::survey(&target.destination, &connection, &watch);
        survey.map_err(|error| target.survey_error(error))
    }

    /// The selected targets.
    pub(super) fn targets(&self) -> Result<Vec<DeployTarget>, RolloutError> {
        targets(self.deployment, self.selection)
    }
}

impl<'a> Pipeline<'a> {
    pub fn new(rollout: &'a Rollout<'a>) -> Result<Pipeline<'a>, RolloutError> {
        let targets = rollout.targets()?;
        let id = DeployId::new(unix_time(), random());
        let secrets = rollout.secrets();
        Ok(Pipeline {
            rollout,
            id,
            secrets,
            targets,
            excluded: Vec::new(),
            commands_checked: false,
            not_done: Vec::new(),
            restored: None,
        })
    }

    /// The payloads of all asset sets that have a target.
    pub fn built(&self) -> Result<Vec<Payload>, RolloutError> {
        let sets = self.sets().into_iter();
        let payloads = sets.map(|set| {
            let from = &set.assets.source;
            let payload = payload::built(self.rollout, set, self.rollout_kind(None))?;
            for notice in &payload.source.notices {
                let hint = match notice.about {
                    sender::About::Private { .. } => "; assets.chmod sets other permissions",
                    _ => "",
                };
                self.notice(&format!("{}: {notice}{hint}", text::path(from)));
            }
            Ok(payload)
        });
        payloads.collect()
    }

    /// The asset sets that have a target, or go to a bucket.
    pub fn sets(&self) -> Vec<payload::Set<'a>> {
        let sets = self.rollout.deployment.assets.iter().enumerate();
        let of_buckets = bucket_targets::sets(self.rollout);
        let of_hosts = self.targets.iter().map(|target| target.set);
        let goes: BTreeSet<usize> = of_hosts.chain(of_buckets).collect();
        sets.filter(|(at, _)| goes.contains(at))
            .map(|(at, assets)| payload::Set { at, assets })
            .collect()
    }

    /// A new deploy.
    pub fn rollout_kind(&self, restores: Option<DeployId>) -> RolloutKind {
        let mut origin = origin();
        origin.revision = match (&self.restored, restores) {
            (Some(restored), Some(_)) => restored.deploy.origin.revision.clone(),
            _ => revision(self.rollout.project),
        };
        RolloutKind::Deploy { id: self.id, origin, restores }
    }

    /// Surveys all targets before the build.
    pub fn check(&mut self) -> Result<(), RolloutError> {
        self.begin(Phase::Check);
        let targets = std::mem::take(&mut self.targets);
        let surveyed = self.rollout.survey_for_deploy(&targets);
        let mut good = Vec::new();
        for (target, survey) in self.reachable(surveyed)? {
            match survey.lock_holder {
                Some(holder) => self.exclude(&target, TargetError::Locked(holder)),
                None if !survey.statistics.writable => {
                    self.exclude(&target, TargetError::NotWritable(target.path()));
                }
                None => good.push(target),
            }
        }
        self.targets = good;
        self.go_on_without_failed()?;
        for SetSurvey { label, survey, .. } in bucket_targets::survey(self.rollout) {
            let refused = match survey {
                Ok(survey) => survey.lock_holder.map(TargetError::Locked),
                Err(error) => Some(error).filter(|error| !error.is_made_anew()),
            };
            if let Some(error) = refused {
                return Err(bucket_failed(label, error));
            }
        }
        Ok(())
    }

    /// Surveys all targets; unreachable ones are excluded if that is allowed.
    pub fn surveyed(&mut self) -> Result<Vec<(DeployTarget, sender::Survey)>, RolloutError> {
        let targets = std::mem::take(&mut self.targets);
        let surveyed = self.rollout.survey(&targets);
        self.reachable(surveyed)
    }

    /// Those that were surveyed; the others are excluded if that is allowed.
    fn reachable(
        &mut self,
        surveyed: Vec<(&DeployTarget, Result<sender::Survey, TargetError>)>,
    ) -> Result<Vec<(DeployTarget, sender::Survey)>, RolloutError> {
        let mut good = Vec::new();
        for (target, survey) in surveyed {
            match survey {
                Ok(survey) => good.push((target.clone(), survey)),
                Err(error) => self.exclude(target, error),
            }
        }
        self.targets = good.iter().map(|(target, _)| target.clone()).collect();
        self.go_on_without_failed()?;
        Ok(good)
    }

    /// Surveys all buckets; none may fail, because hosts may name what is in them.
    pub fn surveyed_buckets(&self) -> Result<Vec<BucketSurvey>, RolloutError> {
        let surveyed = bucket_targets::survey(self.rollout).into_iter();
        let surveyed = surveyed.map(|SetSurvey { label, set, in_place, survey }| match survey {
            Ok(survey) => Ok(BucketSurvey { label, set, in_place, survey }),
            Err(error) => Err(bucket_failed(label, error)),
        });
        surveyed.collect()
    }

    /// Excludes a target.
    pub fn exclude(&mut self, target: &DeployTarget, error: TargetError) {
        let told = Event::Failed { target: &target.label, reason: &error };
        self.rollout.monitor.event(&told);
        self.targets.retain(|other| other.label != target.label);
        self.excluded.push(TargetOutcome { error: Some(error), ..TargetOutcome::of(target) });
    }

    /// Fails unless the rollout may continue without the excluded targets.
    pub fn go_on_without_failed(&mut self) -> Result<(), RolloutError> {
        let failed = self.excluded.len();
        if failed == 0 || (self.rollout.selection.keep_going && !self.targets.is_empty()) {
            return Ok(());
        }
        // The remaining targets are not tried.
        let all = failed + self.targets.len();
        let untried = std::mem::take(&mut self.targets);
        self.excluded.extend(untried.iter().map(TargetOutcome::of));
        Err(RolloutError::NotStaged { failed, all })
    }

    pub fn begin(&self, phase: Phase) {
        self.rollout.begin(phase);
    }

    /// The labels of the excluded targets.
    pub fn excluded_labels(&self) -> impl Iterator<Item = &str> {
        self.excluded.iter().map(|target| target.label.as_str())
    }

    /// Whether targets were excluded.
    pub fn has_excluded(&self) -> bool {
        !self.excluded.is_empty()
    }

    /// Runs commands on the selected hosts that have not failed.
    pub fn commands(&self) -> Commands<'_> {
        let failed = |host: usize| self.excluded.iter().any(|target| target.host == host);
        self.commands_on(|host| !failed(host))
    }

    /// Runs commands on the selected hosts for which `wanted` is true.
    pub fn commands_on(&self, wanted: impl Fn(usize) -> bool) -> Commands<'_> {
        let Rollout { deployment, selection, .. } = *self.rollout;
        let mut hosts = chosen_hosts(deployment, selection).unwrap_or_default();
        hosts.retain(|&host| wanted(host));
        Commands { rollout: self.rollout, secrets: &self.secrets, hosts, changed: None }
    }

    /// Positions of the hosts that get assets.
    pub fn hosts_with_targets(&self) -> Vec<usize> {
        self.targets.iter().map(|target| target.host).collect()
    }

    /// The outcome, of the excluded targets and those that were `tried`.
    pub fn outcome(
        self,
        tried: Vec<TargetOutcome>,
        encodings: u64,
        error: Option<RolloutError>,
    ) -> Outcome {
        if error.is_some() && !self.rollout.selection.dry_run {
            self.after_failure();
        }
        let mut targets = self.excluded;
        targets.extend(self.targets.iter().map(TargetOutcome::of));
        targets.extend(tried);
        targets.extend(bucket_checks::untried(self.rollout, &targets));
        targets.sort_by_key(|target| (target.host, target.set));
        let keep_going = self.rollout.selection.keep_going;
        let is_cancelled = error.is_some() && self.rollout.cancel.is_cancelled();
        let (id, not_done, restored) = (self.id, self.not_done, self.restored);
        Outcome {
            id,
            targets,
            error,
            encodings,
            keep_going,
            is_cancelled,
            not_done,
            restored,
            rolled_back: None,
        }
    }

    /// Runs the hooks for failures, also on failed hosts; their errors are only reported.
    fn after_failure(&self) {
        let hooks = &self.rollout.deployment.hooks.on_failure;
        if let Err(error) = self.commands_on(|_| true).hooks(CommandPhase::OnFailure, hooks) {
            self.notice(&error.to_string());
        }
    }

    pub fn notice(&self, text: &str) {
        let text = &self.secrets.redact(text);
        self.rollout.monitor.event(&Event::Notice { target: None, text });
    }
}

/// The user, host and program of this deploy.
pub(super) fn origin() -> Origin {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let number = || format!("user {}", rustix::process::getuid().as_raw());
    let system = rustix::system::uname();
    Origin {
        user: user.unwrap_or_else(number),
        host: system.nodename().to_string_lossy().into_owned(),
        tool: concat!("assetsync ", env!("CARGO_PKG_VERSION")).to_owned(),
        revision: String::new(),
    }
}

/// The git revision of a folder, with `-dirty` if anything in it was changed; empty without git.
fn revision(project: &Path) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(project).args(["describe", "--always", "--dirty", "--abbrev=12"]);
    git.args(["--exclude", "*"]).stdin(Stdio::null()).stderr(Stdio::null());
    let found = git.output().ok().filter(|output| output.status.success());
    found.map_or(String::new(), |output| text::line(output.stdout.trim_ascii()))
}

/// 32 random bits; 0 if the system has none, since the time in the id is enough.
fn random() -> u32 {
    getrandom::u32().unwrap_or_default()
}
