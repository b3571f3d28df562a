//! Peak memory of a running process.

use std::fs;

/// The peak resident memory of process `pid` in bytes; nothing once it has ended.
///
/// This is the kernel's `VmHWM`, which includes peaks between two calls: one call shortly before
/// the end is enough.
#[must_use]
pub fn peak_rss_of(pid: u32) -> Option<u64> {
    fs::read_to_string(format!("/proc/{pid}/status")).ok().and_then(|status| peak_in(&status))
}

/// The peak that a `status` file gives, in bytes.
fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak_in("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2 << 20));
        assert_eq!(peak_in("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn a_process_sees_its_own_allocation() {
        let taken = vec![1_u8; 64 << 20];
        assert!(peak_rss_of(std::process::id()) >= Some(taken.len() as u64));
        assert_eq!(peak_rss_of(u32::MAX), None);
    }
}
