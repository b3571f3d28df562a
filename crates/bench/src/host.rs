//! The user's own host: the ssh configuration that reaches it through a link.
//!
//! All competitors get the same configuration, with the address of the link; host keys are looked
//! up under the host's own name.

use std::fmt::Write;
use std::net::{SocketAddr, ToSocketAddrs};

use assetsync_ssh::{HostConfig, RemoteTarget, SshOptions, host_config};

use crate::error::{Error, Result};

/// The name of the host in the configurations of a race.
pub(crate) const ALIAS: &str = "bench-host";

/// A host that can be reached by plain TCP.
#[derive(Debug)]
pub(crate) struct Host {
    /// Its address.
    pub(crate) address: SocketAddr,
    config: HostConfig,
}

/// A setting that the configuration of a race replaces.
const REPLACED: &str = "stricthostkeychecking ";

impl Host {
    /// Reads the user's ssh configuration for `target`.
    pub(crate) fn find(target: &RemoteTarget, options: &SshOptions) -> Result<Host> {
        let config = host_config(target, options)?;
        let odd = config.beyond_libssh2.iter().find(|setting| !setting.starts_with(REPLACED));
        if let Some(setting) = odd {
            return Err(Error::NotPlain { host: target.host.clone(), setting: setting.clone() });
        }
        let address = resolve(&config)?;
        Ok(Host { address, config })
    }

    /// The ssh configuration that reaches it at `address`.
    pub(crate) fn ssh_config(&self, address: SocketAddr) -> String {
        let config = &self.config;
        let known: Vec<String> = config.known_hosts.iter().map(|file| word(file)).collect();
        let mut text = format!("Host {ALIAS}\n");
        let mut line = |keyword: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{keyword} {value}");
        };
        line("HostName", &address.ip().to_string());
        line("Port", &address.port().to_string());
        line("User", &config.user);
        for file in &config.identity_files {
            line("IdentityFile", &word(file).replace('%', "%%"));
        }
        line("IdentitiesOnly", if config.identities_only { "yes" } else { "no" });
        if let Some(agent) = &config.identity_agent {
            line("IdentityAgent", agent);
        }
        line("UserKnownHostsFile", &known.join(" "));
        line("GlobalKnownHostsFile", "/dev/null");
        line("HostKeyAlias", &config.lookup_name());
        line("CheckHostIP", "no");
        line("StrictHostKeyChecking", "yes");
        line("BatchMode", "yes");
        text
    }
}

fn resolve(config: &HostConfig) -> Result<SocketAddr> {
    let unknown = |source| Error::Resolve { host: config.hostname.clone(), source };
    let mut found = (config.hostname.as_str(), config.port).to_socket_addrs().map_err(unknown)?;
    found.next().ok_or_else(|| unknown(std::io::ErrorKind::NotFound.into()))
}

/// A path as one word of a configuration.
fn word(path: &std::path::Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(port: u16) -> Host {
        let config = HostConfig {
            hostname: "web1.example.org".into(),
            port,
            user: "deploy".into(),
            identity_files: vec!["/keys/50%".into()],
            known_hosts: vec!["/a b".into(), "/c".into()],
            ..HostConfig::default()
        };
        Host { address: ([192, 0, 2, 1], port).into(), config }
    }

    #[test]
    fn keys_are_looked_up_under_the_hosts_own_name() {
        let text = host(22).ssh_config(([127, 0, 0, 1], 4000).into());
        assert!(text.starts_with("Host bench-host\nHostName 127.0.0.1\nPort 4000\nUser deploy\n"));
        assert!(text.contains("\nHostKeyAlias web1.example.org\n"));
        assert!(text.contains("\nIdentityFile \"/keys/50%%\"\n"));
        assert!(text.contains("\nUserKnownHostsFile \"/a b\" \"/c\"\n"));
        let other = host(2222).ssh_config(([127, 0, 0, 1], 4000).into());
        assert!(other.contains("\nHostKeyAlias [web1.example.org]:2222\n"));
    }
}
