//! Bracket expressions (`[a-z]`, `[!x]`, `[[:digit:]]`) of rsync's wildcard patterns.
//!
//! The odd cases follow `wildmatch.c`: a `]` right after the opening is an ordinary member, a `-`
//! at either end or after a range is one too, and an unknown `[:name:]` spoils the whole pattern.

/// A set of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    const EMPTY: Self = Self([0; 4]);

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn remove(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] &= !(1 << (byte & 63));
    }

    fn add_range(&mut self, first: u8, last: u8) {
        (first..=last).for_each(|byte| self.add(byte));
    }

    fn invert(&mut self) {
        self.0 = self.0.map(|word| !word);
    }

    /// Whether `byte` belongs to the set.
    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }
}

/// Reads the expression whose `[` is just before `pattern` and returns the set with what follows.
///
/// `None` means that it is never closed or malformed: rsync then lets the pattern match nothing.
pub(crate) fn parse(pattern: &[u8]) -> Option<(ByteSet, &[u8])> {
    let inverted = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut members = Members { rest: &pattern[usize::from(inverted)..], set: ByteSet::EMPTY };
    members.read()?;
    let Members { rest, mut set } = members;
    if inverted {
        set.invert();
    }
    // A class never crosses directories, inverted or not.
    set.remove(b'/');
    Some((set, rest))
}

struct Members<'a> {
    rest: &'a [u8],
    set: ByteSet,
}

impl Members<'_> {
    fn read(&mut self) -> Option<()> {
        // The byte a following `-` would make a range from.
        let mut low = None;
        let mut byte = self.next()?;
        loop {
            low = match (byte, low) {
                (b'\\', _) => Some(self.single()?),
                (b'-', Some(first)) if self.rest.first().is_some_and(|&b| b != b']') => {
                    let last = self.next_unescaped()?;
                    self.set.add_range(first, last);
                    None
                }
                (b'[', _) if self.rest.first() == Some(&b':') => self.named()?,
                _ => {
                    self.set.add(byte);
                    Some(byte)
                }
            };
            byte = self.next()?;
            if byte == b']' {
                return Some(());
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn next_unescaped(&mut self) -> Option<u8> {
        match self.next()? {
            b'\\' => self.next(),
            byte => Some(byte),
        }
    }

    fn single(&mut self) -> Option<u8> {
        let byte = self.next()?;
        self.set.add(byte);
        Some(byte)
    }

    /// `[:name:]`, or a plain `[` where no `:]` closes it.
    fn named(&mut self) -> Option<Option<u8>> {
        let inside = &self.rest[1..];
        let end = inside.iter().position(|&byte| byte == b']')?;
        let Some(name) = inside[..end].strip_suffix(b":") else {
            self.set.add(b'[');
            return Some(Some(b'['));
        };
        let belongs = posix(name)?;
        (0..=u8::MAX).filter(belongs).for_each(|byte| self.set.add(byte));
        self.rest = &inside[end + 1..];
        Some(None)
    }
}

fn posix(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        // C's `isspace` has the vertical tab, Rust's has not.
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every printable byte that `[` + `text` takes.
    fn members(text: &str) -> Option<(String, String)> {
        let (set, rest) = parse(text.as_bytes())?;
        let taken = (b' '..=b'~').filter(|&byte| set.has(byte)).map(char::from).collect();
        Some((taken, String::from_utf8_lossy(rest).into_owned()))
    }

    #[test]
    fn members_and_rest() {
        let table = [
            ("abc]x", "abc", "x"),
            ("]a]", "]a", ""),
            ("a-e]*", "abcde", "*"),
            ("a-]", "-a", ""),
            ("-a]", "-a", ""),
            ("a-c-e]", "-abce", ""),
            ("\\]\\-a]", "-]a", ""),
            ("\\a-c]", "abc", ""),
            ("a-\\c]", "abc", ""),
            ("[:digit:]]", "0123456789", ""),
            ("[:digit:]a-c]", "0123456789abc", ""),
            ("[:digit]x", ":[dgit", "x"),
            ("[:]x", ":[", "x"),
            ("z-a]", "z", ""),
            ("/a]", "a", ""),
        ];
        for (text, taken, rest) in table {
            assert_eq!(members(text), Some((taken.into(), rest.into())), "[{text}");
        }
    }

    #[test]
    fn inverted_takes_the_others_but_no_slash() {
        for text in ["!a]", "^a]"] {
            let (set, _) = parse(text.as_bytes()).expect("well formed");
            assert!(set.has(b'b') && set.has(0xff) && !set.has(b'a') && !set.has(b'/'), "[{text}");
        }
    }

    #[test]
    fn malformed_is_none() {
        for text in ["", "a", "!", "]", "a\\", "a-\\", "[:digit:]", "[:nosuch:]]", "[:"] {
            assert_eq!(members(text), None, "[{text}");
        }
    }
}
