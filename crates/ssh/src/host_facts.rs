//! What a host says of itself, for who looks for the reason of a problem: its platform, the login
//! shell, and what it unpacks agents with.

use std::io::Read;
use std::time::Duration;

use assetsync_core::text;

use crate::channel::Channel;
use crate::error::TransportError;
use crate::timeout_io::TimedReader;

/// No more is read of what the command and the login shell print.
const LIMIT: u64 = 64 * 1024;

/// What a host says of itself, safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// `KERNEL-ARCH`, as agents are named.
    pub platform: String,
    /// The name of the login shell, such as `bash`; empty if it is not said.
    pub shell: String,
    /// Whether it has the XZ Utils.
    pub has_xz: bool,
}

impl HostFacts {
    /// The remote command line that prints them, for any login shell.
    pub fn command(nonce: &str) -> String {
        format!("exec /bin/sh -c '{SCRIPT}' sh {nonce}")
    }

    /// Reads what the command printed. `None` if it printed nothing of the kind.
    pub fn read(
        channel: Channel,
        nonce: &str,
        timeout: Duration,
    ) -> Result<Option<HostFacts>, TransportError> {
        let Channel { reader, writer, end } = channel;
        drop(writer);
        let failed = |source| TransportError::Io { host: end.host().to_owned(), source };
        let mut printed = Vec::new();
        let reader = TimedReader::new(reader, timeout).map_err(failed)?;
        reader.take(LIMIT).read_to_end(&mut printed).map_err(failed)?;
        Ok(parse(&String::from_utf8_lossy(&printed), nonce))
    }
}

/// Three words in one line, marked as the bootstrap's are. The platform is found as there.
const SCRIPT: &str = "if { read -r k < /proc/sys/kernel/ostype && read -r m < /proc/sys/kernel/arch; } \
    2> /dev/null; then p=$k-$m; else p=$(uname -sm); p=${p%% *}-${p##* }; fi; \
    case $(xz --version 2> /dev/null) in *liblzma*) x=xz ;; *) x=no ;; esac; \
    echo \"assetsync:$1:host $p $x ${SHELL##*/}\"";

fn parse(printed: &str, nonce: &str) -> Option<HostFacts> {
    let (_, rest) = printed.split_once(&format!("assetsync:{nonce}:host "))?;
    let mut words = rest.lines().next()?.split(' ');
    let mut word = || words.next().map(|word| text::line(word.as_bytes()));
    let (platform, xz, shell) = (word()?, word()?, word().unwrap_or_default());
    Some(HostFacts { platform, shell, has_xz: xz == "xz" })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::child_process::spawn;

    #[test]
    fn it_is_read_among_what_login_shells_print() {
        let printed = "Welcome!\nassetsync:00:host Linux-aarch64 xz zsh\nbye\n";
        let facts = parse(printed, "00").unwrap();
        assert_eq!((&*facts.platform, &*facts.shell, facts.has_xz), ("Linux-aarch64", "zsh", true));
        assert_eq!(parse(printed, "01"), None);
        assert_eq!(parse("assetsync:00:host Linux-x86_64", "00"), None);
        let odd = parse("assetsync:00:host \u{1b}[31m no", "00").unwrap();
        assert!(odd.platform.starts_with("\\") && odd.shell.is_empty() && !odd.has_xz, "{odd:?}");
    }

    #[test]
    fn every_login_shell_runs_it() {
        for shell in ["sh", "bash", "dash", "tcsh", "fish", "mksh", "zsh"] {
            let mut command = Command::new(shell);
            command.args(["-c", &HostFacts::command("00")]).env("SHELL", "/bin/somesh");
            let channel = spawn(command, "host").unwrap();
            let facts = HostFacts::read(channel, "00", Duration::from_secs(300)).unwrap().unwrap();
            assert!(facts.platform.ends_with(std::env::consts::ARCH), "{shell}: {facts:?}");
            assert_eq!(facts.shell, "somesh", "{shell}");
        }
    }
}
