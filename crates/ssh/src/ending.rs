//! Why a command ended, in words, as far as its exit status and signal tell.

/// The signals that end commands, by number.
const SIGNALS: [(i32, &str); 11] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (6, "ABRT"),
    (9, "KILL"),
    (11, "SEGV"),
    (13, "PIPE"),
    (15, "TERM"),
    (24, "XCPU"),
    (25, "XFSZ"),
];

/// The `ssh` program's own failures have this exit status. It has it, too, and prints nothing, if a
/// signal ended the command on the host.
pub(crate) const SSH_FAILED: i32 = 255;

/// The name of a signal, without `SIG`.
pub(crate) fn signal_name(number: i32) -> String {
    let known = SIGNALS.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// Why a command ended with this status, or by this signal.
pub(crate) fn ending(status: Option<i32>, signal: Option<&str>) -> String {
    // A shell that ran the command reports its signal so.
    let by_shell = status.filter(|status| (129..128 + 65).contains(status));
    let signal = signal.map(str::to_owned).or_else(|| by_shell.map(|s| signal_name(s - 128)));
    let hint = match signal.as_deref() {
        Some("KILL") => "; if the host ran out of memory, `dmesg` there says so",
        Some("XFSZ") => ", the limit for the size of files: see `ulimit -f` on the host",
        Some("XCPU") => ", the limit for processor time: see `ulimit -t` on the host",
        _ => "",
    };
    match (signal, status) {
        // What OpenSSH sends for signals that the SSH protocol has no name for.
        (Some(signal), _) if signal.contains('@') => {
            "killed by a signal that sshd does not name, such as those of limits for the size of \
             files and for processor time: see `ulimit -a` on the host"
                .to_owned()
        }
        (Some(signal), _) => format!("killed by SIG{signal}{hint}"),
        (None, Some(status)) => format!("exit status {status}"),
        (None, None) => "no exit status".to_owned(),
    }
}

/// What `ssh` does not say, if it failed without a word.
pub(crate) const SILENT_SSH: &str = "the ssh program ended without a message, as it does if a \
    signal ended the command on the host; if that ran out of memory, `dmesg` there says so";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_named_however_they_are_reported() {
        for (status, signal, expected) in [
            (None, Some("KILL"), "killed by SIGKILL; if the host ran out of memory, `dmesg`"),
            (Some(137), None, "killed by SIGKILL; if the host ran out of memory, `dmesg`"),
            (None, Some("XFSZ"), "killed by SIGXFSZ, the limit for the size of files"),
            (Some(153), None, "killed by SIGXFSZ, the limit for the size of files"),
            (Some(143), None, "killed by SIGTERM"),
            (None, Some("50"), "killed by SIG50"),
            (None, Some("SIG@openssh.com"), "killed by a signal that sshd does not name"),
            (Some(3), None, "exit status 3"),
            (Some(128), None, "exit status 128"),
            (Some(255), None, "exit status 255"),
            (None, None, "no exit status"),
        ] {
            let said = ending(status, signal);
            assert!(said.starts_with(expected), "{status:?} {signal:?}: {said}");
        }
    }
}
