//! Places: which sets of assets go to which hosts, and how those are reached.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assetsync_core::text;
use assetsync_ssh::{RemoteTarget, SshOptions, Target, TransportKind};

use super::{Choice, RolloutError};
use crate::config::{Deployment, Host, Timeouts, Transport};

/// One set of assets on one host.
#[derive(Debug, Clone)]
pub struct Place {
    /// What messages call it: the host's address, with the set's name if the host has several.
    pub label: String,
    /// The host's position in the deployment.
    pub host: usize,
    /// The set's position in the deployment.
    pub set: usize,
    /// The directory there.
    pub(super) target: Target,
    /// How the host is reached.
    pub(super) ssh: SshOptions,
}

impl Place {
    /// The directory on the host, to be shown.
    pub(super) fn path(&self) -> String {
        match &self.target {
            Target::Remote(remote) => text::name(remote.path.as_bytes()),
            Target::Local(path) => text::path(path),
        }
    }
}

impl Place {
    /// Who logs in, as far as this side knows.
    pub(super) fn user(&self) -> String {
        let user = match &self.target {
            Target::Remote(remote) => remote.user.clone(),
            Target::Local(_) => None,
        };
        user.unwrap_or_else(|| "the user of the ssh configuration".into())
    }
}

/// All places of a deployment that `choice` does not leave out.
pub(super) fn places(deployment: &Deployment, choice: &Choice) -> Result<Vec<Place>, RolloutError> {
    let hosts = chosen_hosts(deployment, choice)?;
    let mut places = Vec::new();
    for host in hosts {
        let there = &deployment.hosts[host];
        if there.ssh.transport == Some(Transport::Sftp) {
            return Err(RolloutError::OnlySftp(there.address.clone()));
        }
        let sets: Vec<usize> = (0..deployment.assets.len())
            .filter(|&set| has_role(there, &deployment.assets[set].roles))
            .collect();
        for &set in &sets {
            let name = &deployment.assets[set].name;
            let address = named(there, deployment);
            places.push(Place {
                label: if sets.len() > 1 { format!("{address}:{name}") } else { address },
                host,
                set,
                target: target(there, &deployment.assets[set].destination),
                ssh: ssh_options(there, &deployment.timeouts, choice.interactive),
            });
        }
    }
    if places.is_empty() {
        return Err(RolloutError::NoTargets(deployment.stage.clone()));
    }
    Ok(places)
}

/// Positions of the hosts that are chosen, in the deployment's order.
pub(super) fn chosen_hosts(
    deployment: &Deployment,
    choice: &Choice,
) -> Result<Vec<usize>, RolloutError> {
    let known_role = |role: &&String| deployment.hosts.iter().any(|host| host.roles.contains(role));
    if let Some(role) = choice.roles.iter().find(|role| !known_role(role)) {
        return Err(RolloutError::UnknownRole(role.clone(), deployment.stage.clone()));
    }
    let known_host = |name: &&String| deployment.hosts.iter().any(|host| is_named(host, name));
    if let Some(name) = choice.hosts.iter().find(|name| !known_host(name)) {
        return Err(RolloutError::UnknownHost(name.clone(), deployment.stage.clone()));
    }
    let is_chosen = |host: &Host| {
        (choice.roles.is_empty() || has_role(host, &choice.roles))
            && (choice.hosts.is_empty() || choice.hosts.iter().any(|name| is_named(host, name)))
    };
    Ok((0..deployment.hosts.len()).filter(|&at| is_chosen(&deployment.hosts[at])).collect())
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

/// As a user names a host: by its address, or by address and port.
fn is_named(host: &Host, name: &str) -> bool {
    let with_port = host.ssh.port.map(|port| format!("{}:{port}", host.address));
    host.address == name || with_port.as_deref() == Some(name)
}

fn target(host: &Host, destination: &str) -> Target {
    Target::Remote(RemoteTarget {
        path: OsString::from(Path::new(&host.shared_path).join(destination)),
        ..login(host)
    })
}

/// Where commands for a host run: at its login directory.
pub(super) fn login(host: &Host) -> RemoteTarget {
    let (user, address) = (host.ssh.user.clone(), host.address.clone());
    RemoteTarget { user, host: address, port: None, path: OsString::from(".") }
}

/// How a host is reached.
pub(super) fn ssh_options(host: &Host, timeouts: &Timeouts, interactive: bool) -> SshOptions {
    let ssh = &host.ssh;
    SshOptions {
        identities: ssh.identities.clone(),
        port: ssh.port,
        config_file: ssh.config.clone(),
        rsh: ssh.rsh.clone(),
        transport: ssh.transport.map(|way| match way {
            Transport::Ssh2 => TransportKind::Ssh2,
            Transport::Openssh => TransportKind::OpenSsh,
            Transport::Sftp => TransportKind::Sftp,
        }),
        connect_timeout: timeouts.connect,
        interactive,
    }
}
