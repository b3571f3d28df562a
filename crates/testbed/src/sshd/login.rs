//! What stands between a connection and the command it asks for.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Doing, Result};

/// The name of the home directory of sessions.
pub(super) const HOME: &str = "home";

/// Where distributions put OpenSSH's SFTP server.
const SFTP_SERVERS: &str = "/usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server \
    /usr/lib/ssh/sftp-server /usr/libexec/sftp-server";

/// How sessions begin. Unless something here is set, sshd runs commands by the account's shell
/// with nothing in between.
#[derive(Debug, Clone, Default)]
pub(super) struct Login {
    /// Bytes to print first, as a chatty profile does.
    pub(super) noise: usize,
    /// The shell that runs the command, instead of `/bin/sh`.
    pub(super) shell: Option<PathBuf>,
    /// Shell lines to run first.
    pub(super) prelude: Vec<String>,
    /// Whether to start in the sessions' home, not the account's.
    pub(super) in_home: bool,
}

impl Login {
    /// Writes the script that begins sessions so into `dir`, if one is needed.
    pub(super) fn install(&self, dir: &Path) -> Result<Option<PathBuf>> {
        if self.is_plain() {
            return Ok(None);
        }
        let path = dir.join("login");
        fs::write(&path, self.script()).doing("write", &path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755)).doing("chmod", &path)?;
        Ok(Some(path))
    }

    fn is_plain(&self) -> bool {
        self.noise == 0 && self.shell.is_none() && self.prelude.is_empty() && !self.in_home
    }

    /// The script. SFTP keeps its own start: sshd names its built-in server as if it were a
    /// command, and noise would break any SFTP anyway.
    fn script(&self) -> String {
        let shell = self.shell.as_deref().unwrap_or(Path::new("/bin/sh")).display();
        let home = if self.in_home { "cd \"$HOME\" || exit\n" } else { "" };
        let noise = match self.noise {
            0 => String::new(),
            bytes => format!("head -c {bytes} /dev/zero | tr '\\0' '\\043'\n"),
        };
        let prelude: String = self.prelude.iter().map(|line| format!("{line}\n")).collect();
        format!(
            "#!/bin/sh\n{home}{prelude}\
             case $SSH_ORIGINAL_COMMAND in\n\
             internal-sftp*) for s in {SFTP_SERVERS}; do [ -x $s ] && exec $s; done ;;\n\
             esac\n{noise}\
             [ -n \"$SSH_ORIGINAL_COMMAND\" ] || exec '{shell}'\n\
             exec '{shell}' -c \"$SSH_ORIGINAL_COMMAND\"\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_asked_for_means_nothing_in_between() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Login::default().install(dir.path()).unwrap(), None);
    }

    #[test]
    fn the_script_prints_its_noise_after_the_prelude_and_uses_the_shell() {
        let login = Login {
            noise: 9,
            shell: Some("/bin/zsh".into()),
            prelude: vec!["umask 77".to_owned()],
            in_home: true,
        };
        let script = login.script();
        let order = ["cd \"$HOME\"", "umask 77", "sftp-server", "head -c 9", "exec '/bin/zsh' -c"];
        let places = order.map(|part| script.find(part).unwrap());
        assert!(places.is_sorted());
    }
}
