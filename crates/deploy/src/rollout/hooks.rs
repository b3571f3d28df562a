//! Commands around a rollout: hooks here and on hosts, and the restart.

use std::time::Duration;

use super::course::Course;
use super::event::{Event, Phase};
use super::local::Local;
use super::outcome::PlaceError;
use super::place::{has_role, login, named, ssh_options};
use super::remote::{CommandFailure, Shell, command_map};
use super::{Rollout, RolloutError};
use crate::command::{self, Invocation, Passenger};
use crate::config::{Hook, Host, RestartHow};

/// What went wrong on hosts.
type Failures = Vec<(String, PlaceError)>;

impl Course<'_> {
    /// Runs hooks one after the other; each on all its hosts at once.
    pub(super) fn hooks(&self, moment: &'static str, hooks: &[Hook]) -> Result<(), RolloutError> {
        hooks.iter().try_for_each(|hook| self.hook(moment, hook))
    }

    fn hook(&self, moment: &'static str, hook: &Hook) -> Result<(), RolloutError> {
        let deployment = self.rollout.deployment;
        let timeout = hook.timeout.unwrap_or(deployment.timeouts.command);
        if hook.roles.is_empty() {
            let ran = self.rollout.local(timeout).run(&hook.run);
            return ran.map_err(|failure| {
                let (command, failure) = (hook.run.clone(), Box::new(failure));
                RolloutError::Hook { moment, command, failure }
            });
        }
        let rollout = self.rollout;
        let run = |host: &Host| {
            let invocation = Invocation::from_text(&hook.run)?.within(&host.current_path);
            rollout.run_on(host, &[invocation], timeout)
        };
        let failures = self.on_hosts(&self.in_roles(&hook.roles), run);
        self.judge(moment, failures)
    }

    /// Tells the application.
    pub(super) fn restart(&self) -> Result<(), RolloutError> {
        let deployment = self.rollout.deployment;
        let (restart, timeout) = (&deployment.restart, deployment.timeouts.command);
        if restart.how == RestartHow::None {
            return Ok(());
        }
        self.begin(Phase::Restart);
        let rollout = self.rollout;
        let run = |host: &Host| match &restart.how {
            RestartHow::Systemd { phased: true } => rollout.reload(host, timeout),
            how => rollout.run_on(host, &invocations(how, host)?, timeout),
        };
        let failures = self.on_hosts(&self.in_roles(&restart.roles), run);
        self.judge("restart", failures)
    }

    /// Reaches those hosts that get no assets but are to run commands, so that nothing fails for want of them later.
    pub(super) fn reach_others(&self) -> Result<(), RolloutError> {
        let deployment = self.rollout.deployment;
        let hooks = &deployment.hooks;
        let later = [&hooks.before_publish, &hooks.after_publish].into_iter().flatten();
        let mut roles: Vec<String> = later.flat_map(|hook| hook.roles.clone()).collect();
        if deployment.restart.how != RestartHow::None {
            roles.extend(deployment.restart.roles.clone());
        }
        let (rollout, timeout) = (self.rollout, deployment.timeouts.command);
        let mut hosts = self.in_roles(&roles);
        let with_places = self.with_places();
        hosts.retain(|host| !with_places.contains(host));
        let reached = |host: &Host| rollout.run_on(host, &[Invocation::verbatim("true")], timeout);
        let failures = self.on_hosts(&hosts, reached);
        self.judge("check", failures)
    }

    /// All hosts with one of `roles` that have not failed.
    fn in_roles(&self, roles: &[String]) -> Vec<usize> {
        let hosts = &self.rollout.deployment.hosts;
        self.hosts().filter(|&at| has_role(&hosts[at], roles)).collect()
    }

    /// Runs something for hosts, as many at a time as are allowed.
    fn on_hosts(
        &self,
        hosts: &[usize],
        run: impl Fn(&Host) -> Result<(), CommandFailure> + Sync,
    ) -> Failures {
        let rollout = self.rollout;
        let failed = rollout.each(hosts, |&at| {
            let host = &rollout.deployment.hosts[at];
            let failure = run(host).err()?;
            let name = named(host, rollout.deployment);
            Some((name, PlaceError::Command(failure)))
        });
        failed.into_iter().flatten().collect()
    }

    fn judge(&self, moment: &'static str, failures: Failures) -> Result<(), RolloutError> {
        if failures.is_empty() {
            return Ok(());
        }
        for (name, error) in &failures {
            self.rollout.monitor.event(&Event::Failed { place: name, reason: error });
        }
        Err(RolloutError::Commands { moment, failures })
    }
}

impl Rollout<'_> {
    /// For commands of this machine.
    pub(super) fn local(&self, timeout: Duration) -> Local<'_> {
        Local {
            project: self.project,
            environment: &self.deployment.build.environment,
            timeout,
            cancel: self.cancel,
            monitor: &*self.monitor,
        }
    }

    fn run_on(
        &self,
        host: &Host,
        invocations: &[Invocation],
        timeout: Duration,
    ) -> Result<(), CommandFailure> {
        let name = named(host, self.deployment);
        let shell = Shell {
            name: &name,
            target: login(host),
            ssh: ssh_options(host, &self.deployment.timeouts, self.choice.interactive),
            prompt: &*self.engine.prompt,
            monitor: &*self.monitor,
        };
        let map = command_map(host);
        invocations.iter().try_for_each(|invocation| shell.run(&map, invocation, timeout))
    }

    /// A service that does not run can't be reloaded.
    fn reload(&self, host: &Host, timeout: Duration) -> Result<(), CommandFailure> {
        let status = self.run_on(host, &[host.systemd.status()], timeout);
        let next = match status {
            Ok(()) => host.systemd.reload(),
            Err(CommandFailure::Status { .. }) => host.systemd.restart(),
            Err(error) => return Err(error),
        };
        self.run_on(host, &[next], timeout)
    }
}

/// The commands of a restart.
fn invocations(how: &RestartHow, host: &Host) -> Result<Vec<Invocation>, command::CommandError> {
    let passenger =
        || Passenger { current_path: host.current_path.clone(), deploy_to: host.deploy_to.clone() };
    Ok(match how {
        RestartHow::None => Vec::new(),
        RestartHow::Pumactl { phased: false } => vec![host.puma.restart()],
        RestartHow::Pumactl { phased: true } => vec![host.puma.phased_restart()],
        RestartHow::Systemd { .. } => vec![host.systemd.restart()],
        RestartHow::Passenger => vec![passenger().restart_app().within(&host.current_path)],
        RestartHow::PassengerTouch => passenger().touch().to_vec(),
        RestartHow::Command(text) => {
            vec![Invocation::from_text(text)?.within(&host.current_path)]
        }
    })
}
