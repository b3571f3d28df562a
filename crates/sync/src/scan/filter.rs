//! rsync's include and exclude patterns, read and decided exactly as rsync does.
//!
//! Rules are tried in the order given and the first that matches decides; a path that none matches
//! is included. The contents of an excluded directory are never looked at, so no later rule can
//! bring them back. The referee is rsync itself: `tests/filter_vs_rsync.rs` runs it beside this.

mod class;
mod line;
mod pattern;
mod wildcard;

use std::collections::BTreeSet;

use line::{FilterLine, parse_line};
pub(crate) use pattern::Pattern;

/// The longest pattern accepted, in bytes.
///
/// rsync drops a longer one with a message; a rule silently lost could delete files, so it is
/// refused here.
pub const MAX_PATTERN_LEN: usize = 4096;

/// The most rules a filter holds.
pub const MAX_RULES: usize = 10_000;

/// The effect of a rule on the paths it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Takes them into the transfer.
    Include,
    /// Leaves them out.
    Exclude,
}

/// Where a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// In the source: excluded paths are not pushed.
    pub sender: bool,
    /// At the destination: excluded paths are not deleted.
    pub receiver: bool,
}

impl Sides {
    /// Both.
    pub(crate) const BOTH: Sides = Sides { sender: true, receiver: true };
}

/// The result of a filter for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The path takes part in the transfer.
    Included,
    /// The path is as good as absent; below a directory nothing is looked at.
    Excluded,
}

/// Why a list of rules was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// Only `+ ` or `- `, and nothing to match.
    #[error("Filter rule '{rule}' has no pattern")]
    NoPattern {
        /// The rule as given.
        rule: String,
    },
    /// Not a rule, or one that is not supported.
    #[error(
        "Filter rule '{rule}' is not supported; there are - + H S P R, each with the modifiers s \
         and r, and . FILE and !"
    )]
    Rule {
        /// The rule as given.
        rule: String,
    },
    /// Longer than 4096 bytes.
    #[error("Filter pattern '{start}...' has {len} bytes, more than {MAX_PATTERN_LEN}")]
    TooLong {
        /// How the pattern begins.
        start: String,
        /// Its length in bytes.
        len: usize,
    },
    /// More than 10,000.
    #[error("More than {MAX_RULES} filter rules")]
    TooMany,
}

/// An ordered list of rules.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    rules: Vec<(Rule, Sides, Pattern)>,
    /// If set, only these paths of the source and the directories they are in are pushed.
    only: Option<Listed>,
}

/// Paths that a caller listed.
#[derive(Clone, Debug)]
struct Listed {
    paths: BTreeSet<Vec<u8>>,
    /// Whether everything below a listed directory is listed, too.
    recursive: bool,
}

