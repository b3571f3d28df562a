//! Mode changes in rsync's syntax (`--chmod`): which permission bits files and directories get,
//! whatever they have in the source.
//!
//! Clauses are separated by commas: octal (`D755`, `F644`) or symbolic (`u=rwX`, `go-w`), each for
//! directories (`D`), for files (`F`), or both. Where a symbolic one names no users, it changes
//! what a umask of 022 allows, on every machine. Bits that a push never sets (set-user-id,
//! set-group-id, sticky, write permission for all) stay off.

use std::str::FromStr;

use assetsync_core::entry::CARRIED_MODE;

/// What is changed where a clause names no users.
const UMASK: u32 = 0o022;

/// Mode changes, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chmod(Vec<Clause>);

/// Text that is no mode change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a mode change: write for example D755, F644, u=rwX or go-w", assetsync_core::text::line(.0.as_bytes()))]
pub struct ChmodError(pub String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clause {
    only: Option<Only>,
    op: Op,
    /// One digit of an octal mode for each kind of user that is changed.
    users: u32,
    bits: Bits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Remove,
    Set,
}

/// The permissions that are added, removed or set, of one kind of user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bits {
    /// All of an octal mode, of all users.
    Octal(u32),
    /// These, of the users that a umask allows, if none were named; execute permission perhaps only
    /// where there is some, and of directories.
    Letters { bits: u32, allowed: u32, is_conditional: bool },
    /// Those of another kind of user, which stand so many bits higher in a mode.
    Copied(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Dirs,
    Files,
}

impl FromStr for Chmod {
    type Err = ChmodError;

    /// Reads clauses, separated by commas.
    fn from_str(given: &str) -> Result<Chmod, ChmodError> {
        let clauses = given.split(',');
        let parsed = clauses.map(|text| clause(text).ok_or_else(|| ChmodError(text.into())));
        parsed.collect::<Result<_, _>>().map(Chmod)
    }
}

impl Chmod {
    /// The mode of a file or directory whose mode is `mode` in the source.
    pub(crate) fn apply(&self, mode: u32, is_dir: bool) -> u32 {
        let may_execute = is_dir || mode & 0o111 != 0;
        let changed = self.0.iter().fold(mode, |mode, clause| {
            let is_meant = clause.only.is_none_or(|only| (only == Only::Dirs) == is_dir);
            if is_meant { clause.apply(mode, may_execute) } else { mode }
        });
        changed & CARRIED_MODE
    }
}

impl Clause {
    fn apply(self, mode: u32, may_execute: bool) -> u32 {
        let bits = match self.bits {
            Bits::Octal(mode) => return mode,
            Bits::Copied(shift) => self.users * ((mode >> shift) & 7),
            Bits::Letters { bits, allowed, is_conditional } => {
                let withheld = is_conditional && !may_execute && self.op != Op::Remove;
                let bits = if withheld { bits & !1 } else { bits };
                (self.users * bits) & allowed
            }
        };
        match self.op {
            Op::Add => mode | bits,
            Op::Remove => mode & !bits,
            Op::Set => (mode & !(self.users * 7)) | bits,
        }
    }
}

fn clause(text: &str) -> Option<Clause> {
    let rest = text.trim_start_matches(['D', 'F']);
    let only = match &text[..text.len() - rest.len()] {
        "" => None,
        kinds if kinds.bytes().all(|kind| kind == b'D') => Some(Only::Dirs),
        kinds if kinds.bytes().all(|kind| kind == b'F') => Some(Only::Files),
        _ => return None,
    };
    if rest.starts_with(|first: char| first.is_digit(8)) {
        let mode = u32::from_str_radix(rest, 8).ok().filter(|mode| *mode <= 0o7777)?;
        return Some(Clause { only, op: Op::Set, users: 0o111, bits: Bits::Octal(mode) });
    }
    let at = rest.find(['+', '-', '='])?;
    let op = match rest.as_bytes()[at] {
        b'+' => Op::Add,
        b'-' => Op::Remove,
        _ => Op::Set,
    };
    let (users, allowed) = match users(&rest[..at])? {
        0 => (0o111, !UMASK),
        users => (users, !0),
    };
    Some(Clause { only, op, users, bits: bits(&rest[at + 1..], allowed)? })
}

/// One digit of an octal mode for each kind of user that is named.
fn users(text: &str) -> Option<u32> {
    text.bytes().try_fold(0, |users, user| match user {
        b'u' => Some(users | 0o100),
        b'g' => Some(users | 0o010),
        b'o' => Some(users | 0o001),
        b'a' => Some(users | 0o111),
        _ => None,
    })
}

fn bits(text: &str, allowed: u32) -> Option<Bits> {
    if let Some(place) = ["o", "g", "u"].iter().position(|user| *user == text) {
        return Some(Bits::Copied(place as u32 * 3));
    }
    let (mut bits, mut is_conditional) = (0, false);
    for letter in text.bytes() {
        is_conditional |= letter == b'X';
        bits |= match letter {
            b'r' => 4,
            b'w' => 2,
            b'x' | b'X' => 1,
            // A push never sets these.
            b's' | b't' => 0,
            _ => return None,
        };
    }
    Some(Bits::Letters { bits, allowed, is_conditional })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str, mode: u32, is_dir: bool) -> u32 {
        text.parse::<Chmod>().unwrap().apply(mode, is_dir)
    }

    #[test]
    fn modes_are_changed_as_by_rsync() {
        for (text, mode, of_file, of_dir) in [
            ("D755,F644", 0o600, 0o644, 0o755),
            ("u=rwX,go=rX", 0o600, 0o644, 0o755),
            ("u=rwX,go=rX", 0o711, 0o755, 0o755),
            ("go-w", 0o775, 0o755, 0o755),
            ("Dg+w,F-x", 0o755, 0o644, 0o775),
            ("a+r", 0o600, 0o644, 0o644),
            ("+w", 0o444, 0o644, 0o644),
            ("o=", 0o775, 0o770, 0o770),
            ("640", 0o777, 0o640, 0o640),
            ("D2775,ug=rwx,o=rx", 0o600, 0o775, 0o775),
            ("4777", 0o600, 0o775, 0o775),
            ("g=u", 0o711, 0o771, 0o771),
            ("a=X", 0o600, 0, 0o111),
        ] {
            assert_eq!(applied(text, mode, false), of_file, "{text} of a file");
            assert_eq!(applied(text, mode, true), of_dir, "{text} of a directory");
        }
        assert_eq!(Chmod::default().apply(0o751, true), 0o751);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "D", "DF755", "888", "77777", "u", "u+q", "x", "u=rw+x", "D755,", "755x"] {
            assert!(text.parse::<Chmod>().is_err(), "{text}");
        }
    }
}
