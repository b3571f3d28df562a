//! The key of a destination in a store.

use std::fmt;
use std::os::unix::ffi::OsStrExt;

use assetsync_core::protocol::put_bytes;
use assetsync_ssh::Target;

/// The key of a destination: a digest of how it is written, used as a file name.
///
/// Two spellings of one destination have two keys; a spelling that comes to mean another directory
/// keeps its key. Neither makes a push wrong: the cached state is compared with the destination's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DestinationKey([u8; 16]);

impl DestinationKey {
    /// The key of a target. `port` is used where the target names none.
    pub fn new(target: &Target, port: Option<u16>) -> DestinationKey {
        let mut text = Vec::new();
        match target {
            Target::Local(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                put_bytes(&mut text, b"local");
                put_bytes(&mut text, without_end(path.as_os_str().as_bytes()));
            }
            Target::Remote(remote) => {
                put_bytes(&mut text, b"ssh");
                put_bytes(&mut text, remote.user.as_deref().unwrap_or_default().as_bytes());
                put_bytes(&mut text, remote.host.to_ascii_lowercase().as_bytes());
                let port = remote.port.or(port).map(|port| port.to_string()).unwrap_or_default();
                put_bytes(&mut text, port.as_bytes());
                put_bytes(&mut text, without_end(remote.path.as_bytes()));
            }
        }
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(&text).as_bytes()[..16]);
        DestinationKey(key)
    }
}

impl DestinationKey {
    /// The key of what the destination was asked for, where it has something else.
    pub fn asked(&self) -> DestinationKey {
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(&[&self.0[..], b"asked"].concat()).as_bytes()[..16]);
        DestinationKey(key)
    }
}

/// A path without the slashes at its end, which make no difference.
fn without_end(path: &[u8]) -> &[u8] {
    let length = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    &path[..length.max(path.len().min(1))]
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::ffi::OsStr;

    use super::*;

    fn key(given: &str, port: Option<u16>) -> DestinationKey {
        DestinationKey::new(&Target::parse(OsStr::new(given)).unwrap(), port)
    }

    #[test]
    fn different_destinations_have_different_keys() {
        let written = [
            "h:p",
            "h:/p",
            "i:p",
            "u@h:p",
            "ssh://h:22/p",
            "ssh://h:23/p",
            "p",
            "/p",
            "/",
            "h:/",
            "h:p/q",
        ];
        let keys: HashSet<_> = written.iter().map(|given| key(given, None)).collect();
        assert_eq!(keys.len(), written.len());
        assert_ne!(key("h:p", Some(24)), key("h:p", None));
    }

    #[test]
    fn what_makes_no_difference_is_left_out() {
        assert_eq!(key("h:p/", None), key("H:p", None));
        assert_eq!(key("ssh://h:24/p", Some(25)), key("h:/p", Some(24)));
        let here = std::env::current_dir().unwrap().join("p/");
        assert_eq!(key("p", None), key(here.to_str().unwrap(), Some(1)));
        assert_eq!(key("p", None).to_string().len(), 32);
    }
}
