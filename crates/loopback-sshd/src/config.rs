//! The configuration files of sshd and ssh, as text.

use std::fmt::Write;
use std::path::Path;

/// The values in a server's configuration.
pub(crate) struct Server<'a> {
    /// The port it listens on.
    pub(crate) port: u16,
    /// The directory of its keys and homes.
    pub(crate) dir: &'a Path,
    /// Paths of its host keys.
    pub(crate) host_keys: &'a [std::path::PathBuf],
    /// The environment of its sessions.
    pub(crate) env: &'a [(String, String)],
    /// Further lines, as written.
    pub(crate) extra: &'a [String],
}

impl Server<'_> {
    /// The `sshd_config`. sshd keeps the first value it reads, so `extra` comes before what it may
    /// want to change, and its `Match` blocks, which last to the end of the file, come after.
    pub(crate) fn text(&self) -> String {
        let (global, blocks) = split_at_match(self.extra);
        let mut text = String::new();
        for line in global {
            text.push_str(line);
            text.push('\n');
        }
        for key in self.host_keys {
            line(&mut text, "HostKey", &quoted(&key.display().to_string()));
        }
        line(&mut text, "AuthorizedKeysFile", &quoted(&self.path("authorized_keys")));
        line(&mut text, "Port", &self.port.to_string());
        text.push_str(FIXED);
        line(&mut text, "SetEnv", &self.environment());
        for line in blocks {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// All variables on one line: sshd heeds only the first `SetEnv`.
    fn environment(&self) -> String {
        let pairs = self.env.iter().map(|(name, value)| quoted(&format!("{name}={value}")));
        pairs.collect::<Vec<_>>().join(" ")
    }
}

/// The settings of every server: no PAM and no modes to satisfy, so that any account will do; keys
/// only; room for many connections at once.
const FIXED: &str = "\
ListenAddress 127.0.0.1
UsePAM no
StrictModes no
PermitRootLogin yes
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
MaxStartups 100
MaxSessions 100
PidFile none
PrintMotd no
PrintLastLog no
UseDNS no
LogLevel VERBOSE
";

/// The lines before the first `Match`, and the rest.
fn split_at_match(lines: &[String]) -> (&[String], &[String]) {
    let starts = |line: &String| line.trim_start().to_ascii_lowercase().starts_with("match");
    lines.split_at(lines.iter().position(starts).unwrap_or(lines.len()))
}

/// A client's configuration for the server at `port`, by the names in `dir`.
pub(crate) fn client(alias: &str, port: u16, user: &str, key: &Path, known: &Path) -> String {
    let mut text = format!("Host {alias}\n");
    line(&mut text, "HostName", "127.0.0.1");
    line(&mut text, "Port", &port.to_string());
    line(&mut text, "User", user);
    line(&mut text, "IdentityFile", &quoted(&key.display().to_string()));
    line(&mut text, "IdentitiesOnly", "yes");
    line(&mut text, "UserKnownHostsFile", &quoted(&known.display().to_string()));
    line(&mut text, "GlobalKnownHostsFile", "/dev/null");
    line(&mut text, "StrictHostKeyChecking", "yes");
    line(&mut text, "BatchMode", "yes");
    text
}

/// The `known_hosts` line for `key` (its type and base64) at `port`.
pub(crate) fn known_host(port: u16, key: &str) -> String {
    format!("[127.0.0.1]:{port} {key}")
}

fn line(text: &mut String, keyword: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{keyword} {value}");
}

/// An argument in the quotes that both programs understand.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_lines_win_and_match_blocks_end_the_file() {
        let extra = ["MaxSessions 1", "Match User x", "ForceCommand y"].map(str::to_owned);
        let env = [("HOME".to_owned(), "/a b".to_owned()), ("X".to_owned(), "\"".to_owned())];
        let server = Server {
            port: 7,
            dir: Path::new("/d"),
            host_keys: &["/d/k".into()],
            env: &env,
            extra: &extra,
        };
        let text = server.text();
        assert!(text.starts_with("MaxSessions 1\nHostKey \"/d/k\"\n"));
        assert!(text.ends_with("SetEnv \"HOME=/a b\" \"X=\\\"\"\nMatch User x\nForceCommand y\n"));
    }

    #[test]
    fn the_client_asks_nothing_and_knows_one_host() {
        let text = client("alias", 7, "me", Path::new("/k"), Path::new("/h"));
        assert!(text.starts_with("Host alias\nHostName 127.0.0.1\nPort 7\nUser me\n"));
        assert!(text.contains("\nBatchMode yes\n"));
        assert_eq!(known_host(7, "t k"), "[127.0.0.1]:7 t k");
    }
}
