//! The user's ssh configuration for a host, as `ssh -G` prints it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, io};

use crate::error::{TransportError, excerpt};
use crate::ssh_options::{AddressFamily, SshOptions};
use crate::target::RemoteTarget;

/// The settings of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// The address to connect to.
    pub hostname: String,
    /// The TCP port.
    pub port: u16,
    /// The remote user.
    pub user: String,
    /// Candidate private keys in order.
    pub identity_files: Vec<PathBuf>,
    /// Whether only those keys may be offered.
    pub identities_only: bool,
    /// The ssh-agent socket to use: a path, `SSH_AUTH_SOCK`, `$VARIABLE` or `none`.
    pub identity_agent: Option<String>,
    /// known_hosts files, the user's first.
    pub known_hosts: Vec<PathBuf>,
    /// The name to look up in them instead of the host's own.
    pub host_key_alias: Option<String>,
    /// The only kind of address to connect to.
    pub address_family: Option<AddressFamily>,
    /// The control socket's path.
    pub control_path: Option<PathBuf>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    /// The algorithms that may be used.
    pub algorithms: AllowedAlgorithms,
    /// Settings that only the `ssh` program can follow, as `name value`.
    pub beyond_libssh2: Vec<String>,
}

/// Names of algorithms in order of preference, separated by commas; those of the library if none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedAlgorithms {
    /// `KexAlgorithms`.
    pub kex: Option<String>,
    /// `Ciphers`.
    pub ciphers: Option<String>,
    /// `MACs`.
    pub macs: Option<String>,
    /// `HostKeyAlgorithms`.
    pub host_keys: Option<String>,
    /// `PubkeyAcceptedAlgorithms`.
    pub user_keys: Option<String>,
}

/// Settings whose other values libssh2 does not support.
const BEYOND: &[(&str, &[&str])] = &[
    ("proxyjump", &["none"]),
    ("proxycommand", &["none"]),
    ("certificatefile", &["none"]),
    ("pkcs11provider", &["none"]),
    ("knownhostscommand", &["none"]),
    ("revokedhostkeys", &["none"]),
    ("bindaddress", &["none"]),
    ("bindinterface", &["none"]),
    // Any other value is a looser or stricter rule of the user, which the `ssh` program applies.
    ("stricthostkeychecking", &["ask", "true", "yes"]),
    ("verifyhostkeydns", &["false", "no"]),
    ("pubkeyauthentication", &["true", "yes", "unbound", "host-bound"]),
    ("batchmode", &["no", "yes", "false", "true"]),
    ("hostbasedauthentication", &["no", "false"]),
    ("requiredrsasize", &["1024"]),
];

/// Ways to log in that come to nothing without a ticket, or without a setting of their own.
const WITHOUT_KEYS: [&str; 4] = ["gssapi-with-mic", "gssapi-keyex", "hostbased", "none"];

/// Reads the host's settings from the user's ssh configuration; OpenSSH's defaults if there is no
/// `ssh` program.
pub fn host_config(
    target: &RemoteTarget,
    options: &SshOptions,
) -> Result<HostConfig, TransportError> {
    let home = env::var_os("HOME").map(PathBuf::from);
    match ssh_g(target, options).output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            Ok(parse(&text, target, options, home.as_deref()))
        }
        Ok(output) => Err(TransportError::SshConfig {
            host: target.host.clone(),
            detail: excerpt(&output.stderr),
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound && options.config_file.is_none() => {
            Ok(plain(target, options, home.as_deref()))
        }
        Err(source) => Err(TransportError::Spawn { program: "ssh".into(), source }),
    }
}

fn ssh_g(target: &RemoteTarget, options: &SshOptions) -> Command {
    let mut command = Command::new("ssh");
    command.arg("-G").stdin(Stdio::null());
    if let Some(file) = &options.config_file {
        command.arg("-F").arg(file);
    }
    if let Some(port) = target.port.or(options.port) {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(family) = options.address_family {
        command.arg(family.ssh_option());
    }
    if let Some(user) = &target.user {
        command.arg("-l").arg(user);
    }
    command.arg("--").arg(&target.host);
    command
}

/// Reads the output of `ssh -G`.
pub(crate) fn parse(
    text: &str,
    target: &RemoteTarget,
    options: &SshOptions,
    home: Option<&Path>,
) -> HostConfig {
    let mut config = plain(target, options, home);
    config.identity_files.clear();
    config.known_hosts.clear();
    let (mut user_files, mut global_files) = (Vec::new(), Vec::new());
    for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        match name {
            "userknownhostsfile" => user_files = words(value, home),
            "globalknownhostsfile" => global_files = words(value, home),
            _ => config.set(name, value, home),
        }
    }
    config.known_hosts.extend(user_files.into_iter().chain(global_files));
    config.expand_identities(target, home);
    config.prefer(options);
    config
}

