//! Logical names: paths without their fingerprints, by which two builds' files find each other.
//!
//! Build tools put a digest into a file's name, so the same file has another path in every build.
//! `app-3f2a91c0.js` and `app-77b01d5e.js` both have the logical name `app.js`.
//!
//! The rules are tried in this order and the first that fits decides. A fingerprint stands before
//! the extensions, all of which stay (`.js`, `.chunk.js`, `.min.js.gz`, `.js.LICENSE.txt`), and
//! goes with the separator in front of it. Where two places fit, the one nearer to the end wins.
//!
//! | rule | fingerprint | written by |
//! |---|---|---|
//! | own | what the user's regex captures, anywhere in the path | |
//! | `long-hex` | `-` or `.`, then 32, 40, 56, 64, 96 or 128 hex | Sprockets 2 to 4, old Propshaft, Phoenix, Ember, Hugo |
//! | `hex` | `-` or `.`, then 16 to 20 hex | webpack, Rspack, Next.js |
//! | `short-hex` | `-` or `.`, then 8, 10 or 12 hex | Propshaft, Vite 2, Parcel, Django |
//! | `base64url` | `-`, then 8 of `A-Za-z0-9_-` | Vite, Rollup, Rolldown, esbuild |
//! | `dot-base64url` | `.`, then 8 of `A-Za-z0-9_-` | Nuxt, SvelteKit |
//! | `digested` | `-`, then 7 to 128 of `A-Za-z0-9_`, before `.digested` | what Sprockets and Propshaft leave alone |
//! | `bare-hex` | the whole stem: 16 to 20, 32, 40 or 64 hex | webpack's `[hash][ext]` |
//! | `bare-base64url` | the whole stem: 8 of `A-Za-z0-9_-` | Nuxt, SvelteKit |
//!
//! Ordinary names are kept whole:
//!
//! - hex needs a letter and a digit, except that 8 digits pass if they are no date (one Propshaft
//!   digest in 43 has no letter): `report-20240131.js` stays;
//! - 8 base64url bytes must not read as words, numbers and countries: `-settings`, `-version2`,
//!   `-my-utils`, `-02-match`, `-pt-BR-dev` stay. With capitals they must also be pronounceable, as
//!   in `-Settings` or `-dropDown`. Of random base64url digests 3 in 1,000 are lost to this, of
//!   base36 ones, where a digest is often small letters only, 11 in 100, of hex and base32 hardly
//!   any. Eight capitals count as a digest, because one in five of esbuild's has no digit;
//! - after a dot there must be capitals and small letters: `fn.vst3_u16.html` stays;
//! - a bare stem must have a digit as well, because nothing around it gives it away.
//!
//! A bare stem leaves only the extensions (`assets/.png`), which many files of a directory share:
//! they are alike in kind, and size or content must choose among them.
//!
//! A wrong guess never damages a file. It costs bytes: a worse basis, or none.

mod built_in;

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

/// The most own rules accepted.
pub const MAX_OWN_RULES: usize = 100;

/// The largest compiled own rule, in bytes: a counted repetition can ask for any amount.
const MAX_COMPILED: usize = 1 << 20;

/// A path taken apart into what lasts and what names the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicalName {
    /// The path without fingerprint and separator, directories and extensions included.
    pub path: Vec<u8>,
    /// Where in the original path the fingerprint stands, without its separator.
    pub fingerprint: Range<usize>,
}

/// The rules that find fingerprints: the user's own, then the built-in ones.
#[derive(Clone, Debug, Default)]
pub struct FingerprintRules {
    own: Vec<Regex>,
}

/// Why an own rule was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The text is no regular expression, or too large a one.
    #[error("Fingerprint rule '{rule}' is not a usable regular expression: {source}")]
    Regex {
        /// The rule as given.
        rule: String,
        /// The error in it.
        source: regex::Error,
    },
    /// It has not exactly one capture group.
    #[error("Fingerprint rule '{rule}' has {groups} capture groups, one is needed")]
    Groups {
        /// The rule as given.
        rule: String,
        /// How many it has.
        groups: usize,
    },
    /// More than `MAX_OWN_RULES`.
    #[error("More than {MAX_OWN_RULES} fingerprint rules")]
    TooMany,
}

