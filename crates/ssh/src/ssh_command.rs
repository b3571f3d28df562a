//! Command lines for the `ssh` program and for any remote shell given with `-e`.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::TransportError;
use crate::ssh_options::SshOptions;
use crate::target::RemoteTarget;

/// The kind of channel to start on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start<'a> {
    /// A command line for the login shell.
    Command(&'a str),
    /// The SFTP subsystem.
    Sftp,
}

/// How a program given with `-e` gets the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordForm {
    /// One line for the login shell, as for `ssh`.
    Line,
    /// Words that are executed without a shell, as by `docker exec`.
    Words,
}

impl WordForm {
    /// The form that the program of `-e` seems to want: `docker exec -i`, `kubectl exec -i`.
    pub fn of(rsh: &str) -> WordForm {
        let words = shell_words::split(rsh).unwrap_or_default();
        match words.iter().skip(1).any(|word| word == "exec") {
            true => WordForm::Words,
            false => WordForm::Line,
        }
    }
}

/// Whether the program of `-e` is `ssh` itself, which always has a shell on the host.
pub(crate) fn is_ssh(rsh: &str) -> bool {
    let words = shell_words::split(rsh).unwrap_or_default();
    words.first().is_some_and(|program| is_ssh_program(program))
}

fn is_ssh_program(program: &str) -> bool {
    Path::new(program).file_name().is_some_and(|name| name == "ssh")
}

/// The command for an automatic choice of the `ssh` program.
pub(crate) fn openssh(
    target: &RemoteTarget,
    options: &SshOptions,
    connect_timeout: Duration,
    start: Start<'_>,
) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-T", "-x", "-a"]);
    command.args(["-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none"]);
    command.args(["-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"]);
    command.arg("-o").arg(format!("ConnectTimeout={}", connect_timeout.as_secs().max(1)));
    if !options.interactive && !options.ssh_may_ask {
        command.args(["-o", "BatchMode=yes"]);
    }
    command.args(ssh_options(target, options));
    if let Some(user) = &target.user {
        command.args(["-l", user]);
    }
    finish(&mut command, &target.host, start, true);
    command
}

/// The command for `-e CMD`: as rsync, `CMD... [-l user] host COMMAND`.
pub(crate) fn remote_shell(
    rsh: &str,
    target: &RemoteTarget,
    options: &SshOptions,
    start: Start<'_>,
    form: WordForm,
) -> Result<Command, TransportError> {
    let refused = |reason: &str| TransportError::RemoteShell {
        command: rsh.to_owned(),
        reason: reason.to_owned(),
    };
    let words = shell_words::split(rsh).map_err(|e| refused(&e.to_string()))?;
    let (program, arguments) = words.split_first().ok_or_else(|| refused("it is empty"))?;
    let is_ssh = is_ssh_program(program);
    if start == Start::Sftp && !is_ssh {
        return Err(TransportError::Options("SFTP needs ssh; give no other program with -e"));
    }
    let mut command = Command::new(program);
    command.args(arguments);
    if is_ssh {
        command.args(ssh_options(target, options));
    }
    if let Some(user) = &target.user {
        command.args(["-l", user]);
    }
    match start {
        Start::Command(line) if form == WordForm::Words => {
            command.arg(&target.host).args(["/bin/sh", "-c", line]);
        }
        _ => finish(&mut command, &target.host, start, is_ssh),
    }
    Ok(command)
}

fn ssh_options(target: &RemoteTarget, options: &SshOptions) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(file) = &options.config_file {
        words.extend(["-F".into(), file.into()]);
    }
    if let Some(port) = target.port.or(options.port) {
        words.extend(["-p".into(), port.to_string().into()]);
    }
    words.extend(options.address_family.map(|family| family.ssh_option().into()));
    for identity in &options.identities {
        words.extend(["-i".into(), identity.into()]);
    }
    if !options.identities.is_empty() {
        words.extend(["-o".into(), "IdentitiesOnly=yes".into()]);
    }
    words
}

/// Only `ssh` is known to take `--`; the host was checked not to start with `-`.
fn finish(command: &mut Command, host: &str, start: Start<'_>, is_ssh: bool) {
    if start == Start::Sftp {
        command.arg("-s");
    }
    if is_ssh {
        command.arg("--");
    }
    command.arg(host);
    match start {
        Start::Command(line) => command.arg(line),
        Start::Sftp => command.arg("sftp"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> RemoteTarget {
        let (user, host) = (Some("me".to_owned()), "web".to_owned());
        RemoteTarget { user, host, port: Some(2222), path: "/srv".into() }
    }

    fn line(command: &Command) -> String {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    fn rsh(rsh: &str, options: &SshOptions) -> String {
        line(
            &remote_shell(rsh, &target(), options, Start::Command("exec x"), WordForm::of(rsh))
                .unwrap(),
        )
    }

    #[test]
    fn the_automatic_ssh_never_asks_without_a_person() {
        let command =
            openssh(&target(), &SshOptions::default(), Duration::ZERO, Start::Command("exec x"));
        let text = line(&command);
        assert!(text.starts_with("ssh -T -x -a "), "{text}");
        assert!(text.contains("-o BatchMode=yes -p 2222 -l me -- web exec x"), "{text}");
        let options = SshOptions { interactive: true, ..SshOptions::default() };
        let text = line(&openssh(&target(), &options, Duration::ZERO, Start::Sftp));
        assert!(!text.contains("BatchMode"), "{text}");
        assert!(text.ends_with("-s -- web sftp"), "{text}");
    }

    #[test]
    fn a_remote_shell_is_called_as_rsync_does() {
        let options = SshOptions {
            identities: vec!["/k".into()],
            config_file: Some("/f".into()),
            ..SshOptions::default()
        };
        let with_key = "ssh -q -F /f -p 2222 -i /k -o IdentitiesOnly=yes -l me -- web exec x";
        assert_eq!(rsh("ssh -q", &options), with_key);
        assert_eq!(rsh("lsh 'a b'", &options), "lsh a b -l me web exec x");
        let docker = "docker exec -i -l me web /bin/sh -c exec x";
        assert_eq!(rsh("docker exec -i", &options), docker);
        assert!(
            rsh("/opt/bin/ssh -i KEY", &SshOptions::default()).ends_with(" -l me -- web exec x")
        );
    }

    /// Its commands are never given as words: `ssh` joins them to a line again.
    #[test]
    fn ssh_is_known_by_its_program() {
        for (rsh, expected) in [
            ("ssh -i KEY", true),
            ("/opt/bin/ssh", true),
            ("docker exec -i", false),
            ("./into-container", false),
            ("", false),
        ] {
            assert_eq!(is_ssh(rsh), expected, "{rsh}");
        }
    }

    #[test]
    fn unreadable_remote_shells_are_refused() {
        for bad in ["", "  ", "ssh 'open"] {
            let options = SshOptions::default();
            let made = remote_shell(bad, &target(), &options, Start::Command("x"), WordForm::Line);
            assert!(
                made.unwrap_err().to_string().starts_with("Cannot split remote shell"),
                "{bad}"
            );
        }
        let sftp =
            remote_shell("rsh", &target(), &SshOptions::default(), Start::Sftp, WordForm::Line);
        assert!(sftp.unwrap_err().to_string().contains("SFTP needs ssh"));
    }
}
