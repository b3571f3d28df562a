//! Servers and their roles, as Capistrano collects them.

use super::value::Value;

/// A server of a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Server {
    /// Its name or address.
    pub address: String,
    /// The user to log in as.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// Its roles, in order.
    pub roles: Vec<String>,
    /// Private keys of its own.
    pub keys: Vec<String>,
    /// Whether releases, and so assets, are not for it (`no_release`).
    pub no_release: bool,
    /// Whether some of its roles could not be read.
    pub has_unknown_roles: bool,
    /// Its other `ssh_options`.
    pub options: Vec<(String, Value)>,
}

impl Server {
    /// Reads `user@host:port`.
    pub(super) fn parse(text: &str) -> Option<Server> {
        let (user, host) = match text.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, text),
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, Some(port.parse().ok()?)),
            _ => (host, None),
        };
        let address = host.to_owned();
        let server = Server { address, user, port, ..Server::default() };
        (!host.is_empty()).then_some(server)
    }

    /// Applies the options of `server` or `role`.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        match (name, value) {
            ("user", Value::Text(user)) => self.user = Some(user),
            ("port", value) => self.port = port(value).or(self.port),
            ("roles" | "role", value) => match value.into_texts() {
                Some(roles) => self.add_roles(roles),
                None => self.has_unknown_roles = true,
            },
            ("no_release", Value::Flag(flag)) => self.no_release = flag,
            ("ssh_options", Value::Hash(options)) => {
                for (name, value) in options {
                    match name.as_str() {
                        "keys" => self.keys = value.into_texts().unwrap_or_default(),
                        "user" | "port" => self.set(&name, value),
                        _ => self.options.push((name, value)),
                    }
                }
            }
            _ => {}
        }
    }

    /// Adds roles; `:all` is all that a Rails deploy knows.
    pub(super) fn add_roles(&mut self, roles: Vec<String>) {
        let all = ["app", "db", "web"].map(str::to_owned);
        let roles = roles.into_iter().flat_map(|role| match role.as_str() {
            "all" => all.to_vec(),
            _ => vec![role],
        });
        for role in roles {
            if !self.roles.contains(&role) {
                self.roles.push(role);
            }
        }
    }

    /// Whether two entries are of one server.
    pub(super) fn is_same(&self, other: &Server) -> bool {
        self.address == other.address && self.port == other.port
    }

    /// Merges another entry of this server.
    pub(super) fn merge(&mut self, other: Server) {
        self.add_roles(other.roles);
        self.user = other.user.or(self.user.take());
        if !other.keys.is_empty() {
            self.keys = other.keys;
        }
        self.no_release |= other.no_release;
        self.has_unknown_roles |= other.has_unknown_roles;
        self.options.extend(other.options);
    }
}

/// A port, which may be written as text.
pub(super) fn port(value: Value) -> Option<u16> {
    value.into_text()?.parse().ok().filter(|port| *port > 0)
}
