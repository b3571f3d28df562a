//! Checks early whether the commands of later phases can run.

use super::command_failure::CommandFailure;
use super::command_phase::CommandPhase;
use super::each::each;
use super::error::{RolloutError, TargetError};
use super::event::{Event, Monitor};
use super::hooks::{Commands, invocations};
use super::pipeline::Pipeline;
use super::target::{has_role, named};
use crate::command::{Invocation, quoted_path};
use crate::config::{Host, RestartHow};

/// The exit status of a check that found other files behind the current release.
const NOT_LINKED: i32 = 93;

/// Nobody is told of a check that goes well.
struct Silent;

impl Monitor for Silent {
    fn event(&self, _: &Event<'_>) {}
}

impl Pipeline<'_> {
    /// Connects, once, to the hosts without targets that run commands later, to find out early if
    /// that fails. Before a build, also to hosts whose commands run in a directory that may be
    /// missing; otherwise it is not worth a login.
    pub(super) fn check_commands(&mut self, before_build: bool) -> Result<(), RolloutError> {
        if std::mem::replace(&mut self.commands_checked, true) {
            return Ok(());
        }
        let with_targets = self.hosts_with_targets();
        let failures = self.commands().check(&with_targets, before_build);
        let mut others = Vec::new();
        for (host, error) in failures {
            let targets = self.targets.iter().filter(|target| target.host == host);
            let targets: Vec<_> = targets.cloned().collect();
            match &error {
                TargetError::NoCurrent(path) if !targets.is_empty() => {
                    for target in &targets {
                        self.exclude(target, TargetError::NoCurrent(path.clone()));
                    }
                }
                // Staging will fail there, too, and then the host is excluded.
                _ if !targets.is_empty() => {}
                _ => {
                    let deployment = self.rollout.deployment;
                    others.push((named(&deployment.hosts[host], deployment), error));
                }
            }
        }
        self.commands().judge(CommandPhase::Check, others)?;
        self.go_on_without_failed()
    }
}

impl Commands<'_> {
    /// What is wrong with hosts that run commands later, by their positions.
    fn check(&self, with_targets: &[usize], before_build: bool) -> Vec<(usize, TargetError)> {
        let deployment = self.rollout.deployment;
        let is_checked = |at: &usize| {
            let host = &deployment.hosts[*at];
            match with_targets.contains(at) {
                true => before_build && self.needs_current(host),
                false => self.runs_later(host),
            }
        };
        let hosts: Vec<usize> = self.hosts.iter().copied().filter(is_checked).collect();
        let checked = each(&hosts, deployment.max_parallel, |&at| self.check_host(at));
        checked.into_iter().filter_map(|(&at, checked)| Some((at, checked.err()?))).collect()
    }

    fn check_host(&self, at: usize) -> Result<(), TargetError> {
        let deployment = self.rollout.deployment;
        let host = &deployment.hosts[at];
        let needs_current = self.needs_current(host);
        let enter = match needs_current {
            true => Invocation::script(&self.links(host)).within(&host.current_path),
            false => Invocation::verbatim("true"),
        };
        match self.run_watched(host, &[enter], deployment.timeouts.command, &Silent) {
            Err(CommandFailure::Status { status: NOT_LINKED, .. }) if needs_current => {
                self.warn_not_linked(host);
                Ok(())
            }
            Err(CommandFailure::Status { .. }) if needs_current => {
                Err(TargetError::NoCurrent(host.current_path.clone()))
            }
            ran => Ok(ran?),
        }
    }

    /// Shell text that ends with [`NOT_LINKED`] unless the directories of assets are, in the
    /// release that is served, those that releases share.
    fn links(&self, host: &Host) -> String {
        // Another one is below the login directory, which is not known where this runs.
        let is_known = host.shared_path.starts_with(['/', '~']);
        let sets = self.rollout.deployment.assets.iter().filter(|_| is_known);
        let checks = sets.filter(|set| has_role(host, &set.roles)).map(|set| {
            let shared = quoted_path(&format!("{}/{}", host.shared_path, set.destination));
            let served = quoted_path(&format!("./{}", set.destination));
            format!("[ ! -d {shared} ] || [ {served} -ef {shared} ] || exit {NOT_LINKED}; ")
        });
        checks.chain(["true".to_owned()]).collect()
    }

    fn warn_not_linked(&self, host: &Host) {
        let deployment = self.rollout.deployment;
        let sets = deployment.assets.iter().filter(|set| has_role(host, &set.roles));
        let destinations: Vec<&str> = sets.map(|set| set.destination.as_str()).collect();
        let (current, shared) = (&host.current_path, &host.shared_path);
        let text = self.secrets.redact(&format!(
            "{} of {current} does not lead to {shared}, so visitors may not get what is deployed; add \
             it to Capistrano's linked_dirs, or correct current_path",
            destinations.join(" or ")
        ));
        let name = named(host, deployment);
        let told = Event::Notice { target: Some(&name), text: &text };
        self.rollout.monitor.event(&told);
    }

    /// Whether hooks or the restart run on a host from publishing on.
    fn runs_later(&self, host: &Host) -> bool {
        let restart = &self.rollout.deployment.restart;
        let restarts = restart.how != RestartHow::None && has_role(host, &restart.roles);
        restarts || self.has_later_hook(host)
    }

    /// Whether any of that runs in the directory of the current release.
    fn needs_current(&self, host: &Host) -> bool {
        let restart = &self.rollout.deployment.restart;
        let in_current = |made: &Invocation| made.within.as_ref() == Some(&host.current_path);
        let restarts_there =
            || invocations(&restart.how, host).is_ok_and(|made| made.iter().any(in_current));
        let restarts = has_role(host, &restart.roles) && restarts_there();
        restarts || self.has_later_hook(host)
    }

    /// Hooks on hosts run in the directory of the current release.
    fn has_later_hook(&self, host: &Host) -> bool {
        let hooks = &self.rollout.deployment.hooks;
        let mut later = hooks.before_publish.iter().chain(&hooks.after_publish);
        later.any(|hook| has_role(host, &hook.roles))
    }
}
