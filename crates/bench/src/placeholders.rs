//! The placeholders in the commands of competitors.

use std::path::Path;

use crate::error::{Error, Result};

/// The values of the placeholders in one run.
#[derive(Debug, Clone)]
pub(crate) struct Placeholders<'a> {
    /// The directory to push.
    pub(crate) src: &'a str,
    /// The host, by its name in the configuration.
    pub(crate) host: &'a str,
    /// The directory on it.
    pub(crate) path: &'a str,
    /// The ssh configuration to reach it with.
    pub(crate) config: &'a str,
    /// The assetsync program.
    pub(crate) assetsync: &'a Path,
}

impl Placeholders<'_> {
    /// `command` with these values.
    pub(crate) fn expand(&self, command: &str) -> String {
        let pairs = [
            ("{src}", self.src.to_owned()),
            ("{dest}", format!("{}:{}", self.host, self.path)),
            ("{host}", self.host.to_owned()),
            ("{path}", self.path.to_owned()),
            ("{ssh}", format!("ssh -F {}", self.config)),
            ("{config}", self.config.to_owned()),
            // Last, as only this one may hold anything.
            ("{assetsync}", quoted(&self.assetsync.to_string_lossy())),
        ];
        pairs.iter().fold(command.to_owned(), |line, (name, value)| line.replace(name, value))
    }
}

/// `word` as one word of a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// `path` as text, if it is the same in every shell, quoted or not.
pub(crate) fn plain(path: &Path, hint: &'static str) -> Result<String> {
    let text = path.to_string_lossy();
    let fine = |c: char| c.is_ascii_alphanumeric() || "/._-+=@%,".contains(c);
    match path.to_str() {
        Some(text) if text.chars().all(fine) => Ok(text.to_owned()),
        _ => Err(Error::Path { path: text.into_owned(), hint }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced() {
        let placeholders = Placeholders {
            src: "/s",
            host: "h",
            path: "/p",
            config: "/c",
            assetsync: Path::new("/it's {src}"),
        };
        let line = placeholders.expand("{assetsync} -e '{ssh}' {src}/ {dest}/ {host} {path} ${x}");
        assert_eq!(line, "'/it'\\''s {src}' -e 'ssh -F /c' /s/ h:/p/ h /p ${x}");
    }

    #[test]
    fn paths_that_shells_would_read_otherwise_are_refused() {
        assert_eq!(plain(Path::new("/tmp/a-b_1.c"), "").unwrap(), "/tmp/a-b_1.c");
        for path in ["/a b", "/a'b", "/$x", "/a\nb", "/ü", "/a;b"] {
            let error = plain(Path::new(path), "set TMPDIR").unwrap_err().to_string();
            assert!(error.ends_with("set TMPDIR"), "{error}");
        }
    }
}
