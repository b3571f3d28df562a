//! The hosts of a stage: `"user@host:port"`, or a table with an address.

use super::lists::LIST;
use super::parsed::FileHost;
use super::reader::{Reader, TableContext};
use crate::config::layer::{Change, Item, Layer, SettingChange};
use crate::config::origin::ConfigSpan;
use crate::config::problem::{Diagnostic, Expected, Problem, refused};
use crate::config::schema::{Key, Kind, Lookup, children, find};
use crate::config::toml_tree::{TomlEntry, TomlNode, TomlValue};
use crate::config::value::{SettingValue, word};

const HOSTS: Expected =
    Expected { what: "a list", example: "[\"deploy@web1.example.com\"] or [[stages.NAME.hosts]]" };
const HOST: Expected = Expected {
    what: "a host",
    example: "\"user@host\" or { address = \"host\", roles = [\"web\"] }",
};

/// The parts of `user@host:port`.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    user: Option<String>,
    host: String,
    port: Option<u64>,
}

impl Reader {
    pub(super) fn hosts(&mut self, stage: &str, node: &TomlNode) -> Vec<FileHost> {
        let TomlValue::List(nodes) = &node.content else {
            self.wrong_type(&format!("stages.{stage}.hosts"), HOSTS, node);
            return Vec::new();
        };
        let mut hosts: Vec<FileHost> = Vec::new();
        for node in nodes {
            let Some(host) = self.host(stage, node) else { continue };
            match hosts.iter().find(|other| is_same(other, &host)) {
                Some(first) => self.duplicate(stage, &host, first.span.clone()),
                None => hosts.push(host),
            }
        }
        hosts
    }

    fn duplicate(&mut self, stage: &str, host: &FileHost, first: ConfigSpan) {
        let (host, span) = (host.address.clone(), host.span.clone());
        let problem = Problem::DuplicateHost { host, stage: stage.to_owned() };
        self.problems.push(Diagnostic::at(problem, span).with(Some(first), "first here"));
    }

    fn host(&mut self, stage: &str, node: &TomlNode) -> Option<FileHost> {
        let mut host = FileHost {
            address: String::new(),
            span: self.span(&node.span),
            roles: None,
            layer: Layer::default(),
        };
        match &node.content {
            TomlValue::Text(_) => self.address(&mut host, "hosts", node)?,
            TomlValue::Table(entries) => self.host_table(&mut host, stage, node, entries)?,
            _ => {
                self.wrong_type(&format!("stages.{stage}.hosts"), HOST, node);
                return None;
            }
        }
        Some(host)
    }

    fn host_table(
        &mut self,
        host: &mut FileHost,
        stage: &str,
        node: &TomlNode,
        entries: &[TomlEntry],
    ) -> Option<()> {
        for entry in entries {
            match entry.key.as_str() {
                "address" => self.address(host, "address", &entry.node)?,
                "roles" => host.roles = Some(self.roles(entry)?),
                _ => self.host_setting(host, stage, entry),
            }
        }
        if !entries.iter().any(|entry| entry.key == "address") {
            self.problem(&node.span, Problem::NoAddress(stage.to_owned()));
            return None;
        }
        Some(())
    }

    /// A setting of this host; what two keys set is an error, as both were meant.
    fn host_setting(&mut self, host: &mut FileHost, stage: &str, entry: &TomlEntry) {
        let spot = TableContext { stage: Some(stage), is_host: true, set: None };
        let group = if children("ssh").contains(&entry.key) { "ssh" } else { "" };
        let mut layer = Layer::default();
        self.entry(group, spot, entry, &mut layer);
        for changed in layer.0 {
            self.add(host, changed);
        }
    }

    fn add(&mut self, host: &mut FileHost, changed: SettingChange) {
        match host.layer.0.iter().find(|other| other.key == changed.key) {
            Some(first) => {
                let problem = Problem::DuplicateKey(changed.key.to_string());
                let first = Some(first.span.clone());
                self.problems.push(Diagnostic::at(problem, changed.span).with(first, "first here"));
            }
            None => host.layer.0.push(changed),
        }
    }

    fn roles(&mut self, entry: &TomlEntry) -> Option<Vec<Item>> {
        let TomlValue::List(nodes) = &entry.node.content else {
            self.wrong_type("roles", LIST, &entry.node);
            return None;
        };
        if nodes.is_empty() {
            self.problem(&entry.node.span, Problem::Empty("roles".into()));
            return None;
        }
        let mut roles = Vec::new();
        for node in nodes {
            let role = self.checked(Kind::Word, "roles", node)?;
            roles.push(self.item(role, node));
        }
        Some(roles)
    }