/// The settings if there is no `ssh` program.
pub(crate) fn plain(
    target: &RemoteTarget,
    options: &SshOptions,
    home: Option<&Path>,
) -> HostConfig {
    let under_home = |name: &str| home.map(|home| home.join(".ssh").join(name));
    let keys = ["id_ed25519", "id_ecdsa", "id_rsa"];
    let mut config = HostConfig {
        hostname: target.host.clone(),
        port: target.port.or(options.port).unwrap_or(22),
        user: target.user.clone().or_else(|| env::var("USER").ok()).unwrap_or_default(),
        identity_files: keys.iter().filter_map(|key| under_home(key)).collect(),
        known_hosts: under_home("known_hosts").into_iter().collect(),
        address_family: options.address_family,
        ..HostConfig::default()
    };
    config.known_hosts.push("/etc/ssh/ssh_known_hosts".into());
    config.prefer(options);
    config
}

/// Whether a key is to be tried before anything that somebody is asked for.
fn prefers_keys(methods: &str) -> bool {
    methods.split(',').find(|method| !WITHOUT_KEYS.contains(method)) == Some("publickey")
}

/// The value of `AddressFamily`.
fn address_family(value: &str) -> Option<AddressFamily> {
    match value {
        "inet" => Some(AddressFamily::Ipv4),
        "inet6" => Some(AddressFamily::Ipv6),
        _ => None,
    }
}

impl HostConfig {
    /// The name under which the host's keys are looked up, as OpenSSH forms it.
    pub fn lookup_name(&self) -> String {
        match (&self.host_key_alias, self.port) {
            (Some(alias), _) => alias.to_lowercase(),
            (None, 22) => self.hostname.to_lowercase(),
            (None, port) => format!("[{}]:{port}", self.hostname.to_lowercase()),
        }
    }

    fn set(&mut self, name: &str, value: &str, home: Option<&Path>) {
        match name {
            "hostname" => self.hostname = value.trim_matches(['[', ']']).to_owned(),
            "port" => self.port = value.parse().unwrap_or(self.port),
            "user" => self.user = value.to_owned(),
            "identityfile" => self.identity_files.push(value.into()),
            "identitiesonly" => self.identities_only = value == "yes",
            "identityagent" => self.identity_agent = Some(tilde(value, home)),
            "hostkeyalias" => self.host_key_alias = Some(value.to_owned()),
            "addressfamily" => self.address_family = address_family(value),
            "controlpath" if value != "none" => self.control_path = Some(value.into()),
            "connecttimeout" => {
                self.connect_timeout = value.parse().ok().map(Duration::from_secs);
            }
            "kexalgorithms" => self.algorithms.kex = Some(value.to_owned()),
            "ciphers" => self.algorithms.ciphers = Some(value.to_owned()),
            "macs" => self.algorithms.macs = Some(value.to_owned()),
            "hostkeyalgorithms" => self.algorithms.host_keys = Some(value.to_owned()),
            // The second name is that of old versions.
            "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => {
                self.algorithms.user_keys = Some(value.to_owned());
            }
            "preferredauthentications" if !prefers_keys(value) => {
                self.beyond_libssh2.push(format!("{name} {value}"));
            }
            _ => self.note_if_beyond(name, value),
        }
    }

    fn note_if_beyond(&mut self, name: &str, value: &str) {
        let beyond = BEYOND.iter().any(|(key, plain)| *key == name && !plain.contains(&value));
        if beyond {
            self.beyond_libssh2.push(format!("{name} {value}"));
        }
    }

    /// Keys given with `-i` replace those of the configuration.
    fn prefer(&mut self, options: &SshOptions) {
        if !options.identities.is_empty() {
            self.identity_files = options.identities.clone();
            self.identities_only = true;
        }
    }

    fn expand_identities(&mut self, target: &RemoteTarget, home: Option<&Path>) {
        let files = std::mem::take(&mut self.identity_files);
        for file in files {
            let raw = tilde(&file.to_string_lossy(), home);
            match self.percent(&raw, target, home) {
                Some(path) if path != "none" => self.identity_files.push(path.into()),
                Some(_) => {}
                None => self.beyond_libssh2.push(format!("identityfile {raw}")),
            }
        }
    }

    /// Expands the supported `%` tokens; `None` if there is another one.
    fn percent(&self, raw: &str, target: &RemoteTarget, home: Option<&Path>) -> Option<String> {
        let mut parts = raw.split('%');
        let mut out = parts.next()?.to_owned();
        while let Some(part) = parts.next() {
            let mut rest = part.chars();
            match rest.next() {
                Some('d') => out.push_str(&home?.to_string_lossy()),
                Some('h') => out.push_str(&self.hostname),
                Some('n') => out.push_str(&target.host),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('r') => out.push_str(&self.user),
                Some('u') => out.push_str(&env::var("USER").ok()?),
                Some('k') => out.push_str(self.host_key_alias.as_ref().unwrap_or(&target.host)),
                // `%%` splits into an empty part and the text after it.
                None => {
                    out.push('%');
                    out.push_str(parts.next()?);
                }
                Some(_) => return None,
            }
            out.push_str(rest.as_str());
        }
        Some(out)
    }
}

