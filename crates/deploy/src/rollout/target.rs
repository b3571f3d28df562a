//! Deploy targets: the asset sets of each host, and how to connect to it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use assetsync_core::protocol::FailureCode;
use assetsync_core::text;
use assetsync_ssh::{
    CONNECT_TIMEOUT, RemoteTarget, SshOptions, Target, TransportError, TransportKind,
};
use assetsync_sync::{ConnectOptions, PushError, Survey};

use super::error::{RolloutError, TargetError};
use super::options::{Engine, RolloutSelection};
use crate::config::suggest::nearest;
use crate::config::{Bucket, Deployment, Host, Timeouts, Transport};

/// One asset set on one host.
#[derive(Debug, Clone)]
pub struct DeployTarget {
    /// Its name in messages: the host's address, with the set's name if the host has several.
    pub label: String,
    /// The host's position in the deployment.
    pub host: usize,
    /// The set's position in the deployment.
    pub set: usize,
    /// The directory there.
    pub(super) destination: Target,
    /// How to connect to the host.
    pub(super) ssh: SshOptions,
}

/// What is at one destination of an asset set.
pub(super) struct SetSurvey {
    /// Its name in messages.
    pub label: String,
    /// The set's position in the deployment.
    pub set: usize,
    /// What the names of the compressed files end with that are stored in place of plain ones.
    pub in_place: Option<&'static str>,
    /// What is there.
    pub survey: Result<Survey, TargetError>,
}

impl DeployTarget {
    /// The directory on the host, to be shown.
    pub(super) fn path(&self) -> String {
        match &self.destination {
            Target::Remote(remote) => text::name(remote.path.as_bytes()),
            Target::Local(path) => text::path(path),
        }
    }

    /// The user who logs in, as far as it is configured.
    pub(super) fn user(&self) -> String {
        let user = match &self.destination {
            Target::Remote(remote) => remote.user.clone(),
            Target::Local(_) => None,
        };
        user.unwrap_or_else(|| "the user of the ssh configuration".into())
    }

    /// The error of a failed survey.
    pub(super) fn survey_error(&self, error: PushError) -> TargetError {
        match error {
            PushError::Agent(failure) if failure.code == FailureCode::Permission => {
                TargetError::NotReadable { failure, user: self.user() }
            }
            PushError::Transport(no_agent) if self.falls_back_to_sftp(&no_agent) => {
                TargetError::NoHistory(Some(no_agent))
            }
            error => error.into(),
        }
    }

    /// Whether it is to be reached over SFTP alone.
    pub(super) fn is_sftp(&self) -> bool {
        self.ssh.transport == Some(TransportKind::Sftp)
    }

    /// Whether SFTP is tried where no agent can be started for this reason.
    pub(super) fn falls_back_to_sftp(&self, no_agent: &TransportError) -> bool {
        self.ssh.run_as.is_none() && no_agent.suggests_sftp()
    }

    /// The options to connect to it over SFTP.
    pub(super) fn sftp_options(&self) -> SshOptions {
        SshOptions { transport: Some(TransportKind::Sftp), ..self.ssh.clone() }
    }

    /// The options to connect to it.
    pub(super) fn connect_options<'a>(
        &'a self,
        engine: &'a Engine,
        timeout: Duration,
    ) -> ConnectOptions<'a> {
        ConnectOptions {
            agents: &engine.agents,
            ssh: &self.ssh,
            prompt: &*engine.prompt,
            timeout,
            bytes_per_second: engine.bytes_per_second,
            dry_run: false,
            checksum: false,
            store: engine.store.as_deref(),
            group: None,
            run: None,
        }
    }
}

/// All targets of a deployment that `selection` includes.
pub(super) fn targets(
    deployment: &Deployment,
    selection: &RolloutSelection,
) -> Result<Vec<DeployTarget>, RolloutError> {
    let hosts = chosen_hosts(deployment, selection)?;
    let mut targets = Vec::new();
    for host in hosts {
        let there = &deployment.hosts[host];
        let sets: Vec<usize> = (0..deployment.assets.len())
            .filter(|&set| has_role(there, &deployment.assets[set].roles))
            .collect();
        for &set in &sets {
            let name = &deployment.assets[set].name;
            let address = named(there, deployment);
            targets.push(DeployTarget {
                label: if sets.len() > 1 { format!("{address}:{name}") } else { address },
                host,
                set,
                destination: destination(there, &deployment.assets[set].destination),
                ssh: ssh_options(there, &deployment.timeouts, selection.interactive),
            });
        }
    }
    if targets.is_empty() && chosen_buckets(deployment, selection).is_empty() {
        return Err(RolloutError::NoTargets(deployment.stage.clone()));
    }
    Ok(targets)
}

