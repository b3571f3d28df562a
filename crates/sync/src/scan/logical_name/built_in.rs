//! The built-in fingerprint rules, in the order of the table in the parent module.

use std::ops::Range;

/// How long a fingerprint can be: shortest and longest, long ones first.
type Lengths = &'static [(usize, usize)];

struct BuiltIn {
    lengths: Lengths,
    place: Place,
    accepts: fn(&[u8]) -> bool,
}

/// The text around a fingerprint, besides the extensions after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A name and a separator before it; the extensions may be missing.
    AfterNameAnyEnd,
    /// A name and a separator before it.
    AfterName,
    /// A name and a dash before it.
    AfterDash,
    /// A name and a dot before it.
    AfterDot,
    /// A name and a dash before it, `.digested` after it.
    Digested,
    /// Nothing before it.
    Bare,
}

const LONG_HEX: Lengths = &[(128, 128), (96, 96), (64, 64), (56, 56), (40, 40), (32, 32)];
const HEX: Lengths = &[(16, 20)];
const SHORT_HEX: Lengths = &[(12, 12), (10, 10), (8, 8)];
const BARE_HEX: Lengths = &[(64, 64), (40, 40), (32, 32), (16, 20)];
const BASE64URL: Lengths = &[(8, 8)];
const DIGESTED: Lengths = &[(7, 128)];

const BUILT_IN: &[BuiltIn] = &[
    BuiltIn { lengths: LONG_HEX, place: Place::AfterNameAnyEnd, accepts: is_hex },
    BuiltIn { lengths: HEX, place: Place::AfterName, accepts: is_hex },
    BuiltIn { lengths: SHORT_HEX, place: Place::AfterName, accepts: is_hex },
    BuiltIn { lengths: BASE64URL, place: Place::AfterDash, accepts: is_base64url },
    BuiltIn { lengths: BASE64URL, place: Place::AfterDot, accepts: is_two_case_base64url },
    BuiltIn { lengths: DIGESTED, place: Place::Digested, accepts: is_word },
    BuiltIn { lengths: BARE_HEX, place: Place::Bare, accepts: is_hex },
    BuiltIn { lengths: BASE64URL, place: Place::Bare, accepts: is_mixed_base64url },
];

/// The fingerprint in a file name, which holds no slash.
pub(crate) fn find(name: &[u8]) -> Option<Range<usize>> {
    BUILT_IN.iter().find_map(|rule| ends(name, rule.place).find_map(|end| rule.before(name, end)))
}

/// Where a fingerprint can end: at the dots that only extensions follow, from the last one on.
fn ends(name: &[u8], place: Place) -> impl Iterator<Item = usize> {
    let whole = (place == Place::AfterNameAnyEnd).then_some(name.len());
    let mut after = name.len();
    let dots = std::iter::from_fn(move || {
        let dot = name[..after].iter().rposition(|&byte| byte == b'.')?;
        let extension = &name[dot + 1..after];
        after = dot;
        (!extension.is_empty() && is_word(extension)).then_some(dot)
    });
    whole.into_iter().chain(dots)
}

impl BuiltIn {
    fn before(&self, name: &[u8], end: usize) -> Option<Range<usize>> {
        let lengths =
            self.lengths.iter().flat_map(|&(shortest, longest)| (shortest..=longest).rev());
        let mut ranges = lengths.filter_map(|len| Some(end.checked_sub(len)?..end));
        ranges.find(|found| {
            self.place.suits(&name[..found.start], &name[end..])
                && (self.accepts)(&name[found.clone()])
        })
    }
}

impl Place {
    fn suits(self, before: &[u8], after: &[u8]) -> bool {
        match self {
            Self::AfterNameAnyEnd | Self::AfterName => matches!(before, [_, .., b'-' | b'.']),
            Self::AfterDash => matches!(before, [_, .., b'-']),
            Self::AfterDot => matches!(before, [_, .., b'.']),
            Self::Digested => matches!(before, [_, .., b'-']) && after.starts_with(b".digested."),
            Self::Bare => before.is_empty(),
        }
    }
}

