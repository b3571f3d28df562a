//! A script that sshd runs in place of the command that a client asks for, which then runs that.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{ErrorContext, Result};

/// Where distributions put OpenSSH's SFTP server.
const SFTP_SERVERS: &str = "/usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server \
    /usr/lib/ssh/sftp-server /usr/libexec/sftp-server";

/// How sessions begin. Without any of this, sshd runs commands by the account's shell, without a
/// script.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoginScript {
    /// Bytes to print first, like a profile with output.
    pub(crate) noise: usize,
    /// The shell that runs the command, instead of `/bin/sh`.
    pub(crate) shell: Option<PathBuf>,
    /// Shell lines to run first.
    pub(crate) prelude: Vec<String>,
    /// Whether to start in the sessions' home instead of the account's.
    pub(crate) in_home: bool,
}

impl LoginScript {
    /// Writes the script into `dir`, if one is needed.
    pub(crate) fn install(&self, dir: &Path) -> Result<Option<PathBuf>> {
        if self.is_empty() {
            return Ok(None);
        }
        let path = dir.join("login");
        fs::write(&path, self.script()).doing("write", &path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755)).doing("chmod", &path)?;
        Ok(Some(path))
    }

    fn is_empty(&self) -> bool {
        self.noise == 0 && self.shell.is_none() && self.prelude.is_empty() && !self.in_home
    }

    /// The script. SFTP comes before the noise, which would break it; sshd names its built-in SFTP
    /// server as if it were a command.
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
    fn without_options_there_is_no_script() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(LoginScript::default().install(dir.path()).unwrap(), None);
    }

    #[test]
    fn the_script_prints_its_noise_after_the_prelude_and_uses_the_shell() {
        let login = LoginScript {
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
