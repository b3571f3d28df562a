//! Paths below a source or destination: relative, of bytes, and unable to leave it.

use std::cmp::Ordering;
use std::fmt;

use crate::limits;

/// A path relative to the root of a tree.
///
/// It has at least one component; no component is empty, `.` or `..`, or holds a NUL; lengths and
/// depth are within [`limits`]. A `RelPath` need not be checked again.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RelPath(Box<[u8]>);

/// Why bytes are not a [`RelPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No bytes at all.
    #[error("Path is empty")]
    Empty,
    /// Longer than [`limits::PATH_BYTES`], or a name longer than [`limits::NAME_BYTES`].
    #[error("Path of {0} bytes is too long")]
    TooLong(usize),
    /// More than [`limits::PATH_DEPTH`] components.
    #[error("Path is {0} levels deep")]
    TooDeep(usize),
    /// An empty, `.` or `..` component, a leading or trailing slash, or a NUL byte.
    #[error("Path '{0}' could leave its tree")]
    Unsafe(String),
}

impl RelPath {
    /// Checks `bytes` and makes a path of them.
    pub fn new(bytes: &[u8]) -> Result<RelPath, PathError> {
        if bytes.is_empty() {
            return Err(PathError::Empty);
        }
        if bytes.len() > limits::PATH_BYTES {
            return Err(PathError::TooLong(bytes.len()));
        }
        let mut depth = 0;
        for name in bytes.split(|&byte| byte == b'/') {
            check_name(name, bytes)?;
            depth += 1;
        }
        if depth > limits::PATH_DEPTH {
            return Err(PathError::TooDeep(depth));
        }
        Ok(RelPath(bytes.into()))
    }

    /// `name` below `parent`, or at the top if there is no parent.
    pub fn join(parent: Option<&RelPath>, name: &[u8]) -> Result<RelPath, PathError> {
        match parent {
            None => RelPath::new(name),
            Some(parent) => RelPath::new(&[&parent.0, &b"/"[..], name].concat()),
        }
    }

    /// The path's bytes, names separated by single slashes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The names from the top down.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/')
    }

    /// The last name.
    pub fn file_name(&self) -> &[u8] {
        self.names().next_back().unwrap_or_default()
    }

    /// The directory this path is in, or `None` at the top.
    pub fn parent(&self) -> Option<RelPath> {
        let slash = self.0.iter().rposition(|&byte| byte == b'/')?;
        Some(RelPath(self.0[..slash].into()))
    }

    /// Whether `self` is `ancestor` or is below it.
    pub fn starts_with(&self, ancestor: &RelPath) -> bool {
        let rest = self.0.strip_prefix(ancestor.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

/// Whether the path of a destination, as it was written, can only be that of a directory.
pub fn is_of_directory(path: &[u8]) -> bool {
    let last = path.rsplit(|&byte| byte == b'/').next();
    matches!(last, Some(b"" | b"." | b".."))
}

fn check_name(name: &[u8], whole: &[u8]) -> Result<(), PathError> {
    if name.len() > limits::NAME_BYTES {
        return Err(PathError::TooLong(name.len()));
    }
    if name.is_empty() || name == b"." || name == b".." || name.contains(&0) {
        return Err(PathError::Unsafe(crate::text::name(whole)));
    }
    Ok(())
}

/// Tree order: a directory, then all below it, then its next sibling by bytes. It is the order of a
/// sorted depth-first walk, so lists from both sides can be merged in one pass.
impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        self.0.iter().map(key).cmp(other.0.iter().map(key))
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::name(&self.0))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", crate::text::name(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_paths_are_refused() {
        let long = [b'a'; 256];
        let cases: [&[u8]; 12] = [
            b"", b"/x", b"x/", b"a//b", b".", b"..", b"../x", b"a/../x", b"a/./b", b"a\0b", b"/",
            &long,
        ];
        for case in cases {
            assert!(RelPath::new(case).is_err(), "{case:?}");
        }
        let deep = vec![b"a".as_slice(); limits::PATH_DEPTH + 1].join(&b'/');
        assert_eq!(RelPath::new(&deep), Err(PathError::TooDeep(limits::PATH_DEPTH + 1)));
    }

    #[test]
    fn names_may_have_any_bytes() {
        for case in [b"a\nb".as_slice(), b"-rf", b"\xff\xfe", b"...", b"a b", b"C:\\x"] {
            assert_eq!(RelPath::new(case).unwrap().as_bytes(), case);
        }
    }

    #[test]
    fn tree_order_is_that_of_a_sorted_walk() {
        let sorted = ["a", "a/b", "a/b/c", "a/c", "a!", "a.b", "b"];
        let mut paths: Vec<_> =
            sorted.iter().rev().map(|p| RelPath::new(p.as_bytes()).unwrap()).collect();
        paths.sort();
        assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn starts_with_respects_names() {
        let path = |text: &str| RelPath::new(text.as_bytes()).unwrap();
        assert!(path("a/b").starts_with(&path("a")) && path("a").starts_with(&path("a")));
        assert!(!path("ab").starts_with(&path("a")));
    }
}
