//! The secrets that a rollout redacts.

use super::options::Rollout;
use crate::command::Secrets;
use crate::config::{Deployment, Hook, RestartHow};

impl Rollout<'_> {
    /// The secrets of all commands, on this machine and on hosts: one may print those of another.
    pub(super) fn secrets(&self) -> Secrets {
        let Deployment { build, hosts, .. } = self.deployment;
        let environments = hosts.iter().map(|host| &host.environment).chain([&build.environment]);
        let known = environments
            .map(Secrets::of_environment)
            .fold(Secrets::default(), |all, some| all.union(&some));
        texts(self.deployment).fold(known, Secrets::and_of_text)
    }
}

/// All commands as they are configured.
fn texts(deployment: &Deployment) -> impl Iterator<Item = &str> {
    let hooks = &deployment.hooks;
    let hooks = [&hooks.before_build, &hooks.after_build, &hooks.before_publish]
        .into_iter()
        .chain([&hooks.after_publish, &hooks.on_failure])
        .flatten();
    let restart = match &deployment.restart.how {
        RestartHow::Command(text) => Some(text.as_str()),
        _ => None,
    };
    let hooks = hooks.map(|hook: &Hook| hook.run.as_str());
    hooks.chain(deployment.build.command.as_deref()).chain(restart)
}
