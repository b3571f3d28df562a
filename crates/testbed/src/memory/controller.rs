//! The kernel interfaces to memory limits: cgroup v1 and v2.

use std::fs;
use std::path::{Path, PathBuf};

/// One of the two interfaces, with its file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Controller {
    /// The directory of groups.
    pub(super) root: &'static str,
    /// The file that takes the limit.
    pub(super) limit: &'static str,
    /// Files that keep the group from swapping instead, and what to write; not every kernel has
    /// them.
    pub(super) no_swap: (&'static str, Swap),
    /// The file with the peak.
    pub(super) peak: &'static str,
    /// The file with the line `oom_kill N`.
    pub(super) kills: &'static str,
}

/// How an interface limits swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swap {
    /// Memory and swap together, so the limit is the same as for memory.
    WithMemory,
    /// Swap alone, so the limit is nothing.
    Alone,
}

/// The memory controller of cgroup v1.
const V1: Controller = Controller {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    no_swap: ("memory.memsw.limit_in_bytes", Swap::WithMemory),
    peak: "memory.max_usage_in_bytes",
    kills: "memory.oom_control",
};

/// The memory controller of cgroup v2.
const V2: Controller = Controller {
    root: "/sys/fs/cgroup",
    limit: "memory.max",
    no_swap: ("memory.swap.max", Swap::Alone),
    peak: "memory.peak",
    kills: "memory.events",
};

impl Controller {
    /// The interface of this machine.
    pub(super) fn here() -> Result<Self, String> {
        if Path::new(V1.root).join(V1.limit).exists() {
            return Ok(V1);
        }
        let offered = fs::read_to_string(Path::new(V2.root).join("cgroup.controllers"))
            .map_err(|error| format!("no cgroup file system under {}: {error}", V2.root))?;
        if !offered.split_whitespace().any(|name| name == "memory") {
            return Err("cgroup v2 without its memory controller".to_owned());
        }
        // Groups get a controller's files only once their parent hands it on; where it does
        // already, or may not, making the group shows.
        let _ = fs::write(Path::new(V2.root).join("cgroup.subtree_control"), "+memory");
        Ok(V2)
    }

    /// The value that keeps a group of `limit` bytes from swapping.
    pub(super) fn swap_limit(&self, limit: u64) -> u64 {
        match self.no_swap.1 {
            Swap::WithMemory => limit,
            Swap::Alone => 0,
        }
    }

    /// The directory of the group `name`.
    pub(super) fn group(&self, name: &str) -> PathBuf {
        Path::new(self.root).join(name)
    }
}

/// The number on the line `key N` of a statistics file.
pub(super) fn count_of(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kill_count_is_found_among_its_like() {
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        let v2 = "low 0\nhigh 0\nmax 9\noom 4\noom_kill 2\noom_group_kill 0\n";
        assert_eq!(count_of(v1, "oom_kill"), Some(3));
        assert_eq!(count_of(v2, "oom_kill"), Some(2));
        assert_eq!(count_of("", "oom_kill"), None);
    }

    #[test]
    fn swap_is_closed_the_way_each_interface_counts_it() {
        assert_eq!(V1.swap_limit(7), 7);
        assert_eq!(V2.swap_limit(7), 0);
    }
}
