//! Measures the agent statistics.

use std::os::fd::BorrowedFd;

use assetsync_core::protocol::AgentStatistics;

/// Peak memory, free space on the file system of `dir`, and the number of files read, which the
/// caller counts.
pub fn read(dir: Option<BorrowedFd<'_>>, files_read: u64) -> AgentStatistics {
    AgentStatistics {
        peak_rss_bytes: peak_rss_bytes().unwrap_or(0),
        free_bytes: dir.and_then(free_bytes),
        files_read,
        ..AgentStatistics::default()
    }
}

/// Bytes that this user may still write on the file system of `dir`. Many network and FUSE file
/// systems report zeros or more free blocks than blocks; then it is unknown.
pub fn free_bytes(dir: BorrowedFd<'_>) -> Option<u64> {
    let stat = rustix::fs::fstatvfs(dir).ok()?;
    is_plausible(stat.f_frsize, stat.f_blocks, stat.f_bavail)
        .then(|| stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn is_plausible(block_bytes: u64, blocks: u64, available: u64) -> bool {
    block_bytes > 0 && blocks > 0 && available <= blocks
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implausible_free_space_counts_as_unknown() {
        let rows = [
            (4096, 100, 0, true),
            (4096, 100, 100, true),
            (4096, 0, 0, false),
            (0, 100, 50, false),
            (4096, 100, u64::MAX, false),
        ];
        for (block_bytes, blocks, available, expected) in rows {
            let found = is_plausible(block_bytes, blocks, available);
            assert_eq!(found, expected, "{block_bytes} {blocks} {available}");
        }
    }

    #[test]
    fn the_free_space_of_the_root_file_system_is_known() {
        let root = std::fs::File::open("/").unwrap();
        assert!(free_bytes(std::os::fd::AsFd::as_fd(&root)).is_some());
    }
}