impl FingerprintRules {
    /// Adds an own rule, tried after the own rules before it and before all built-in ones.
    ///
    /// The regex is searched in the whole path, as bytes; its one capture group is the fingerprint,
    /// and one of `-._~@` just before that is taken for the separator.
    fn with_own(mut self, rule: &str) -> Result<Self, RuleError> {
        if self.own.len() == MAX_OWN_RULES {
            return Err(RuleError::TooMany);
        }
        let compiled = RegexBuilder::new(rule).unicode(false).size_limit(MAX_COMPILED).build();
        let regex =
            compiled.map_err(|source| RuleError::Regex { rule: rule.to_owned(), source })?;
        match regex.captures_len() - 1 {
            1 => self.own.push(regex),
            groups => return Err(RuleError::Groups { rule: rule.to_owned(), groups }),
        }
        Ok(self)
    }

    fn find(&self, path: &[u8]) -> Option<Range<usize>> {
        let own = self.own.iter().find_map(|regex| regex.captures(path)?.get(1));
        own.map(|found| found.range()).filter(|range| !range.is_empty()).or_else(|| {
            let name = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
            let found = built_in::find(&path[name..])?;
            Some(name + found.start..name + found.end)
        })
    }
}

/// The built-in rules, and these before them.
impl TryFrom<&[String]> for FingerprintRules {
    type Error = RuleError;

    fn try_from(own: &[String]) -> Result<FingerprintRules, RuleError> {
        own.iter().try_fold(FingerprintRules::default(), |known, rule| known.with_own(rule))
    }
}

impl LogicalName {
    /// The logical name of a path, or `None` if it shows no fingerprint.
    pub fn of(path: &[u8], rules: &FingerprintRules) -> Option<Self> {
        let fingerprint = rules.find(path)?;
        let before = match &path[..fingerprint.start] {
            [before @ .., b'-' | b'.' | b'_' | b'~' | b'@'] => before,
            before => before,
        };
        let path = [before, &path[fingerprint.end..]].concat();
        Some(Self { path, fingerprint })
    }

