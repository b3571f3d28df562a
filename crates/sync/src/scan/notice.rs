//! What the user should know of paths of the source.

use std::collections::HashMap;
use std::fmt;

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::path::RelPath;
use assetsync_core::text;

/// A path of the source that is not pushed though no filter excludes it, or that is not what it
/// seems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanNotice {
    /// The path. Nothing below a directory that is not pushed is pushed either.
    pub path: RelPath,
    /// What is to be known of it.
    pub about: About,
}

/// What is to be known of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A FIFO, socket or device: never opened, not pushed.
    Special,
    /// A name reserved for work directories: not pushed.
    Reserved,
    /// A symlink that leads out of the source: not pushed, as the caller wants.
    UnsafeLink,
    /// A symlink that leads out of the source: pushed as it is.
    OutsideLink {
        /// Where it leads to.
        target: Vec<u8>,
        /// Number of other such links.
        others: usize,
    },
    /// Only its owner can read it, wherever it is pushed to: another user's web server answers 403.
    Private {
        /// Number of other such paths.
        others: usize,
    },
    /// What hardly belongs on a web server: version control, settings with passwords, private keys,
    /// dumps of databases. It is pushed.
    Sensitive {
        /// Number of other such paths.
        others: usize,
    },
    /// Another path differs only in case. Both are pushed.
    CaseOnly {
        /// The other path.
        other: RelPath,
        /// Number of other such pairs.
        others: usize,
    },
}

impl ScanNotice {
    /// What visitors should not get.
    pub(crate) fn of_sensitive(entries: &[Entry]) -> Option<ScanNotice> {
        let mut sensitive = entries.iter().filter(|entry| is_sensitive(entry));
        let path = sensitive.next()?.path.clone();
        Some(ScanNotice { path, about: About::Sensitive { others: sensitive.count() } })
    }

    /// Names that are one to many file systems, and to people who type them.
    pub(crate) fn of_case(entries: &[Entry]) -> Option<ScanNotice> {
        let (mut seen, mut first, mut others) = (HashMap::new(), None, 0);
        for entry in entries {
            let folded = String::from_utf8_lossy(entry.path.as_bytes()).to_lowercase();
            match (seen.insert(folded, &entry.path), &first) {
                (Some(other), None) => first = Some((entry.path.clone(), other.clone())),
                (Some(_), Some(_)) => others += 1,
                (None, _) => {}
            }
        }
        first.map(|(path, other)| ScanNotice { path, about: About::CaseOnly { other, others } })
    }

    /// What a build under a strict umask comes to.
    pub(crate) fn of_private(entries: &[Entry]) -> Option<ScanNotice> {
        let is_private = |entry: &&Entry| match entry.kind {
            Kind::File { .. } => entry.mode & 0o044 == 0,
            Kind::Dir => entry.mode & 0o011 == 0,
            _ => false,
        };
        let mut private = entries.iter().filter(is_private);
        let path = private.next()?.path.clone();
        Some(ScanNotice { path, about: About::Private { others: private.count() } })
    }
}

/// Whether a path's name is that of something secret. Only the top of a directory counts.
fn is_sensitive(entry: &Entry) -> bool {
    let name = String::from_utf8_lossy(entry.path.file_name()).to_ascii_lowercase();
    if entry.kind == Kind::Dir {
        return SENSITIVE_DIRS.contains(&name.as_str());
    }
    let is_settings = name == ".env" || name.starts_with(".env.");
    let is_sample = [".example", ".sample", ".template"].iter().any(|end| name.ends_with(end));
    let plain = name.trim_end_matches(".gz").trim_end_matches(".bz2").trim_end_matches(".xz");
    SENSITIVE_FILES.contains(&name.as_str())
        || is_settings && !is_sample
        || SENSITIVE_ENDS.iter().any(|end| plain.ends_with(end))
}

const SENSITIVE_DIRS: [&str; 5] = [".git", ".svn", ".hg", ".ssh", ".aws"];

const SENSITIVE_FILES: [&str; 12] = [
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "master.key",
    ".htpasswd",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".bash_history",
];

/// Keys and dumps.
const SENSITIVE_ENDS: [&str; 9] =
    [".pem", ".key", ".p12", ".pfx", ".jks", ".sql", ".dump", ".sqlite3", ".kdbx"];

impl fmt::Display for ScanNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScanNotice { path, about } = self;
        match about {
            About::Special => write!(f, "{path} is a FIFO, socket or device and is not pushed"),
            About::Reserved => write!(
                f,
                "{path} is not pushed: .assetsync and .assetsync-* are names of assetsync's work \
                 directories"
            ),
            About::Private { others } => {
                let count = others + 1;
                let noun = if count == 1 { "path" } else { "paths" };
                write!(
                    f,
                    "{count} {noun} of the source can be read by the owner alone, so not by a web \
                     server that runs as another user ({path})"
                )
            }
            About::Sensitive { others } => {
                let more = if *others > 0 { format!(" and {others} more") } else { String::new() };
                write!(f, "{path}{more} hardly belongs on a web server, and is pushed")
            }
            About::CaseOnly { other, others } => {
                let more = match others {
                    0 => String::new(),
                    _ => format!(", and {others} more pairs"),
                };
                write!(
                    f,
                    "{other} and {path} differ only in case{more}: on macOS and Windows they are one \
                     file"
                )
            }
            About::UnsafeLink => write!(f, "{path} is a link out of the source and is not pushed"),
            About::OutsideLink { target, others } => {
                let (target, verb) = (text::name(target), "on a host it leads to what is there");
                match others {
                    0 => write!(f, "{path} is a link out of the source, to {target}; {verb}"),
                    _ => write!(
                        f,
                        "{path} and {others} more are links out of the source ({path} to \
                         {target}); {verb}"
                    ),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Mtime;

    use super::*;

    fn entries(names: &[&str]) -> Vec<Entry> {
        let entry = |name: &&str| {
            let kind = if name.ends_with('/') { Kind::Dir } else { Kind::File { size: 1 } };
            let path = RelPath::new(name.trim_end_matches('/').as_bytes()).unwrap();
            Entry { path, kind, mode: 0o755, mtime: Mtime::default() }
        };
        names.iter().map(entry).collect()
    }

    #[test]
    fn what_hardly_belongs_on_a_web_server_is_found() {
        for name in [
            ".git/",
            "a/.git/",
            ".env",
            "a/.env.production",
            "id_rsa",
            "config/master.key",
            "server.PEM",
            "db.sql",
            "dump.sql.gz",
            "prod.sqlite3",
            ".htpasswd",
        ] {
            let found = ScanNotice::of_sensitive(&entries(&["app.js", name]));
            let text = found.unwrap_or_else(|| panic!("{name}")).to_string();
            assert!(text.contains("hardly belongs on a web server"), "{text}");
        }
        for name in [
            ".env.example",
            ".github/",
            "git/",
            "keys.js",
            "a.pem.html",
            ".well-known/",
            "id_rsa.pub",
        ] {
            assert_eq!(ScanNotice::of_sensitive(&entries(&[name])), None, "{name}");
        }
    }

    #[test]
    fn names_that_differ_in_case_are_found() {
        let text = |names| ScanNotice::of_case(&entries(names)).map(|notice| notice.to_string());
        assert_eq!(text(&["a.js", "b.js", "d/A.js"]), None);
        let found = text(&["App.css", "a.js", "app.css", "É.js", "é.js"]).unwrap();
        assert!(
            found.starts_with("App.css and app.css differ only in case, and 1 more"),
            "{found}"
        );
    }
}