impl Filter {
    /// Reads rules in the order of the command line.
    ///
    /// A pattern may carry its own rule in front, `+ ` or `- `, which then counts instead of the
    /// one it came with. A lone `!` forgets all rules before it. An empty pattern is skipped.
    pub fn parse<'a>(
        rules: impl IntoIterator<Item = (Rule, &'a [u8])>,
    ) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for (rule, text) in rules {
            filter.push(rule, Sides::BOTH, text)?;
        }
        Ok(filter)
    }

    /// Adds a rule, read as by [`parse`](Filter::parse), that counts on these sides.
    fn push(&mut self, rule: Rule, sides: Sides, text: &[u8]) -> Result<(), FilterError> {
        match text {
            b"" => Ok(()),
            b"!" => {
                self.rules.clear();
                Ok(())
            }
            [b'+', b' ', pattern @ ..] => self.push_pattern(Rule::Include, sides, pattern),
            [b'-', b' ', pattern @ ..] => self.push_pattern(Rule::Exclude, sides, pattern),
            _ => self.push_pattern(rule, sides, text),
        }
    }

    /// Adds a line of rsync's `--filter`, which counts on these sides if it does not say where.
    /// Returns the file whose lines are to be inserted, if the line names one.
    pub fn push_line<'l>(
        &mut self,
        line: &'l [u8],
        sides: Sides,
    ) -> Result<Option<&'l [u8]>, FilterError> {
        match parse_line(line)? {
            FilterLine::Rule { rule, sides: own, pattern } => {
                self.push_pattern(rule, own.unwrap_or(sides), pattern)?;
            }
            FilterLine::Clear => self.rules.clear(),
            FilterLine::Merge(path) => return Ok(Some(path)),
        }
        Ok(None)
    }

    /// Adds a pattern.
    fn push_pattern(
        &mut self,
        rule: Rule,
        sides: Sides,
        pattern: &[u8],
    ) -> Result<(), FilterError> {
        if pattern.is_empty() {
            let sign = if rule == Rule::Include { "+ " } else { "- " };
            return Err(FilterError::NoPattern { rule: sign.into() });
        }
        check_len(pattern)?;
        if self.rules.len() == MAX_RULES {
            return Err(FilterError::TooMany);
        }
        self.rules.push((rule, sides, Pattern::new(pattern)));
        Ok(())
    }

    /// Pushes only these paths of the source, and the directories they are in. Each is relative to
    /// the source; a slash at either end and `.` do not count. If `recursive`, everything below a
    /// listed directory is pushed, too.
    pub fn only<'a>(mut self, paths: impl IntoIterator<Item = &'a [u8]>, recursive: bool) -> Self {
        let paths = paths.into_iter().map(normal).filter(|path| !path.is_empty()).collect();
        self.only = Some(Listed { paths, recursive });
        self
    }

    /// The paths that [`only`](Filter::only) listed.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &[u8]> {
        self.only.iter().flat_map(|listed| listed.paths.iter().map(Vec::as_slice))
    }

    /// The verdict on one path, given that all its parent directories are included.
    ///
    /// `path` is relative to the transfer root and has no slash at either end; the root itself,
    /// the empty path, is always included.
    pub(crate) fn verdict(&self, path: &[u8], is_dir: bool) -> Verdict {
        match &self.only {
            Some(listed) if !listed.has(path) => Verdict::Excluded,
            _ => self.first_match(path, is_dir, |sides| sides.sender),
        }
    }

    fn first_match(&self, path: &[u8], is_dir: bool, counts: fn(&Sides) -> bool) -> Verdict {
        let mut rules = self.rules.iter().filter(|(_, sides, _)| counts(sides));
        match rules.find(|(.., pattern)| pattern.matches(path, is_dir)) {
            Some((Rule::Exclude, ..)) => Verdict::Excluded,
            Some((Rule::Include, ..)) | None => Verdict::Included,
        }
    }

    /// Whether the path or any of its parent directories is excluded at the destination.
    ///
    /// This is what protects a path there from deletion. A directory that is not covered itself may
    /// still hold something that is, and then has to stay too.
    pub(crate) fn covers(&self, path: &[u8], is_dir: bool) -> bool {
        let protects = |path: &[u8], is_dir| {
            self.first_match(path, is_dir, |sides| sides.receiver) == Verdict::Excluded
        };
        let mut parents = (0..path.len()).filter(|&at| path[at] == b'/').map(|at| &path[..at]);
        let is_listed = self.only.as_ref().is_none_or(|listed| listed.has(path));
        !is_listed || protects(path, is_dir) || parents.any(|dir| protects(dir, true))
    }
}

impl Listed {
    fn has(&self, path: &[u8]) -> bool {
        let below = [path, b"/"].concat();
        let is_parent =
            || self.paths.range(below.clone()..).next().is_some_and(|p| p.starts_with(&below));
        let mut above = (0..path.len()).filter(|&at| path[at] == b'/').map(|at| &path[..at]);
        path.is_empty()
            || self.paths.contains(path)
            || is_parent()
            || (self.recursive && above.any(|dir| self.paths.contains(dir)))
    }
}

/// A listed path without `.` and superfluous slashes.
fn normal(path: &[u8]) -> Vec<u8> {
    let names = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.collect::<Vec<_>>().join(&b'/')
}

/// The rules of an `--exclude-from` or `--include-from` file, one a line, for [`Filter::parse`].
///
/// Blank lines and those that begin with `;` or `#` are skipped. As in rsync, white space is part
/// of a pattern, and a carriage return ends a line too.
pub fn parse_lines(text: &[u8], rule: Rule) -> impl Iterator<Item = (Rule, &[u8])> {
    text.split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter(|line| !matches!(line.first(), None | Some(b';' | b'#')))
        .map(move |line| (rule, line))
}

/// Refuses a pattern that is longer than [`MAX_PATTERN_LEN`].
pub(crate) fn check_len(pattern: &[u8]) -> Result<(), FilterError> {
    if pattern.len() <= MAX_PATTERN_LEN {
        return Ok(());
    }
    Err(FilterError::TooLong { start: lossy(&pattern[..40]), len: pattern.len() })
}