    /// The path without any fingerprint: that of `diagram-WFGC7UMF-B1UOypqA.js` is `diagram.js`. A
    /// chunk of a package that was bundled before it was published has two, and both change.
    pub fn without_fingerprints(self, rules: &FingerprintRules) -> Vec<u8> {
        let mut path = self.path;
        while let Some(name) = LogicalName::of(&path, rules) {
            path = name.path;
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logical name and fingerprint by the built-in rules.
    fn of(path: &str) -> Option<(String, String)> {
        split(path, &FingerprintRules::default())
    }

    fn split(path: &str, rules: &FingerprintRules) -> Option<(String, String)> {
        let name = LogicalName::of(path.as_bytes(), rules)?;
        let fingerprint = path[name.fingerprint].to_owned();
        Some((String::from_utf8(name.path).expect("cut between ASCII bytes"), fingerprint))
    }

    #[test]
    fn names_of_all_tools() {
        let long = "0123456789abcdef".repeat(8);
        let table = [
            (format!("assets/app-{}.js", &long[..64]), "assets/app.js"),
            (format!("app-{}.js.map.gz", &long[..64]), "app.js.map.gz"),
            (format!("LICENSE-{}", &long[..64]), "LICENSE"),
            (format!("app-{}.css", &long[..40]), "app.css"),
            (format!("zh-Hant-{}.json.br", &long[..32]), "zh-Hant.json.br"),
            (format!("main.{long}.css"), "main.css"),
            (format!("1234.{}.js", &long[..16]), "1234.js"),
            (format!("a.{}.js.LICENSE.txt", &long[..16]), "a.js.LICENSE.txt"),
            (format!("vendors~main-{}.chunk.js", &long[..20]), "vendors~main.chunk.js"),
            (format!("assets/{}.png", &long[..20]), "assets/.png"),
            (format!("{}.woff2", &long[..32]), ".woff2"),
        ];
        for (path, logical) in table {
            assert_eq!(of(&path).map(|found| found.0).as_deref(), Some(logical), "{path}");
        }
    }

    #[test]
    fn a_name_with_several_fingerprints() {
        let table = [
            ("a/sequenceDiagram-WL72ISMW-CNC5hfHr.js", "a/sequenceDiagram.js"),
            ("chunk-JBRWN2VN-5N6vseOG.js.map", "chunk.js.map"),
            ("app-3f2a91c0.js", "app.js"),
            ("my-settings-CAe6cnmm.css", "my-settings.css"),
        ];
        let rules = FingerprintRules::default();
        for (path, stem) in table {
            let name = LogicalName::of(path.as_bytes(), &rules).expect(path);
            assert_eq!(String::from_utf8(name.without_fingerprints(&rules)).unwrap(), stem);
        }
    }

    #[test]
    fn short_fingerprints() {
        let table = [
            ("app-3f2a91c0.js", "app.js", "3f2a91c0"),
            ("app-31415926.css.map", "app.css.map", "31415926"),
            ("app.27e20196a850.css", "app.css", "27e20196a850"),
            ("name-abcdef12.chunk.js", "name.chunk.js", "abcdef12"),
            ("name.3f2a91c0.min.js.gz", "name.min.js.gz", "3f2a91c0"),
            ("dir.d/index-CAe6cnmm.js", "dir.d/index.js", "CAe6cnmm"),
            ("index--x8Kd_2a.js", "index.js", "-x8Kd_2a"),
            ("index-x8Kd_2a-.js", "index.js", "x8Kd_2a-"),
            ("a-b-CC-0JnnF.js", "a-b.js", "CC-0JnnF"),
            ("foo.store-BTAqFd44.js", "foo.store.js", "BTAqFd44"),
            ("foo-aBc4efGh.old-ZyX4vuTs.js", "foo-aBc4efGh.old.js", "ZyX4vuTs"),
            ("start.CAe6cnmm.css", "start.css", "CAe6cnmm"),
            ("chunk-ABCDEFGH.js", "chunk.js", "ABCDEFGH"),
            ("chunk-4hs4lcvp.js", "chunk.js", "4hs4lcvp"),
            ("chunk-4HS4LCVP.digested.js", "chunk.digested.js", "4HS4LCVP"),
            ("a-settings12345.digested.js", "a.digested.js", "settings12345"),
            ("_nuxt/CAe6cnmm.js", "_nuxt/.js", "CAe6cnmm"),
        ];
        for (path, logical, fingerprint) in table {
            assert_eq!(of(path), Some((logical.into(), fingerprint.into())), "{path}");
        }
    }

    #[test]
    fn ordinary_names_stay() {
        let table = [
            "",
            "app.js",
            "app-settings.js",
            "app-dropdown.min.css",
            "app-dropDown.js",
            "x-DataGrid.js",
            "x-Settings.js",
            "x-my-utils.js",
            "x-version2.js",
            "x-pt-BR-dev.js",
            "x-az-Latn.js",
            "report-20240131.js",
            "photo-1024x768.jpg",
            "jquery-3.7.1.min.js",
            "settings.js",
            "DataGrid.js",
            "jquery.ui-1.12.1.js",
            "x-3f2a91c0/app.js",
            "app-3f2a91c0",
            "-3f2a91c0.js",
            "x-31-12-99.js",
            "bootstrap.min.js.map",
            "x-3f2a91c.js",
            "x-3f2a91c0d.js",
        ];
        for path in table {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn own_rules_come_first() {
        let rules = FingerprintRules::default()
            .with_own("^_next/static/([^/]+)/")
            .and_then(|rules| rules.with_own(r"_v(\d+)\."))
            .expect("valid rules");
        let table = [
            ("_next/static/b1/a-3f2a91c0.js", "_next/static//a-3f2a91c0.js", "b1"),
            ("x/app_v12.js", "x/app_v.js", "12"),
            ("x/app-3f2a91c0.js", "x/app.js", "3f2a91c0"),
        ];
        for (path, logical, fingerprint) in table {
            assert_eq!(split(path, &rules), Some((logical.into(), fingerprint.into())), "{path}");
        }
    }

    #[test]
    fn refused_own_rules_and_messages() {
        let message =
            |rule| FingerprintRules::default().with_own(rule).map(drop).unwrap_err().to_string();
        for (rule, start) in [
            ("a", "Fingerprint rule 'a' has 0 capture groups, one is needed"),
            ("(a)(b)", "Fingerprint rule '(a)(b)' has 2 capture groups, one is needed"),
            ("(", "Fingerprint rule '(' is not a usable regular expression: "),
            ("(a{99999}{99999})", "Fingerprint rule '(a{99999}{99999})' is not a usable regular"),
        ] {
            assert!(message(rule).starts_with(start), "{}", message(rule));
        }
        let full = (0..MAX_OWN_RULES)
            .try_fold(FingerprintRules::default(), |rules, _| rules.with_own("(a)"));
        let one_more = full.and_then(|rules| rules.with_own("(a)")).map(drop);
        assert!(matches!(one_more, Err(RuleError::TooMany)));
    }
}