fn words(value: &str, home: Option<&Path>) -> Vec<PathBuf> {
    let paths = value.split_whitespace().filter(|word| *word != "none");
    paths.map(|word| tilde(word, home).into()).collect()
}

fn tilde(value: &str, home: Option<&Path>) -> String {
    match (value.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest).to_string_lossy().into_owned(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> RemoteTarget {
        RemoteTarget { user: None, host: "web".into(), port: None, path: "/srv".into() }
    }

    fn parsed(text: &str) -> HostConfig {
        parse(text, &target(), &SshOptions::default(), Some(Path::new("/home/me")))
    }

    #[test]
    fn reads_what_ssh_prints() {
        let config = parsed(
            "host web\nuser deploy\nhostname web1.example.org\nport 2222\nidentitiesonly yes\n\
             identityfile ~/.ssh/id_%h_%r\nidentityfile /keys/50%%\nhostkeyalias alias\n\
             identityagent ~/agent.sock\naddressfamily inet\ncontrolpath /run/cm\n\
             globalknownhostsfile /etc/a /etc/b\nuserknownhostsfile ~/.ssh/known_hosts none\n\
             stricthostkeychecking ask\nproxyjump none\n",
        );
        assert_eq!((config.user.as_str(), config.port), ("deploy", 2222));
        assert_eq!(config.hostname, "web1.example.org");
        let keys = ["/home/me/.ssh/id_web1.example.org_deploy", "/keys/50%"].map(PathBuf::from);
        assert_eq!(config.identity_files, keys);
        let files = ["/home/me/.ssh/known_hosts", "/etc/a", "/etc/b"].map(PathBuf::from);
        assert_eq!(config.known_hosts, files);
        assert_eq!(config.identity_agent.as_deref(), Some("/home/me/agent.sock"));
        assert!(config.identities_only);
        assert_eq!(config.lookup_name(), "alias");
        assert_eq!(config.beyond_libssh2, Vec::<String>::new());
    }

    #[test]
    fn settings_beyond_libssh2_are_noted() {
        let cases = [
            "proxyjump bastion",
            "proxycommand nc %h %p",
            "certificatefile /home/me/cert",
            "pkcs11provider /usr/lib/p11.so",
            "knownhostscommand /bin/keys",
            "stricthostkeychecking accept-new",
            "stricthostkeychecking false",
            "verifyhostkeydns true",
            "revokedhostkeys /etc/revoked",
            "identityfile ~/.ssh/%C",
        ];
        for case in cases {
            let noted = parsed(&format!("hostname h\n{case}\n")).beyond_libssh2;
            assert_eq!(noted.len(), 1, "{case}");
        }
    }

    #[test]
    fn names_for_the_lookup() {
        let name = |hostname: &str, port| {
            let config = HostConfig { hostname: hostname.into(), port, ..HostConfig::default() };
            config.lookup_name()
        };
        assert_eq!(name("Web", 22), "web");
        assert_eq!(name("::1", 2222), "[::1]:2222");
    }

    #[test]
    fn identities_of_the_caller_replace_the_configured_ones() {
        let options = SshOptions { identities: vec!["/k".into()], ..SshOptions::default() };
        let config = parse("identityfile ~/x\n", &target(), &options, None);
        assert_eq!(config.identity_files, [PathBuf::from("/k")]);
        assert!(config.identities_only);
    }
}
