//! The user that the agent runs as on a host, if that is not the one that logs in.

use std::fmt;
use std::str::FromStr;

/// The longest user name, in bytes.
const MAX_BYTES: usize = 64;

/// A user to become on a host, by `sudo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs(String);

/// A text that is no user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name has up to {MAX_BYTES} letters, digits and . _ - and begins with none of . -")]
pub struct InvalidUser;

impl RunAs {
    /// The words before a command line that run it as this user. `-n` makes sudo fail where it
    /// would ask for a password; `-H` sets the home directory.
    pub(crate) fn prefix(&self) -> String {
        format!("sudo -n -H -u {} ", self.0)
    }
}

impl FromStr for RunAs {
    type Err = InvalidUser;

    /// Accepts what needs no quotes in any shell.
    fn from_str(user: &str) -> Result<RunAs, InvalidUser> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let begins = user.bytes().next().is_some_and(|byte| !b".-".contains(&byte));
        let fine = begins && user.len() <= MAX_BYTES && user.bytes().all(allowed);
        if fine { Ok(RunAs(user.to_owned())) } else { Err(InvalidUser) }
    }
}

impl fmt::Display for RunAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_shell_would_read_otherwise_are_refused() {
        for name in ["www-data", "deploy", "_www", "a.b", "1001"] {
            assert_eq!(name.parse::<RunAs>().map(|user| user.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "-u", ".x", "a b", "a;b", "$USER", "a\nb", "#0", "ä", &"a".repeat(65)] {
            assert_eq!(name.parse::<RunAs>(), Err(InvalidUser), "{name}");
        }
    }
}
