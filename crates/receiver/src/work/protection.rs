//! Finds out whether the destination is a directory in which nothing may be deleted.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use assetsync_core::protected::{Place, protected};

use crate::error::AgentError;

/// Bytes that are read of the list of users.
const USERS_BYTES: u64 = 4 << 20;

/// Device and inode.
type Id = (u64, u64);

/// Refuses a protected directory, even if it does not exist.
pub fn check(path: &Path) -> Result<(), AgentError> {
    let path = settled(path);
    let homes: Vec<Place<Id>> = homes().iter().map(|home| place(&settled(home))).collect();
    match protected(&place(&path), &homes, |path| identity(Path::new(path))) {
        Some(reason) => {
            let path = assetsync_core::text::path(&path);
            Err(AgentError::Protected { path, reason })
        }
        None => Ok(()),
    }
}

fn place(path: &Path) -> Place<Id> {
    let above = path.ancestors().skip(1).filter_map(identity).collect();
    Place { itself: identity(path), above }
}

fn identity(path: &Path) -> Option<Id> {
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// `path` without symlinks; components that do not exist yet are kept.
fn settled(path: &Path) -> PathBuf {
    let mut settled = std::env::current_dir().unwrap_or_default();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(settled.pop()),
            Component::CurDir => {}
            // The root replaces everything before it.
            part => settled.push(part),
        }
        if let Ok(real) = std::fs::canonicalize(&settled) {
            settled = real;
        }
    }
    settled
}

/// The home directories of the user: that of the environment, those in the list of users, and that
/// of the user who ran sudo.
fn homes() -> Vec<PathBuf> {
    let (real, effective) = (rustix::process::getuid(), rustix::process::geteuid());
    let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let users = [Some(real.as_raw()), Some(effective.as_raw()), sudo];
    let mut homes: Vec<PathBuf> = std::env::var_os("HOME").map(PathBuf::from).into_iter().collect();
    homes.extend(user_lines().filter_map(|line| home_of(&line, &users)));
    homes.retain(|home| home.is_absolute());
    homes
}

/// The home directory of the user called `name`, if the list of users has it.
pub fn home_of_user(name: &[u8]) -> Option<PathBuf> {
    let is_user = |line: &Vec<u8>| line.split(|&byte| byte == b':').next() == Some(name);
    let line = user_lines().find(is_user)?;
    let home = line.split(|&byte| byte == b':').nth(5)?;
    Some(PathBuf::from(OsString::from_vec(home.to_vec()))).filter(|home| home.is_absolute())
}

/// The lines of the list of users.
fn user_lines() -> impl Iterator<Item = Vec<u8>> {
    let list = File::open("/etc/passwd").into_iter();
    list.flat_map(|list| BufReader::new(list.take(USERS_BYTES)).split(b'\n').map_while(Result::ok))
}

/// The home directory in a line of the list of users, if it is about one of `users`.
fn home_of(line: &[u8], users: &[Option<u32>]) -> Option<PathBuf> {
    let mut fields = line.split(|&byte| byte == b':');
    let user = std::str::from_utf8(fields.nth(2)?).ok()?.parse().ok()?;
    let home = fields.nth(2)?;
    users.contains(&Some(user)).then(|| PathBuf::from(OsString::from_vec(home.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_read_from_the_list_of_users() {
        let users = [Some(1000), None];
        let home = |line: &str| home_of(line.as_bytes(), &users);
        assert_eq!(home("u:x:1000:1000:U,,,:/home/u:/bin/sh"), Some("/home/u".into()));
        for line in ["v:x:1001:1001::/home/v:/bin/sh", "", "u:x:1000:1000", "#:::", "u:x:?:1::/x:"]
        {
            assert_eq!(home(line), None, "{line}");
        }
    }

    #[test]
    fn symlinks_in_existing_components_are_resolved() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("there")).unwrap();
        std::fs::create_dir(root.join("there/deep")).unwrap();
        std::os::unix::fs::symlink("there", root.join("link")).unwrap();
        std::os::unix::fs::symlink("there/deep", root.join("far")).unwrap();
        for (given, expected) in [
            ("there", "there"),
            ("link/", "there"),
            ("link/new/x", "there/new/x"),
            ("new/..", ""),
            ("new/../there/../link", "there"),
            ("new/./deep/../..", ""),
            ("new/../far/..", "there"),
        ] {
            let expected: PathBuf = root.join(expected).components().collect();
            assert_eq!(settled(&root.join(given)), expected, "{given}");
        }
    }

    #[test]
    fn the_home_directory_is_protected_by_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let homes = homes();
        let home = homes
            .iter()
            .find(|home| home.is_dir())
            .expect("the user of the tests has a home directory");
        std::os::unix::fs::symlink(home, dir.path().join("link")).unwrap();
        for path in [home.clone(), home.join("new/.."), dir.path().join("link"), "/".into()] {
            let refused = check(&path).unwrap_err().to_string();
            assert!(refused.contains("nothing may be deleted"), "{refused}");
        }
        assert!(check(dir.path()).is_ok() && check(&home.join("new")).is_ok());
    }
}
