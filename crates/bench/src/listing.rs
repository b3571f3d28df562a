//! Compares trees: lists both in the same way and compares the lines.

use std::collections::BTreeSet;

use crate::error::{Error, ErrorContext, Result};
use crate::record::Outcome;
use crate::server_shell::{ServerShell, local_shell};

/// Prints a line for the content of each regular file, for each link and its target, and for the
/// mode of each file and directory below `$1`; nothing where there is no such directory. Names with
/// newlines come out escaped or as they are, but alike on both sides.
const LISTING: &str = "export LC_ALL=C; test -d \"$1\" || exit 0; cd \"$1\" && \
    find . -type f -exec sha256sum {} + && \
    find . -mindepth 1 -type f -exec stat -c \"file %a %n\" {} + && \
    find . -mindepth 1 -type d -exec stat -c \"dir %a %n\" {} + && \
    find . -mindepth 1 -type l -exec stat -c \"link %N\" {} + && \
    find . -mindepth 1 ! -type f ! -type d ! -type l -exec stat -c \"other %F %n\" {} +";

/// The content of a tree, in lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing(BTreeSet<String>);

impl Listing {
    /// Lists a directory of this machine.
    pub(crate) fn local(path: &str) -> Result<Listing> {
        let output = local_shell(LISTING, &[path]).output().doing("list", path)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let place = "this machine".to_owned();
            return Err(Error::Preparing { action: "list a tree", place, said });
        }
        Ok(Listing::read(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Lists a directory of the server; one that does not exist is empty.
    pub(crate) fn on_server(shell: &ServerShell, path: &str) -> Result<Listing> {
        shell.run("list a tree", LISTING, &[path]).map(|text| Listing::read(&text))
    }

    fn read(text: &str) -> Listing {
        Listing(text.lines().map(str::to_owned).collect())
    }

    /// Right if `found` is the same, else the differences.
    pub(crate) fn compare(&self, found: &Listing) -> Outcome {
        let mut differing = self.0.symmetric_difference(&found.0);
        match differing.clone().count() {
            0 => Outcome::Right,
            count => Outcome::Wrong {
                differences: count as u64,
                first: differing.next().map(|line| without_digest(line)).unwrap_or_default(),
            },
        }
    }
}

/// The path of a line of `sha256sum`; other lines as they are.
fn without_digest(line: &str) -> String {
    match line.split_once("  ") {
        Some((digest, path)) if digest.len() >= 64 => path.to_owned(),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn every_difference_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let list = |name: &str| Listing::local(dir.path().join(name).to_str().unwrap()).unwrap();
        let make = |name: &str| {
            let root = dir.path().join(name);
            fs::create_dir_all(root.join("d/e")).unwrap();
            fs::write(root.join("d/a b\n'c"), "1").unwrap();
            fs::write(root.join("f"), "2").unwrap();
            symlink("f", root.join("l")).unwrap();
            root
        };
        make("right");
        let right = list("right");
        type Change = fn(&std::path::Path);
        let changes: [(&str, Change); 6] = [
            ("content", |root| fs::write(root.join("f"), "3").unwrap()),
            ("gone", |root| fs::remove_file(root.join("d/a b\n'c")).unwrap()),
            ("mode", |root| {
                fs::set_permissions(root.join("d"), Permissions::from_mode(0o700)).unwrap()
            }),
            ("more", |root| fs::create_dir(root.join("x")).unwrap()),
            ("target", |root| {
                fs::remove_file(root.join("l")).unwrap();
                symlink("d", root.join("l")).unwrap();
            }),
            ("kind", |root| {
                fs::remove_file(root.join("l")).unwrap();
                fs::write(root.join("l"), "2").unwrap();
            }),
        ];
        make("same");
        assert_eq!(right.compare(&list("same")), Outcome::Right);
        for (name, change) in changes {
            change(&make(name));
            assert_ne!(right.compare(&list(name)), Outcome::Right, "{name}");
        }
    }

    #[test]
    fn the_first_difference_is_a_path() {
        let left = Listing::read(&format!("{}  ./a.js\ndir 755 ./d\n", "0".repeat(64)));
        let right = Listing::read("dir 755 ./d\n");
        let expected = Outcome::Wrong { differences: 1, first: "./a.js".into() };
        assert_eq!(left.compare(&right), expected);
    }
}