/// Positions of the hosts that are chosen, in the deployment's order.
pub(super) fn chosen_hosts(
    deployment: &Deployment,
    selection: &RolloutSelection,
) -> Result<Vec<usize>, RolloutError> {
    let stage = deployment.stage.clone();
    let known_role = |role: &&String| deployment.hosts.iter().any(|host| host.roles.contains(role));
    if let Some(role) = selection.roles.iter().find(|role| !known_role(role)) {
        let roles: Vec<&String> = deployment.hosts.iter().flat_map(|host| &host.roles).collect();
        let nearest = nearest(role, &roles);
        return Err(RolloutError::UnknownRole { role: role.clone(), stage, nearest });
    }
    let known_host = |name: &&String| {
        deployment.hosts.iter().any(|host| is_named(host, name))
            || deployment.buckets.iter().any(|bucket| bucket.is_named(name))
    };
    if let Some(name) = selection.hosts.iter().find(|name| !known_host(name)) {
        let names: Vec<&String> = deployment.hosts.iter().map(|host| &host.address).collect();
        let nearest = nearest(name, &names);
        return Err(RolloutError::UnknownHost { host: name.clone(), stage, nearest });
    }
    let is_chosen = |host: &Host| {
        (selection.roles.is_empty() || has_role(host, &selection.roles))
            && (selection.hosts.is_empty()
                || selection.hosts.iter().any(|name| is_named(host, name)))
    };
    Ok((0..deployment.hosts.len()).filter(|&at| is_chosen(&deployment.hosts[at])).collect())
}

/// The chosen buckets, with their positions. A bucket has no roles: whoever names roles means
/// hosts.
pub(super) fn chosen_buckets<'d>(
    deployment: &'d Deployment,
    selection: &RolloutSelection,
) -> Vec<(usize, &'d Bucket)> {
    let names = &selection.hosts;
    let is_chosen = |bucket: &Bucket| {
        selection.roles.is_empty()
            && (names.is_empty() || names.iter().any(|name| bucket.is_named(name)))
    };
    deployment.buckets.iter().enumerate().filter(|(_, bucket)| is_chosen(bucket)).collect()
}

/// Whether a host has one of `roles`.
pub(super) fn has_role(host: &Host, roles: &[String]) -> bool {
    host.roles.iter().any(|role| roles.contains(role))
}

/// A host's address, with the port where another host has the same address.
pub(super) fn named(host: &Host, deployment: &Deployment) -> String {
    let namesakes = deployment.hosts.iter().filter(|other| other.address == host.address).count();
    match host.ssh.port {
        Some(port) if namesakes > 1 => format!("{}:{port}", host.address),
        _ => host.address.clone(),
    }
}

/// Whether a host has this name: its address, or address and port.
fn is_named(host: &Host, name: &str) -> bool {
    let with_port = host.ssh.port.map(|port| format!("{}:{port}", host.address));
    host.address == name || with_port.as_deref() == Some(name)
}

fn destination(host: &Host, path: &str) -> Target {
    Target::Remote(RemoteTarget {
        path: OsString::from(Path::new(&host.shared_path).join(path)),
        ..login(host)
    })
}

/// The login directory of a host, where commands start.
pub(super) fn login(host: &Host) -> RemoteTarget {
    let (user, address) = (host.ssh.user.clone(), host.address.clone());
    RemoteTarget { user, host: address, port: None, path: OsString::from(".") }
}

/// The ssh options of a host.
pub(super) fn ssh_options(host: &Host, timeouts: &Timeouts, interactive: bool) -> SshOptions {
    let ssh = &host.ssh;
    SshOptions {
        identities: ssh.identities.clone(),
        port: ssh.port,
        config_file: ssh.config.clone(),
        run_as: ssh.run_as.clone(),
        rsh: ssh.rsh.clone(),
        transport: ssh.transport.map(|steps| match steps {
            Transport::Ssh2 => TransportKind::Ssh2,
            Transport::Openssh => TransportKind::OpenSsh,
            Transport::Sftp => TransportKind::Sftp,
        }),
        address_family: None,
        // The built-in value leaves it to ssh_config.
        connect_timeout: Some(timeouts.connect).filter(|limit| *limit != CONNECT_TIMEOUT),
        interactive,
        ssh_may_ask: interactive,
    }
}