fn lossy(bytes: &[u8]) -> String {
    assetsync_core::text::name(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exclude(patterns: &[&str]) -> Filter {
        Filter::parse(patterns.iter().map(|text| (Rule::Exclude, text.as_bytes()))).expect("valid")
    }

    #[test]
    fn the_first_match_decides() {
        let filter = exclude(&["+ *.js", "*.j*", "- x", "+ x"]);
        let table = [
            ("a.js", Verdict::Included),
            ("a.json", Verdict::Excluded),
            ("x", Verdict::Excluded),
            ("y", Verdict::Included),
            ("", Verdict::Included),
        ];
        for (path, expected) in table {
            assert_eq!(filter.verdict(path.as_bytes(), false), expected, "{path}");
        }
    }

    #[test]
    fn a_lone_mark_clears_and_a_longer_one_is_a_pattern() {
        assert_eq!(exclude(&["a", "!"]).verdict(b"a", false), Verdict::Included);
        assert_eq!(exclude(&["!a", ""]).verdict(b"!a", false), Verdict::Excluded);
        assert_eq!(exclude(&["+x"]).verdict(b"+x", false), Verdict::Excluded);
    }

    #[test]
    fn covers_looks_at_parents() {
        let filter = exclude(&["cache/", "*.map"]);
        let table = [
            ("cache/a", true),
            ("x/cache/a/b", true),
            ("x/a.map", true),
            ("x/cache", false),
            ("x.map/a", true),
            ("x", false),
        ];
        for (path, expected) in table {
            assert_eq!(filter.covers(path.as_bytes(), false), expected, "{path}");
        }
        assert!(filter.covers(b"x/cache", true));
    }

    #[test]
    fn a_rule_counts_on_its_sides() {
        let mut filter = Filter::default();
        for (sides, pattern) in [
            (Sides { sender: true, receiver: false }, "*.map"),
            (Sides { sender: false, receiver: true }, "uploads/"),
            (Sides::BOTH, "*.tmp"),
        ] {
            filter.push_pattern(Rule::Exclude, sides, pattern.as_bytes()).unwrap();
        }
        for (path, is_dir, pushed, protected) in [
            ("a.map", false, false, false),
            ("uploads", true, true, true),
            ("uploads/x", false, true, true),
            ("a.tmp", false, false, true),
            ("a.js", false, true, false),
        ] {
            let verdict = filter.verdict(path.as_bytes(), is_dir);
            assert_eq!(verdict == Verdict::Included, pushed, "{path}");
            assert_eq!(filter.covers(path.as_bytes(), is_dir), protected, "{path}");
        }
    }

    #[test]
    fn only_listed_paths_and_their_directories_are_included() {
        let listed = [&b"/a/b.js"[..], b"./c/", b"d//./e", b""];
        let (flat, deep) =
            (Filter::default().only(listed, false), Filter::default().only(listed, true));
        for (path, in_flat, in_deep) in [
            ("", true, true),
            ("a", true, true),
            ("a/b.js", true, true),
            ("a/b.css", false, false),
            ("c", true, true),
            ("c/x", false, true),
            ("d/e/f/g", false, true),
            ("ab", false, false),
        ] {
            let included =
                |filter: &Filter| filter.verdict(path.as_bytes(), false) == Verdict::Included;
            assert_eq!((included(&flat), included(&deep)), (in_flat, in_deep), "{path}");
            assert_eq!(flat.covers(path.as_bytes(), false), !in_flat, "{path}");
        }
    }

    #[test]
    fn lines_of_a_file() {
        let text = b"# note\n; note\n\n*.map\r\n + x\n- y \n!";
        let lines: Vec<_> = parse_lines(text, Rule::Include).map(|(_, line)| lossy(line)).collect();
        assert_eq!(lines, ["*.map", " + x", "- y ", "!"]);
    }

    #[test]
    fn limits_and_messages() {
        let error = |rules: &[&[u8]]| {
            Filter::parse(rules.iter().map(|&text| (Rule::Exclude, text))).map(drop).unwrap_err()
        };
        let long = [b'a'; MAX_PATTERN_LEN + 1];
        assert_eq!(error(&[b"+ "]).to_string(), "Filter rule '+ ' has no pattern");
        assert_eq!(
            error(&[&long]).to_string(),
            format!("Filter pattern '{}...' has 4097 bytes, more than 4096", "a".repeat(40))
        );
        let many = vec![&b"a"[..]; MAX_RULES + 1];
        assert_eq!(error(&many).to_string(), "More than 10000 filter rules");
        assert!(Filter::parse([(Rule::Exclude, &long[1..])]).is_ok());
    }
}