    /// Splits an address; user and port become settings of the host.
    fn address(&mut self, host: &mut FileHost, key: &str, node: &TomlNode) -> Option<()> {
        let text = match self.checked(Kind::Text, key, node)? {
            SettingValue::Text(text) => text,
            _ => return None,
        };
        let address = match parse(key, &text) {
            Ok(address) => address,
            Err(problem) => {
                self.problem(&node.span, problem);
                return None;
            }
        };
        host.address = address.host;
        let parts = [
            ("ssh.user", address.user.map(SettingValue::Text)),
            ("ssh.port", address.port.map(SettingValue::Count)),
        ];
        for (name, setting_value) in parts {
            if let (Lookup::Setting(setting), Some(setting_value)) = (find(name), setting_value) {
                let change = Change::Assign(vec![self.item(setting_value, node)]);
                let span = self.span(&node.span);
                self.add(host, SettingChange { key: Key::new(setting, name), change, span });
            }
        }
        Some(())
    }
}

/// Whether two hosts are one: the same address, reached by the same port.
fn is_same(one: &FileHost, other: &FileHost) -> bool {
    let port = |host: &FileHost| {
        let entry = host.layer.0.iter().find(|entry| entry.key.setting.name == "ssh.port")?;
        match &entry.change {
            Change::Assign(items) => items.first().map(|item| item.setting_value.clone()),
            Change::Amend { .. } => None,
        }
    };
    one.address.eq_ignore_ascii_case(&other.address) && port(one) == port(other)
}

/// Whether `text` can be a host's address; if not, why.
pub(crate) fn is_address(text: &str) -> Result<(), Problem> {
    let address = parse("address", text)?;
    match address.user.is_none() && address.port.is_none() {
        true => Ok(()),
        false => Err(refused("address", "has a user or a port in it", "set them on their own")),
    }
}

/// Reads `[user@]host[:port]`; an IPv6 address with a port has brackets.
fn parse(key: &str, text: &str) -> Result<Address, Problem> {
    const HINT: &str = "write \"user@host\" or \"user@host:port\", an IPv6 address in brackets";
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (host, port) =
        host_and_port(rest).ok_or_else(|| refused(key, "is not an address", HINT))?;
    for part in user.into_iter().chain([host]) {
        word(key, part)?;
        if part.is_empty() || part.contains(['/', '@', '[', ']']) {
            return Err(refused(key, "is not an address", HINT));
        }
    }
    let port = port.map(|port| match port.parse() {
        Ok(port @ 1..=65_535) => Ok(port),
        _ => Err(refused(key, "has no port from 1 to 65535 after its colon", HINT)),
    });
    Ok(Address { user: user.map(str::to_owned), host: host.to_owned(), port: port.transpose()? })
}

fn host_and_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after {
            "" => Some((host, None)),
            after => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    match text.matches(':').count() {
        1 => text.split_once(':').map(|(host, port)| (host, Some(port))),
        _ => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let rows = [
            ("web1", (None, "web1", None)),
            ("deploy@web1.example.com", (Some("deploy"), "web1.example.com", None)),
            ("a@b@web1:2222", (None, "", None)),
            ("deploy@web1:2222", (Some("deploy"), "web1", Some(2222))),
            ("[::1]:22", (None, "::1", Some(22))),
            ("[::1]", (None, "::1", None)),
            ("::1", (None, "::1", None)),
        ];
        for (text, (user, host, port)) in rows {
            match parse("address", text) {
                Ok(address) => {
                    let (user, host) = (user.map(str::to_owned), host.to_owned());
                    assert_eq!(address, Address { user, host, port }, "{text}");
                }
                Err(_) => assert_eq!(host, "", "{text}"),
            }
        }
    }

    #[test]
    fn invalid_addresses() {
        let rows = [
            ("", "'address' is not an address"),
            ("a b", "'address' has a space in it"),
            ("-oProxyCommand=x", "'address' begins with '-'"),
            ("-x@web", "'address' begins with '-'"),
            ("@web", "'address' is not an address"),
            ("web:", "'address' has no port from 1 to 65535 after its colon"),
            ("web:0", "'address' has no port from 1 to 65535 after its colon"),
            ("web:99999", "'address' has no port from 1 to 65535 after its colon"),
            ("[::1", "'address' is not an address"),
            ("[::1]x", "'address' is not an address"),
            ("ssh://web/x", "'address' has no port from 1 to 65535 after its colon"),
            ("web:/srv", "'address' has no port from 1 to 65535 after its colon"),
        ];
        for (text, message) in rows {
            assert_eq!(parse("address", text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
