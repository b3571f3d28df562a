//! The work directory of a destination whose parent can't be written: inside it, where a web server
//! that runs as the same user would serve its files.
//!
//! `.assetsync` then has a directory with a random name, which nobody can ask for, and everything
//! is in that. Beside it are only the lock, and an empty file once a push has completed.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use assetsync_core::work_names::{INDEX, PUSHED};
use assetsync_tree::open_dir;
use rustix::fs::{AtFlags, Dir, Mode, mkdirat, renameat, statat};

use super::sharing::{Sharing, create_file};

const NAME_BYTES: usize = 32;

/// Files of an earlier version that stay outside.
const OUTSIDE: [&str; 5] = [".", "..", "lock", "lock.held", PUSHED];

/// Finds the hidden directory, if there is one: its name.
pub fn find(outer: BorrowedFd<'_>) -> io::Result<Option<String>> {
    let is_name = |name: &str| {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        name.len() == NAME_BYTES && name.bytes().all(is_hex)
    };
    for item in Dir::read_from(outer)? {
        let name = item?.file_name().to_string_lossy().into_owned();
        if is_name(&name) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Opens the hidden directory; makes it if there is none, and moves what an earlier version kept
/// outside into it. Returns its name, too.
pub fn open(outer: BorrowedFd<'_>, sharing: &Sharing) -> io::Result<(String, OwnedFd)> {
    if let Some(name) = find(outer)? {
        let dir = open_dir(outer, name.as_bytes())?;
        return Ok((name, dir));
    }
    let name = random_name();
    mkdirat(outer, &name, Mode::RWXU)?;
    let dir = open_dir(outer, name.as_bytes())?;
    if statat(outer, INDEX, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        create_file(outer, PUSHED)?;
    }
    for item in Dir::read_from(outer)? {
        let item = item?;
        let is_outside =
            OUTSIDE.iter().any(|outside| outside.as_bytes() == item.file_name().to_bytes());
        if !is_outside && item.file_name().to_bytes() != name.as_bytes() {
            renameat(outer, item.file_name(), &dir, item.file_name())?;
        }
    }
    sharing.apply(dir.as_fd())?;
    Ok((name, dir))
}

/// A name that nobody can guess: the keys of these hashers are random.
fn random_name() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
