//! rsync's include and exclude patterns, read and decided exactly as rsync does.
//!
//! Rules are tried in the order given and the first that matches decides; a path that none matches
//! is included. The contents of an excluded directory are never looked at, so no later rule can
//! bring them back. The referee is rsync itself: `tests/filter_vs_rsync.rs` runs it beside this.

mod class;
mod pattern;
mod wildcard;

pub(crate) use pattern::Pattern;

/// The longest pattern accepted, in bytes.
///
/// rsync drops a longer one with a message; a rule silently lost could delete files, so it is
/// refused here.
pub const MAX_PATTERN_LEN: usize = 4096;

/// The most rules a filter holds.
pub const MAX_RULES: usize = 10_000;

/// What a rule does with the paths it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Takes them into the transfer.
    Include,
    /// Leaves them out.
    Exclude,
}

/// What a filter says about a path.
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
    /// Longer than [`MAX_PATTERN_LEN`].
    #[error("Filter pattern '{start}...' has {len} bytes, more than {MAX_PATTERN_LEN}")]
    TooLong {
        /// How the pattern begins.
        start: String,
        /// Its length in bytes.
        len: usize,
    },
    /// More than [`MAX_RULES`].
    #[error("More than {MAX_RULES} filter rules")]
    TooMany,
}

/// An ordered list of rules.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    rules: Vec<(Rule, Pattern)>,
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
            match text {
                b"" => {}
                b"!" => filter.rules.clear(),
                [b'+', b' ', pattern @ ..] => filter.push(Rule::Include, text, pattern)?,
                [b'-', b' ', pattern @ ..] => filter.push(Rule::Exclude, text, pattern)?,
                _ => filter.push(rule, text, text)?,
            }
        }
        Ok(filter)
    }

    fn push(&mut self, rule: Rule, text: &[u8], pattern: &[u8]) -> Result<(), FilterError> {
        if pattern.is_empty() {
            return Err(FilterError::NoPattern { rule: lossy(text) });
        }
        check_len(pattern)?;
        if self.rules.len() == MAX_RULES {
            return Err(FilterError::TooMany);
        }
        self.rules.push((rule, Pattern::new(pattern)));
        Ok(())
    }

    /// The verdict on one path, given that all its parent directories are included.
    ///
    /// `path` is relative to the transfer root and has no slash at either end; the root itself,
    /// the empty path, is always included.
    pub fn verdict(&self, path: &[u8], is_dir: bool) -> Verdict {
        match self.rules.iter().find(|(_, pattern)| pattern.matches(path, is_dir)) {
            Some((Rule::Exclude, _)) => Verdict::Excluded,
            Some((Rule::Include, _)) | None => Verdict::Included,
        }
    }

    /// Whether the path or any of its parent directories is excluded.
    ///
    /// At the destination this is what protects a path from deletion. A directory that is not
    /// covered itself may still hold something that is, and then has to stay too.
    pub fn covers(&self, path: &[u8], is_dir: bool) -> bool {
        let parents = (0..path.len()).filter(|&at| path[at] == b'/').map(|at| &path[..at]);
        self.verdict(path, is_dir) == Verdict::Excluded
            || parents.into_iter().any(|dir| self.verdict(dir, true) == Verdict::Excluded)
    }
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
