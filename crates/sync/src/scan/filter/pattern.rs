//! One include/exclude pattern: which part of a path it looks at, and the match itself.

use super::wildcard;
use super::wildcard::{Start, Token};

/// A pattern, prepared for matching paths.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    part: Part,
    text: Text,
    only_directories: bool,
}

/// The part of the path that is compared.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// The final component: the pattern has no slash and no `**`.
    Name,
    /// So many components at the end: a slash inside, but not in front.
    Tail(usize),
    /// The path from the transfer root.
    Whole,
    /// The path from the root or from any component on: `**` somewhere, but not in front.
    AnyTail,
    /// The path with a slash in front, so that a leading `**/` also finds top-level names.
    Rooted,
}

#[derive(Clone, Debug)]
enum Text {
    Literal(Vec<u8>),
    Wild {
        tokens: Vec<Token>,
        /// `dir/***`: directories are seen with a slash at the end, and so match like their
        /// content.
        with_directory: bool,
    },
    /// Malformed, as rsync sees it: an unclosed class or a lone backslash at the end.
    Never,
}

impl Pattern {
    /// Prepares a pattern. Any bytes are one; a malformed pattern matches nothing, as in rsync.
    pub(crate) fn new(pattern: &[u8]) -> Self {
        let (body, only_directories) = match pattern {
            [body @ .., b'/'] if !body.is_empty() => (body, true),
            _ => (pattern, false),
        };
        let anchored = body.first() == Some(&b'/');
        let text = Text::new(&body[usize::from(anchored)..], body.ends_with(b"***"));
        Self { part: Part::of(body, anchored), text, only_directories }
    }

    /// Whether the pattern matches this path, which is relative to the transfer root.
    pub(crate) fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        if path.is_empty() || self.only_directories && !is_dir {
            return false;
        }
        let Some(part) = self.part.cut(path) else { return false };
        match &self.text {
            Text::Never => false,
            Text::Literal(text) => text == part,
            Text::Wild { tokens, with_directory } => {
                let (front, start) = match self.part {
                    Part::Rooted => (&b"/"[..], Start::First),
                    Part::AnyTail => (&b""[..], Start::EveryComponent),
                    _ => (&b""[..], Start::First),
                };
                let back = if *with_directory && is_dir { &b"/"[..] } else { b"" };
                let bytes = front.iter().chain(part).chain(back).copied();
                wildcard::matches(tokens, bytes, start)
            }
        }
    }
}

impl Part {
    fn of(body: &[u8], anchored: bool) -> Self {
        let slashes = body.iter().filter(|&&byte| byte == b'/').count();
        // rsync looks for the two stars as plain text, so even `[**]` counts.
        match body.windows(2).position(|two| two == b"**") {
            _ if anchored => Self::Whole,
            Some(0) => Self::Rooted,
            Some(_) => Self::AnyTail,
            None if slashes == 0 => Self::Name,
            None => Self::Tail(slashes + 1),
        }
    }

    /// The bytes to compare, or `None` where the path has too few components.
    fn cut(self, path: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Name => last_components(path, 1),
            Self::Tail(count) => last_components(path, count),
            Self::Whole | Self::AnyTail | Self::Rooted => Some(path),
        }
    }
}

impl Text {
    fn new(body: &[u8], with_directory: bool) -> Self {
        if !body.iter().any(|byte| b"*?[".contains(byte)) {
            return Self::Literal(body.to_vec());
        }
        wildcard::parse(body).map_or(Self::Never, |tokens| Self::Wild { tokens, with_directory })
    }
}

fn last_components(path: &[u8], count: usize) -> Option<&[u8]> {
    let mut slashes = (0..path.len()).rev().filter(|&at| path[at] == b'/');
    match slashes.by_ref().take(count).enumerate().last() {
        Some((index, at)) if index + 1 == count => Some(&path[at + 1..]),
        Some((index, _)) if index + 2 == count => Some(path),
        None if count == 1 => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_from_the_end() {
        let table: [(&str, usize, Option<&str>); 6] = [
            ("a/b/c", 1, Some("c")),
            ("a/b/c", 2, Some("b/c")),
            ("a/b/c", 3, Some("a/b/c")),
            ("a/b/c", 4, None),
            ("a", 1, Some("a")),
            ("a", 2, None),
        ];
        for (path, count, expected) in table {
            let cut = last_components(path.as_bytes(), count);
            assert_eq!(cut, expected.map(str::as_bytes), "{count} of {path}");
        }
    }

    #[test]
    fn table() {
        // A trailing slash on the path says that it is a directory.
        let table = [
            ("*.map", "a/b.map", true),
            ("*.map", "a/b.map.gz", false),
            ("/foo", "foo", true),
            ("/foo", "a/foo", false),
            ("foo", "a/foo", true),
            ("foo/", "foo", false),
            ("foo/", "a/foo/", true),
            ("foo/bar", "x/foo/bar", true),
            ("foo/bar", "xfoo/bar", false),
            ("foo/*/bar", "x/foo/y/bar", true),
            ("foo/*/bar", "foo/y/z/bar", false),
            ("/foo/**", "foo/", false),
            ("/foo/**", "foo/a/b", true),
            ("/foo/***", "foo/", true),
            ("/foo/***", "foo", false),
            ("foo/***", "x/foo/a/b", true),
            ("**/foo", "foo", true),
            ("**/foo", "a/b/foo", true),
            ("**foo", "a/xfoo", true),
            ("a**z", "x/a/y/z", true),
            ("a**z", "xa/y/z", false),
            ("foo\\bar", "foo\\bar", true),
            ("foo\\*", "foo*", true),
            ("foo\\*", "foobar", false),
            ("[a", "[a", false),
            ("/", "a", false),
            ("", "a", false),
        ];
        for (pattern, path, expected) in table {
            let (path, is_dir) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
            let found = Pattern::new(pattern.as_bytes()).matches(path.as_bytes(), is_dir);
            assert_eq!(found, expected, "{pattern} on {path}");
        }
    }
}
