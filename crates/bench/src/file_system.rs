//! Where the trees of a race are: on a disk, as those of a web server, and on which file system.

use std::fs;
use std::path::{Path, PathBuf};

/// File systems that are memory. A sync costs nothing there.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// The directory that temporary files survive a restart in.
const ON_DISK: &str = "/var/tmp";

/// Where the trees are put: the directory for temporary files, but if nobody chose it and it is
/// memory, one on a disk.
pub(crate) fn scratch_parent() -> PathBuf {
    let temporary = std::env::temp_dir();
    let chosen = std::env::var_os("TMPDIR").is_some();
    let is_memory = name(&temporary).is_some_and(|name| IN_MEMORY.contains(&name.as_str()));
    match is_memory && !chosen && Path::new(ON_DISK).is_dir() {
        true => ON_DISK.into(),
        false => temporary,
    }
}

/// The name of the file system of a directory, where the system tells.
pub(crate) fn name(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    in_table(&fs::read_to_string("/proc/self/mounts").ok()?, &dir)
}

/// The type of the last mount in a table whose mount point holds `dir` most closely.
fn in_table(table: &str, dir: &Path) -> Option<String> {
    let mounts = table.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?.replace("\\040", " "), fields.next()?))
    });
    let above = mounts.filter(|(point, _)| dir.starts_with(point));
    let closest = above.max_by_key(|(point, _)| Path::new(point).components().count());
    closest.map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_and_latest_mount_counts() {
        let table = "/dev/sda1 / ext4 rw 0 0\n\
                     tmpfs /tmp tmpfs rw 0 0\n\
                     /dev/sdb1 /srv/my\\040disk xfs rw 0 0\n\
                     /dev/sdc1 /tmp btrfs rw 0 0\n";
        let rows = [
            ("/home/x", Some("ext4")),
            ("/tmp/a", Some("btrfs")),
            ("/tmpfile", Some("ext4")),
            ("/srv/my disk/a", Some("xfs")),
        ];
        for (dir, expected) in rows {
            assert_eq!(in_table(table, Path::new(dir)).as_deref(), expected, "{dir}");
        }
        assert_eq!(in_table("", Path::new("/")), None);
    }
}
