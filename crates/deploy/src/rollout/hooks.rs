//! Runs hooks, on this machine and on hosts, and the restart.

use std::path::PathBuf;
use std::time::Duration;

use super::command_failure::CommandFailure;
use super::command_phase::CommandPhase;
use super::each::each;
use super::error::{RolloutError, TargetError};
use super::event::{Event, Monitor, Phase};
use super::local_command::LocalCommand;
use super::options::Rollout;
use super::remote_command::{RemoteCommand, command_map};
use super::target::{has_role, login, named, ssh_options};
use crate::command;
use crate::command::{Invocation, Passenger, Secrets};
use crate::config::{Hook, Host, RestartHow};

/// Hosts and their errors.
type Failures = Vec<(String, TargetError)>;

/// Runs commands on this machine and on some hosts.
pub(super) struct Commands<'a> {
    pub rollout: &'a Rollout<'a>,
    /// Secrets, redacted in all output.
    pub secrets: &'a Secrets,
    /// Positions of the hosts.
    pub hosts: Vec<usize>,
    /// The file that lists what has changed, for commands on this machine.
    pub changed: Option<PathBuf>,
}

impl Commands<'_> {
    /// Runs hooks one after the other; each on all its hosts at once.
    pub(super) fn hooks(
        &self,
        command_phase: CommandPhase,
        hooks: &[Hook],
    ) -> Result<(), RolloutError> {
        hooks.iter().try_for_each(|hook| self.hook(command_phase, hook))
    }

    fn hook(&self, command_phase: CommandPhase, hook: &Hook) -> Result<(), RolloutError> {
        let deployment = self.rollout.deployment;
        let timeout = hook.timeout.unwrap_or(deployment.timeouts.command);
        if hook.roles.is_empty() {
            let ran = self.local(timeout).run(&hook.run);
            return ran.map_err(|failure| {
                let (command, failure) = (self.secrets.redact(&hook.run), Box::new(failure));
                RolloutError::Hook { command_phase, command, failure }
            });
        }
        let run = |host: &Host| {
            let invocation = Invocation::from_text(&hook.run)?.within(&host.current_path);
            self.run_on(host, &[invocation], timeout)
        };
        let failures = self.on_hosts(&self.in_roles(&hook.roles), run);
        self.judge(command_phase, failures)
    }

    /// Restarts the application.
    pub(super) fn restart(&self) -> Result<(), RolloutError> {
        let deployment = self.rollout.deployment;
        let (restart, timeout) = (&deployment.restart, deployment.timeouts.command);
        if restart.how == RestartHow::None {
            return Ok(());
        }
        self.rollout.begin(Phase::Restart);
        let run = |host: &Host| match &restart.how {
            RestartHow::Systemd { phased: true } => self.reload(host, timeout),
            how => self.run_on(host, &invocations(how, host)?, timeout),
        };
        let failures = self.on_hosts(&self.in_roles(&restart.roles), run);
        self.judge(CommandPhase::Restart, failures)
    }

    /// All hosts with one of `roles` that have not failed.
    fn in_roles(&self, roles: &[String]) -> Vec<usize> {
        let hosts = &self.rollout.deployment.hosts;
        let all = self.hosts.iter().copied();
        all.filter(|&at| has_role(&hosts[at], roles)).collect()
    }

    /// Runs something for each host, in parallel up to the limit.
    fn on_hosts(
        &self,
        hosts: &[usize],
        run: impl Fn(&Host) -> Result<(), CommandFailure> + Sync,
    ) -> Failures {
        let deployment = self.rollout.deployment;
        let ran = each(hosts, deployment.max_parallel, |&at| Ok(run(&deployment.hosts[at])?));
        let failed = ran
            .into_iter()
            .filter_map(|(&at, ran)| Some((named(&deployment.hosts[at], deployment), ran.err()?)));
        failed.collect()
    }

    pub(super) fn judge(
        &self,
        command_phase: CommandPhase,
        failures: Failures,
    ) -> Result<(), RolloutError> {
        if failures.is_empty() {
            return Ok(());
        }
        for (name, error) in &failures {
            self.rollout.monitor.event(&Event::Failed { target: name, reason: error });
        }
        Err(RolloutError::Commands { command_phase, failures })
    }

    /// Runs commands on this machine.
    pub(super) fn local(&self, timeout: Duration) -> LocalCommand<'_> {
        let Rollout { project, deployment, cancel, monitor, .. } = self.rollout;
        LocalCommand {
            project,
            environment: &deployment.build.environment,
            changed: self.changed.as_deref(),
            secrets: self.secrets,
            timeout,
            cancel,
            monitor: &**monitor,
        }
    }

    pub(super) fn run_on(
        &self,
        host: &Host,
        invocations: &[Invocation],
        timeout: Duration,
    ) -> Result<(), CommandFailure> {
        self.run_watched(host, invocations, timeout, &*self.rollout.monitor)
    }

    /// The same, with another receiver of its events.
    pub(super) fn run_watched(
        &self,
        host: &Host,
        invocations: &[Invocation],
        timeout: Duration,
        monitor: &dyn Monitor,
    ) -> Result<(), CommandFailure> {
        let Rollout { deployment, selection, engine, cancel, .. } = self.rollout;
        let name = named(host, deployment);
        let shell = RemoteCommand {
            name: &name,
            target: login(host),
            ssh: ssh_options(host, &deployment.timeouts, selection.interactive),
            prompt: &*engine.prompt,
            secrets: self.secrets,
            monitor,
            cancel,
        };
        let map = command_map(host);
        invocations.iter().try_for_each(|invocation| shell.run(&map, invocation, timeout))
    }

    /// Reloads the service, or restarts it if it is not running.
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
pub(super) fn invocations(
    how: &RestartHow,
    host: &Host,
) -> Result<Vec<Invocation>, command::CommandError> {
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
