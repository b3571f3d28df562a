//! Directories in which a push never deletes anything: no web root can be there, so a push with
//! deletes to one of them is a mistake.
//!
//! The rules are the same for an agent, which identifies directories by device and inode, and over
//! SFTP, where only their path without symlinks is known.

/// Why nothing is deleted in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Protected {
    /// A home directory of the user.
    #[error("it is the home directory of the user")]
    Home,
    /// A directory above it.
    #[error("the home directory of the user is in it")]
    AboveHome,
    /// One of `DIRECTORIES`.
    #[error("it belongs to the system")]
    System,
    /// One of `TREES`, or a directory somewhere in it.
    #[error("it is in a directory of the system")]
    InSystem,
}

/// Directories of the system. Web roots can be in them, such as `/srv/shop` or
/// `/usr/share/nginx/html`, but are not web roots themselves. `/var/www` is not among them: it is
/// the document root of some servers.
const DIRECTORIES: [&str; 28] = [
    "/",
    "/Applications",
    "/Library",
    "/System",
    "/Users",
    "/Volumes",
    "/dev",
    "/dev/shm",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/private",
    "/private/var",
    "/root",
    "/run",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/local",
    "/usr/local/lib",
    "/usr/local/share",
    "/usr/share",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/tmp",
];

/// Directories of the system that contain no web roots.
const TREES: [&str; 20] = [
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/private/etc",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
];

/// A directory, by its identity.
#[derive(Debug, Clone, Default)]
pub struct Place<I> {
    /// The directory itself; `None` if it is not there yet.
    pub itself: Option<I>,
    /// All directories above it.
    pub above: Vec<I>,
}

/// Why nothing is deleted in `place`; `None` if deleting is allowed. `identify` returns the
/// identity of a directory of the system, if it exists.
pub fn protected<I: PartialEq>(
    place: &Place<I>,
    homes: &[Place<I>],
    identify: impl Fn(&'static str) -> Option<I>,
) -> Option<Protected> {
    let is = |known: Option<&I>| known.is_some() && known == place.itself.as_ref();
    if homes.iter().any(|home| is(home.itself.as_ref())) {
        return Some(Protected::Home);
    }
    if DIRECTORIES.into_iter().chain(TREES).any(|path| is(identify(path).as_ref())) {
        return Some(Protected::System);
    }
    if homes.iter().flat_map(|home| &home.above).any(|above| is(Some(above))) {
        return Some(Protected::AboveHome);
    }
    let within = |path| identify(path).is_some_and(|tree| place.above.contains(&tree));
    TREES.into_iter().any(within).then_some(Protected::InSystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory by its path.
    fn at(path: &str) -> Place<String> {
        let ends = path.match_indices('/').map(|(at, _)| path[..at.max(1)].to_owned());
        let above = ends.filter(|above| above != path).collect();
        Place { itself: Some(path.to_owned()), above }
    }

    fn judge(path: &str, home: &str) -> Option<Protected> {
        protected(&at(path), &[at(home)], |system| Some(system.to_owned()))
    }

    #[test]
    fn homes_and_the_system_are_protected_and_web_roots_are_not() {
        use Protected::*;
        let table = [
            ("/", Some(System)),
            ("/home/u", Some(Home)),
            ("/home", Some(System)),
            ("/data/users/deep", Some(AboveHome)),
            ("/data", Some(AboveHome)),
            ("/etc", Some(System)),
            ("/etc/nginx/html", Some(InSystem)),
            ("/usr", Some(System)),
            ("/usr/lib/x86_64-linux-gnu", Some(InSystem)),
            ("/usr/local", Some(System)),
            ("/usr/local/bin", Some(System)),
            ("/usr/share", Some(System)),
            ("/var", Some(System)),
            ("/srv", Some(System)),
            ("/opt", Some(System)),
            ("/tmp", Some(System)),
            ("/root", Some(System)),
            ("/boot/grub", Some(InSystem)),
            ("/private/etc/apache2", Some(InSystem)),
            ("/srv/shop", None),
            ("/var/www", None),
            ("/var/www/html", None),
            ("/opt/shop/public", None),
            ("/usr/share/nginx/html", None),
            ("/usr/local/www/nginx", None),
            ("/home/u/site", None),
            ("/home/other", None),
            ("/data/other", None),
            ("/etcetera", None),
            ("/dev/shm/site", None),
        ];
        for (path, expected) in table {
            let home = if path.starts_with("/data") { "/data/users/deep/u" } else { "/home/u" };
            assert_eq!(judge(path, home), expected, "{path}");
        }
    }

    #[test]
    fn a_directory_is_protected_under_another_name() {
        // `/bin` is a link to `/usr/bin`, and the home directory is on another disk.
        let identify = |path: &str| (path == "/bin").then(|| "/other/bin".to_owned());
        assert_eq!(protected(&at("/other/bin"), &[], identify), Some(Protected::System));
        assert_eq!(protected(&at("/other/bin/x"), &[], identify), Some(Protected::InSystem));
        assert_eq!(protected(&at("/other"), &[], identify), None);
    }

    #[test]
    fn a_missing_directory_is_protected_in_a_system_tree() {
        let new = |path: &str| Place { itself: None, ..at(path) };
        let judge = |place| protected(&place, &[new("/home/u")], |path| Some(path.to_owned()));
        assert_eq!(judge(new("/etc/new")), Some(Protected::InSystem));
        assert_eq!(judge(new("/srv/new")), None);
    }

    #[test]
    fn the_lists_are_sorted_without_duplicates() {
        assert!(DIRECTORIES.is_sorted() && TREES.is_sorted());
        assert!(TREES.iter().all(|tree| !DIRECTORIES.contains(tree)));
    }
}
