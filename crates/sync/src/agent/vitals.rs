//! What an agent tells of itself and of the room it has.

use std::os::fd::BorrowedFd;

use crate::proto::Vitals;

/// Peak memory, room on the file system of `dir`, and the number of files read, which the caller counts.
pub fn read(dir: Option<BorrowedFd<'_>>, files_read: u64) -> Vitals {
    let stat = dir.and_then(|dir| rustix::fs::fstatvfs(dir).ok());
    let free_bytes = stat.map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    Vitals {
        peak_rss_bytes: peak_rss_bytes().unwrap_or(0),
        free_bytes,
        files_read,
        ..Vitals::default()
    }
}

/// The system's clock, in seconds since 1970 UTC.
pub fn clock_secs() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64)
}

/// `VmHWM` of this process in bytes.
#[cfg(target_os = "linux")]
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(not(target_os = "linux"))]
fn peak_rss_bytes() -> Option<u64> {
    None
}
