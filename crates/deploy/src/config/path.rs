//! Paths that a deploy may write to, and may not.

use super::problem::{Problem, refused};

/// A directory of a host, which commands and deletes will use: absolute, or below the login
/// directory.
pub(crate) fn server_dir(key: &str, text: &str) -> Result<(), Problem> {
    any(key, text)?;
    if text.starts_with(['~', '$']) {
        let hint = "no shell reads it; without a slash in front it starts at the login directory";
        return Err(refused(key, "begins with '~' or '$'", hint));
    }
    if depth(text) == 0 {
        let hint = "a deploy replaces and deletes files there; name the application's directory";
        let why =
            if text.starts_with('/') { "is the root directory" } else { "names no directory" };
        return Err(refused(key, why, hint));
    }
    Ok(())
}

/// A directory of this machine, of which all is pushed and which a deploy may delete again.
pub(crate) fn source_dir(key: &str, text: &str) -> Result<(), Problem> {
    any(key, text)?;
    match depth(text) {
        0 => Err(refused(key, "names no directory of its own", "write one, as \"public/assets\"")),
        _ => Ok(()),
    }
}

/// A path below another directory.
pub(crate) fn below(key: &str, text: &str) -> Result<(), Problem> {
    any(key, text)?;
    let hint = "it is a path below shared_path, as \"public/assets\"";
    match depth(text) {
        _ if text.starts_with('/') => Err(refused(key, "is an absolute path", hint)),
        0 => Err(refused(key, "names no directory of its own", hint)),
        _ => Ok(()),
    }
}

/// The checks of all paths.
fn any(key: &str, text: &str) -> Result<(), Problem> {
    if text.split('/').any(|part| part == "..") {
        return Err(refused(key, "has '..' in it", "write the path that is meant"));
    }
    if text.chars().any(char::is_control) {
        return Err(refused(key, "has a control character", "write it as one plain line"));
    }
    if text.starts_with('-') {
        return Err(refused(key, "begins with '-'", "put ./ in front"));
    }
    Ok(())
}

/// The depth of a path.
fn depth(text: &str) -> usize {
    parts(text).count()
}

/// The names in a path.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|part| !matches!(*part, "" | "."))
}

/// Whether one of two paths is the other, or inside it.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    parts(one).zip(parts(other)).all(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_paths() {
        for (one, other, expected) in [
            ("public/assets", "public/assets/", true),
            ("public", "./public//vite", true),
            ("public/vite", "public", true),
            ("public/assets", "public/assets2", false),
            ("a", "b", false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
        }
    }
}