fn is_word(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn is_hex(bytes: &[u8]) -> bool {
    let letter = bytes.iter().any(u8::is_ascii_lowercase);
    let digit = bytes.iter().any(u8::is_ascii_digit);
    bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && digit
        && (letter || bytes.len() == 8 && !is_date(bytes))
}

/// `YYYYMMDD` of this century or the one before, in bytes already known to be digits.
fn is_date(digits: &[u8]) -> bool {
    let &[a, b, _, _, m1, m2, d1, d2] = digits else { return false };
    let number = |tens: u8, ones: u8| (tens - b'0') * 10 + (ones - b'0');
    matches!([a, b], [b'1', b'9'] | [b'2', b'0'])
        && (1..=12).contains(&number(m1, m2))
        && (1..=31).contains(&number(d1, d2))
}

fn is_base64url(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count() > 1
        && !reads_as_words(bytes)
}

/// With capitals and small letters: names in lower case often have dots (`fn.vst3_u16.html`).
fn is_two_case_base64url(bytes: &[u8]) -> bool {
    is_base64url(bytes)
        && bytes.iter().any(u8::is_ascii_uppercase)
        && bytes.iter().any(u8::is_ascii_lowercase)
}

/// With a digit too, because nothing around a bare one gives it away.
fn is_mixed_base64url(bytes: &[u8]) -> bool {
    is_two_case_base64url(bytes) && bytes.iter().any(u8::is_ascii_digit)
}

/// Whether every part between dashes and underscores is a word, a number or a country's capitals.
fn reads_as_words(bytes: &[u8]) -> bool {
    let parts = || {
        let parts = bytes.split(|byte| matches!(byte, b'-' | b'_'));
        parts.filter(|part| !part.is_empty())
    };
    let several = parts().count() > 1;
    parts().all(|part| is_camel_case(part) || several && is_short_part(part))
}

/// Short parts that pass beside words, but are too common in digests alone: `pt`, `BR`, `02`.
fn is_short_part(part: &[u8]) -> bool {
    let all = |kind: fn(&u8) -> bool| part.iter().all(kind);
    all(u8::is_ascii_digit)
        || part.len() == 2 && (all(u8::is_ascii_uppercase) || all(u8::is_ascii_lowercase))
}

/// `dropdown`, `version2`, and with capitals `Settings`, `dropDown`: at most two digits at the end.
fn is_camel_case(part: &[u8]) -> bool {
    let letters = part.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
    let (letters, digits) = part.split_at(letters);
    let humps = || letters.chunk_by(|_, next| !next.is_ascii_uppercase());
    // A short word alone is likely one; two of them side by side come about by chance.
    let shortest = if humps().count() > 1 { 4 } else { 3 };
    letters.len() >= 3
        && digits.len() <= 2
        && letters.iter().all(u8::is_ascii_alphabetic)
        && (letters.iter().all(u8::is_ascii_lowercase)
            || humps().all(|hump| hump.len() >= shortest && is_pronounceable(hump)))
}

/// The pairs of consonants that English words begin with.
const ONSETS: &[&[u8; 2]] = &[
    b"bl", b"br", b"ch", b"cl", b"cr", b"dr", b"fl", b"fr", b"gl", b"gr", b"kn", b"ph", b"pl",
    b"pr", b"sc", b"sh", b"sk", b"sl", b"sm", b"sn", b"sp", b"sq", b"st", b"sw", b"th", b"tr",
    b"tw", b"wh", b"wr",
];

/// Vowels and consonants take turns as in a word.
///
/// One in 150 of Rollup's digests is a capital with seven small letters, such as `Brhqejcd`; most
/// of them give themselves away here.
fn is_pronounceable(hump: &[u8]) -> bool {
    let hump = hump.to_ascii_lowercase();
    let is_vowel = |byte: &u8| b"aeiouy".contains(byte);
    let mut runs = hump.chunk_by(|a, b| is_vowel(a) == is_vowel(b));
    let begins = match hump.get(..2) {
        Some(two) if !two.iter().any(is_vowel) => ONSETS.iter().any(|onset| onset[..] == *two),
        _ => true,
    };
    begins
        && hump.iter().any(is_vowel)
        && runs.all(|run| run.len() <= if is_vowel(&run[0]) { 2 } else { 3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Out of a thousand random digests of 8 bytes of `alphabet` after `app-`, how many are missed.
    fn missed_per_thousand(alphabet: &[u8]) -> usize {
        const TRIES: usize = 200_000;
        let mut state = 1_u64;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            alphabet[(state >> 33) as usize % alphabet.len()]
        };
        let missed = |name: &[u8]| find(name) != Some(4..12);
        let names = (0..TRIES).map(|_| {
            let digest: Vec<u8> = (0..8).map(|_| byte()).collect();
            [b"app-", &digest[..], b".js"].concat()
        });
        names.filter(|name| missed(name)).count() * 1000 / TRIES
    }

    #[test]
    fn few_random_digests_are_missed() {
        let capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let base64url = capitals.to_owned() + &capitals.to_lowercase() + "0123456789-_";
        let table = [
            ("base64url", base64url.as_str(), 4),
            ("base32", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 0),
            ("base36", "abcdefghijklmnopqrstuvwxyz0123456789", 120),
            ("hex", "0123456789abcdef", 0),
        ];
        for (name, alphabet, limit) in table {
            let missed = missed_per_thousand(alphabet.as_bytes());
            assert!(missed <= limit, "{name}: {missed} of 1000");
        }
    }

    #[test]
    fn dates() {
        for (digits, expected) in [("20240131", true), ("20241331", false), ("31415926", false)] {
            assert_eq!(is_date(digits.as_bytes()), expected, "{digits}");
        }
    }
}
