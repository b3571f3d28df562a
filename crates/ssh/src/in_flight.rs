//! How much may be under way to a command on an OpenSSH server.
//!
//! What a command has not read yet waits in sshd, up to the window of 2 MiB, in one buffer. With
//! every packet by which that grows, sshd allocates it anew and copies it (`sshbuf_reserve` of
//! OpenSSH 9): a command that is slower than a quick line costs its server processor time, and 4 MB
//! of memory. So no more is sent ahead than keeps the line busy.

use std::time::Duration;

/// What may be under way whatever the line, in bytes. OpenSSH opens the window again after three
/// packets of 32 KiB (`channel_check_window`).
const LEAST: u64 = 256 * 1024;

/// Lines are kept busy up to this rate, in bytes per second.
const FASTEST_LINE: f64 = 125e6;

/// Bytes that were sent and not read yet, as far as the window of the host tells.
#[derive(Debug)]
pub(crate) struct InFlight {
    most: Option<u64>,
    /// The widest window so far.
    widest: u64,
}

impl InFlight {
    /// For a host that shows this SSH banner and answers after `response`.
    ///
    /// Other servers than OpenSSH may open their window only when half of it is used up, so nothing
    /// else limits what is sent to them.
    pub(crate) fn to_host(banner: Option<&str>, response: Duration) -> InFlight {
        let is_openssh = banner.is_some_and(|banner| banner.starts_with("SSH-2.0-OpenSSH_"));
        let busy_line = (response.as_secs_f64() * FASTEST_LINE) as u64;
        InFlight { most: is_openssh.then(|| LEAST + busy_line), widest: 0 }
    }

    /// How many bytes may be sent now, if that many are left of the host's window.
    pub(crate) fn room(&mut self, window: u32) -> usize {
        let window = u64::from(window);
        self.widest = self.widest.max(window);
        let Some(most) = self.most else { return usize::MAX };
        most.saturating_sub(self.widest - window).try_into().unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENSSH: Option<&str> = Some("SSH-2.0-OpenSSH_9.2p1 Debian-2");
    const WINDOW: u32 = 2 << 20;

    #[test]
    fn no_more_is_sent_ahead_to_openssh_than_keeps_the_line_busy() {
        let mut near = InFlight::to_host(OPENSSH, Duration::from_millis(1));
        let most = (LEAST + 125_000) as usize;
        assert_eq!(near.room(WINDOW), most);
        assert_eq!(near.room(WINDOW - 100_000), most - 100_000);
        assert_eq!(near.room(WINDOW - most as u32), 0);
        assert_eq!(near.room(WINDOW - 2 * most as u32), 0);
        assert_eq!(near.room(WINDOW), most);
        let mut far = InFlight::to_host(OPENSSH, Duration::from_millis(20));
        assert!(far.room(WINDOW) > WINDOW as usize);
    }

    #[test]
    fn a_window_that_opens_later_is_not_taken_for_one_that_was_used() {
        let mut near = InFlight::to_host(OPENSSH, Duration::ZERO);
        assert_eq!(near.room(0), LEAST as usize);
        assert_eq!(near.room(WINDOW), LEAST as usize);
    }

    #[test]
    fn other_servers_get_what_their_window_allows() {
        for banner in [None, Some("SSH-2.0-dropbear_2022.83"), Some("SSH-2.0-Go")] {
            let mut in_flight = InFlight::to_host(banner, Duration::ZERO);
            assert_eq!(in_flight.room(WINDOW), usize::MAX);
            assert_eq!(in_flight.room(1), usize::MAX);
        }
    }
}
