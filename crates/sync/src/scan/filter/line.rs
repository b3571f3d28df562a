//! The rules of rsync's `--filter`, as text: `- *.map`, `P uploads/`, `merge FILE`.

use super::{FilterError, Rule, Sides, lossy};

/// A line of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterLine<'a> {
    /// A pattern, and what it does.
    Rule {
        /// Whether matching paths are included.
        rule: Rule,
        /// Where it counts, if the line says so.
        sides: Option<Sides>,
        /// The pattern.
        pattern: &'a [u8],
    },
    /// Forget all rules before this one.
    Clear,
    /// Insert the lines of this file.
    Merge(&'a [u8]),
}

/// What a rule's name stands for.
#[derive(Clone, Copy)]
enum Name {
    Rule(Rule, Option<Sides>),
    Clear,
    Merge,
}

const SENDER: Sides = Sides { sender: true, receiver: false };
const RECEIVER: Sides = Sides { sender: false, receiver: true };

/// The names of rules. Rules of rsync that are not here are refused.
const NAMES: [(&str, &str, Name); 8] = [
    ("exclude", "-", Name::Rule(Rule::Exclude, None)),
    ("include", "+", Name::Rule(Rule::Include, None)),
    ("hide", "H", Name::Rule(Rule::Exclude, Some(SENDER))),
    ("show", "S", Name::Rule(Rule::Include, Some(SENDER))),
    ("protect", "P", Name::Rule(Rule::Exclude, Some(RECEIVER))),
    ("risk", "R", Name::Rule(Rule::Include, Some(RECEIVER))),
    ("clear", "!", Name::Clear),
    ("merge", ".", Name::Merge),
];

/// Reads a line: a rule's name, modifiers, a space or underscore, and a pattern.
pub(super) fn parse_line(text: &[u8]) -> Result<FilterLine<'_>, FilterError> {
    let refused = || FilterError::Rule { rule: lossy(text) };
    let (name, rest) = name(text).ok_or_else(refused)?;
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'_')).unwrap_or(rest.len());
    let (modifiers, rest) = rest.split_at(end);
    let pattern = rest.get(1..).unwrap_or_default();
    let modifiers = modifiers.strip_prefix(b",").unwrap_or(modifiers);
    match name {
        Name::Clear if rest.is_empty() && modifiers.is_empty() => Ok(FilterLine::Clear),
        Name::Merge if modifiers.is_empty() && !pattern.is_empty() => {
            Ok(FilterLine::Merge(pattern))
        }
        Name::Rule(rule, own) => {
            let sides = sides(modifiers).ok_or_else(refused)?.or(own);
            if pattern.is_empty() {
                return Err(FilterError::NoPattern { rule: lossy(text) });
            }
            Ok(FilterLine::Rule { rule, sides, pattern })
        }
        Name::Clear | Name::Merge => Err(refused()),
    }
}

/// A rule's name at the beginning of `text`, and what follows it. A long name ends at a comma, a
/// space or an underscore.
fn name(text: &[u8]) -> Option<(Name, &[u8])> {
    let long = NAMES.iter().find_map(|(long, _, name)| {
        let rest = text.strip_prefix(long.as_bytes())?;
        matches!(rest.first(), None | Some(b',' | b' ' | b'_')).then_some((*name, rest))
    });
    long.or_else(|| {
        let (first, rest) = text.split_first()?;
        let is_first = |short: &&str| short.as_bytes() == [*first];
        NAMES.iter().find(|(_, short, _)| is_first(short)).map(|(.., name)| (*name, rest))
    })
}

/// The sides that modifiers name; `None` if there is another modifier.
fn sides(modifiers: &[u8]) -> Option<Option<Sides>> {
    let mut named = Sides { sender: false, receiver: false };
    for modifier in modifiers {
        match modifier {
            b's' => named.sender = true,
            b'r' => named.receiver = true,
            _ => return None,
        }
    }
    Some((!modifiers.is_empty()).then_some(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_modifiers_and_patterns() {
        let rule = |rule, sides, pattern: &'static str| {
            Some(FilterLine::Rule { rule, sides, pattern: pattern.as_bytes() })
        };
        use Rule::{Exclude, Include};
        for (text, expected) in [
            ("- *.map", rule(Exclude, None, "*.map")),
            ("-_*.map", rule(Exclude, None, "*.map")),
            ("exclude *.map", rule(Exclude, None, "*.map")),
            ("+ a b", rule(Include, None, "a b")),
            ("-s x", rule(Exclude, Some(SENDER), "x")),
            ("-,r x", rule(Exclude, Some(RECEIVER), "x")),
            ("exclude,r x", rule(Exclude, Some(RECEIVER), "x")),
            ("P uploads/", rule(Exclude, Some(RECEIVER), "uploads/")),
            ("protect uploads/", rule(Exclude, Some(RECEIVER), "uploads/")),
            ("R x", rule(Include, Some(RECEIVER), "x")),
            ("H x", rule(Exclude, Some(SENDER), "x")),
            ("show x", rule(Include, Some(SENDER), "x")),
            ("!", Some(FilterLine::Clear)),
            ("clear", Some(FilterLine::Clear)),
            (". file", Some(FilterLine::Merge(b"file"))),
            ("merge file", Some(FilterLine::Merge(b"file"))),
            (": .rsync-filter", None),
            ("dir-merge x", None),
            ("-p x", None),
            ("-! x", None),
            ("-", None),
            ("- ", None),
            ("", None),
            ("x", None),
            ("! x", None),
        ] {
            assert_eq!(parse_line(text.as_bytes()).ok(), expected, "{text}");
        }
    }
}
