//! The hosts, how they are reached, and the environment of commands on them.

use super::StageConversion;
use crate::capistrano::server::{Server, port};
use crate::capistrano::stage::CapistranoStage;
use crate::capistrano::value::Value;
use crate::config::escape::{enumerated, quoted};
use crate::config::secrets::is_secret;
use crate::config::template::TemplateLine;
use crate::config::value_is_fine;

/// Options of Net::SSH's that make no difference to a push, or have a setting.
const WITHOUT_EFFECT: [&str; 15] = [
    "user",
    "port",
    "keys",
    "auth_methods",
    "timeout",
    "keepalive",
    "keepalive_interval",
    "keepalive_maxcount",
    "verbose",
    "logger",
    "non_interactive",
    "paranoid",
    "compression",
    "use_agent",
    "number_of_password_prompts",
];

const ONLY_RUBY: &str = "has a value that only Ruby knows";

impl StageConversion {
    pub(super) fn ssh(&mut self, stage: &CapistranoStage) {
        let own = match stage.get("ssh_options") {
            Some(Value::Hash(options)) => options,
            _ => Vec::new(),
        };
        self.dropped_options(
            own.iter().chain(stage.servers.iter().flat_map(|server| &server.options)),
        );
        for (name, value) in own {
            match (name.as_str(), value) {
                ("user" | "port" | "keys", value) if value.is_unknown() => {
                    self.notes.push(format!("ssh_options: {name} {ONLY_RUBY}"));
                }
                ("user", Value::Text(user)) => self.text("ssh.user", &user),
                ("port", value) => {
                    let port = port(value).map(|port| port.to_string());
                    if let Some(value) = port {
                        self.line(TemplateLine { key: "ssh.port".into(), value });
                    }
                }
                ("keys", value) => {
                    self.list("ssh.identities", value.into_texts().unwrap_or_default());
                }
                _ => {}
            }
        }
    }

    /// Names the options that make a difference and have no setting.
    fn dropped_options<'a>(&mut self, options: impl Iterator<Item = &'a (String, Value)>) {
        let mut dropped: Vec<String> = options
            .filter(|(name, value)| {
                !WITHOUT_EFFECT.contains(&name.as_str())
                    && *value != Value::Nil
                    && !(name == "forward_agent" && *value == Value::Flag(false))
            })
            .map(|(name, _)| name.clone())
            .collect();
        dropped.sort();
        dropped.dedup();
        if dropped.is_empty() {
            return;
        }
        let names = enumerated(&dropped);
        let about = format!(
            "ssh_options {names}: not taken; write that in ~/.ssh/config, a proxy as ProxyJump."
        );
        self.remarks.push(("ssh", about));
    }

    /// SSHKit writes the names in capitals, and gives these variables to commands on this machine,
    /// too. What names a variable of a server's shell is for servers.
    pub(super) fn environment(&mut self, stage: &CapistranoStage) {
        let Some(Value::Hash(variables)) = stage.get("default_env") else { return };
        for (name, value) in variables {
            let name = name.to_ascii_uppercase();
            match value.into_text() {
                None if is_secret(&name) => self.variable("environment", &name, ""),
                Some(value) => {
                    self.variable("environment", &name, &value);
                    if !value.contains(['$', '~', '`']) && !is_secret(&name) {
                        self.variable("build.environment", &name, &value);
                    }
                }
                None => self.notes.push(format!("default_env: {name} {ONLY_RUBY}")),
            }
        }
    }

    pub(super) fn hosts(&mut self, stage: &CapistranoStage) {
        let keys = self.common_keys(&stage.servers);
        for server in &stage.servers {
            if server.no_release {
                self.notes.push(format!("{} has no_release: no assets go there", server.address));
                continue;
            }
            if server.roles.is_empty() || server.has_unknown_roles {
                let which = if server.has_unknown_roles {
                    "roles that only Ruby knows"
                } else {
                    "no roles"
                };
                self.notes.push(format!("{} has {which}: it is left out", server.address));
                continue;
            }
            match host(server, &keys) {
                Ok(host) => self.hosts.push(host),
                Err(problem) => self.notes.push(problem),
            }
        }
    }
    /// The keys that all servers have, as one setting.
    fn common_keys(&mut self, servers: &[Server]) -> Vec<String> {
        let Some(first) = servers.first() else { return Vec::new() };
        let is_set = self.lines.iter().any(|line| line.key == "ssh.identities");
        if is_set || servers.iter().any(|server| server.keys != first.keys) {
            return Vec::new();
        }
        self.list("ssh.identities", first.keys.clone());
        first.keys.clone()
    }
}

/// A host in TOML, if our own reader takes all of it; `keys` are set elsewhere.
fn host(server: &Server, keys: &[String]) -> Result<String, String> {
    value_is_fine("hosts", &server.address)?;
    let mut parts = vec![format!("address = {}", quoted(&server.address))];
    if let Some(user) = &server.user {
        value_is_fine("ssh.user", user)?;
        parts.push(format!("user = {}", quoted(user)));
    }
    parts.extend(server.port.map(|port| format!("port = {port}")));
    server.roles.iter().try_for_each(|role| value_is_fine("assets.roles", role))?;
    parts.push(format!("roles = {}", list(&server.roles)));
    if !server.keys.is_empty() && server.keys != keys {
        server.keys.iter().try_for_each(|key| value_is_fine("ssh.identities", key))?;
        parts.push(format!("identities = {}", list(&server.keys)));
    }
    Ok(format!("{{ {} }}", parts.join(", ")))
}

fn list(items: &[String]) -> String {
    TemplateLine::list("", items).value
}
