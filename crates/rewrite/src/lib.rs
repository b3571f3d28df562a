//! Rewriting content: every old text in it becomes the new one.
//!
//! A build that changes one file changes its fingerprint, and with it every file that names it.
//! Both sides know the pairs of old and new fingerprints, so most of those files need not be sent.
//!
//! The rule, which both sides must follow to the byte: from left to right, at each position the
//! longest old text that begins there is replaced by its new text, and the search continues after
//! it; if none begins there, one byte is copied. The output is not searched again.
//!
//! Old texts are found fast because content is skipped in strides. Of each stride only one block of
//! a few bytes is looked up in a bitmap of the blocks near the start of old texts, as Wu and Manber
//! do ("A fast algorithm for multi-pattern searching", TR 94-17, University of Arizona, 1994),
//! though with a bit instead of a shift per block: strides that do not depend on each other keep a
//! processor busier than long ones. Where the bitmap hits, each position of the stride is looked up
//! exactly, by binary search among the old texts whose first bytes have the same hash. So work per
//! byte is bounded, whatever the pairs and the content.

mod filter;
mod texts;

use filter::Filter;
use texts::{Found, Texts};

/// Allowed lengths of old and new texts, in bytes. Shorter ones would be found by chance.
pub const TEXT_BYTES: std::ops::RangeInclusive<usize> = 6..=128;

/// Most pairs, including repetitions.
pub const PAIRS: usize = 65_536;

/// Most bytes of all old and new texts together (4 MiB: 65,536 pairs of 32 hexadecimal digits
/// each).
pub const ALL_TEXT_BYTES: usize = 4 << 20;

/// Why pairs are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// A text is shorter or longer than [`TEXT_BYTES`].
    #[error("Text to rewrite of {0} bytes, {min} to {max} are allowed",
        min = TEXT_BYTES.start(), max = TEXT_BYTES.end())]
    TextBytes(usize),
    /// More than [`PAIRS`].
    #[error("More than {PAIRS} texts to rewrite")]
    TooMany,
    /// More than [`ALL_TEXT_BYTES`] in all.
    #[error("More than {ALL_TEXT_BYTES} bytes of texts to rewrite")]
    TooLarge,
    /// An old text has two different new texts.
    #[error("The same text is to be rewritten in two ways")]
    Contradiction,
}

/// Pairs of texts, indexed for searching. Built once, shared by all files.
#[derive(Debug)]
pub struct Rewriter {
    texts: Texts,
    filter: Filter,
}

/// A content that is being rewritten by a [`Rewriter`].
#[derive(Debug)]
pub struct Rewriting<'r> {
    rewriter: &'r Rewriter,
    /// The last bytes, which may be the start of an old text: fewer than the longest has.
    pending: Vec<u8>,
    replaced: u64,
}

impl Rewriter {
    /// A rewriter of these pairs of old and new texts. Pairs may be repeated.
    pub fn new<'p>(
        pairs: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
    ) -> Result<Rewriter, RewriteError> {
        let texts = Texts::new(pairs)?;
        let filter = Filter::of(texts.shortest(), texts.olds());
        Ok(Rewriter { texts, filter })
    }

    /// Starts a content that comes in pieces.
    pub fn start(&self) -> Rewriting<'_> {
        Rewriting { rewriter: self, pending: Vec::new(), replaced: 0 }
    }

    /// Rewrites a whole content.
    pub fn rewrite(&self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len());
        self.scan(content, content.len(), &mut out);
        out
    }

    /// Rewrites `data` up to `end`, or beyond if an old text extends across it. Returns where it
    /// stopped, and the number of replaced texts.
    fn scan(&self, data: &[u8], end: usize, out: &mut Vec<u8>) -> (usize, u64) {
        let (mut at, mut copied, mut replaced) = (0, 0, 0);
        while let Some((start, found)) = self.find(data, at, end) {
            out.extend_from_slice(&data[copied..start]);
            out.extend_from_slice(found.new);
            at = start + found.old_bytes;
            copied = at;
            replaced += 1;
        }
        let at = at.max(end);
        out.extend_from_slice(&data[copied..at]);
        (at, replaced)
    }

    /// The first old text that begins in `data` at `at` or later, before `end`.
    fn find(&self, data: &[u8], mut at: usize, end: usize) -> Option<(usize, Found<'_>)> {
        while at < end {
            at += self.filter.skip(&data[at..]);
            let stride = (at + self.filter.stride()).min(end);
            while at < stride {
                if let Some(found) = self.texts.at_front(&data[at..]) {
                    return Some((at, found));
                }
                at += 1;
            }
        }
        None
    }
}

impl Rewriting<'_> {
    /// Rewrites the next piece of the content, of any size, and appends to `out` all that is
    /// decided: less than the longest old text stays pending. Texts can grow from 6 bytes to 128,
    /// so the output is at most 22 times the input.
    pub fn feed(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            let Some(taken) = self.feed_pending(piece, out) else { return };
            piece = &piece[taken..];
        }
        let end = self.certain(piece.len());
        let (at, replaced) = self.rewriter.scan(piece, end, out);
        self.pending.extend_from_slice(&piece[at..]);
        self.replaced += replaced;
    }

    /// Joins the pending bytes with the start of `piece`. Returns how much of `piece` is consumed
    /// once nothing is pending any more; `None` if all of `piece` is pending now.
    fn feed_pending(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let before = self.pending.len();
        let joined = piece.len().min(self.rewriter.texts.longest() - 1);
        self.pending.extend_from_slice(&piece[..joined]);
        let end = self.certain(self.pending.len()).min(before);
        let (at, replaced) = self.rewriter.scan(&self.pending, end, out);
        self.replaced += replaced;
        if at < before {
            self.pending.drain(..at);
            return None;
        }
        self.pending.clear();
        Some(at - before)
    }

    /// Of `length` bytes, the number of positions that can be decided without further bytes.
    fn certain(&self, length: usize) -> usize {
        length.saturating_sub(self.rewriter.texts.longest() - 1)
    }

    /// Ends the content; returns the number of replaced texts.
    pub fn finish(self, out: &mut Vec<u8>) -> u64 {
        let (_, replaced) = self.rewriter.scan(&self.pending, self.pending.len(), out);
        self.replaced + replaced
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn rewriter(pairs: &[(Vec<u8>, Vec<u8>)]) -> Rewriter {
        Rewriter::new(pairs.iter().map(|(old, new)| (&old[..], &new[..]))).unwrap()
    }

    /// The rule, implemented literally.
    fn by_the_rule(pairs: &[(Vec<u8>, Vec<u8>)], content: &[u8]) -> (Vec<u8>, u64) {
        let (mut out, mut at, mut replaced) = (Vec::new(), 0, 0);
        while at < content.len() {
            let begins = pairs.iter().filter(|(old, _)| content[at..].starts_with(old));
            match begins.max_by_key(|(old, _)| old.len()) {
                Some((old, new)) => {
                    out.extend_from_slice(new);
                    at += old.len();
                    replaced += 1;
                }
                None => {
                    out.push(content[at]);
                    at += 1;
                }
            }
        }
        (out, replaced)
    }

    fn in_pieces(rewriter: &Rewriter, content: &[u8], sizes: &[usize]) -> (Vec<u8>, u64) {
        let (mut rewriting, mut out, mut rest) = (rewriter.start(), Vec::new(), content);
        for size in sizes.iter().cycle() {
            let (piece, left) = rest.split_at((*size).min(rest.len()));
            rewriting.feed(piece, &mut out);
            assert!(rewriting.pending.len() < rewriter.texts.longest());
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        let replaced = rewriting.finish(&mut out);
        (out, replaced)
    }

    /// Pairs over an alphabet of two letters, so that texts are prefixes, suffixes and parts of
    /// each other.
    fn pairs(
        bytes: std::ops::RangeInclusive<usize>,
    ) -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
        let old = prop::collection::vec(select(&b"ab"[..]), bytes);
        let new = prop::collection::vec(select(&b"abAB"[..]), 6..12);
        prop::collection::btree_map(old, new, 0..40).prop_map(|pairs| pairs.into_iter().collect())
    }

    /// Content of old texts, parts of them, and letters between.
    fn content(pairs: &[(Vec<u8>, Vec<u8>)]) -> BoxedStrategy<Vec<u8>> {
        let letters = prop::collection::vec(select(&b"abc"[..]), 0..40);
        if pairs.is_empty() {
            return letters.boxed();
        }
        let olds: Vec<Vec<u8>> = pairs.iter().map(|(old, _)| old.clone()).collect();
        let part =
            (select(olds), 0..100_usize).prop_map(|(old, cut)| old[cut % old.len()..].to_vec());
        let piece = prop_oneof![part.clone(), part, letters];
        prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat()).boxed()
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_are_rewritten_by_the_rule(
            (pairs, content) in prop_oneof![pairs(6..=9), pairs(6..=128), pairs(16..=40), pairs(100..=128)]
                .prop_flat_map(|pairs| { let content = content(&pairs); (Just(pairs), content) }),
            sizes in prop::collection::vec(1..300_usize, 1..5),
        ) {
            let rewriter = rewriter(&pairs);
            let expected = by_the_rule(&pairs, &content);
            prop_assert_eq!(&rewriter.rewrite(&content), &expected.0);
            for sizes in [&sizes[..], &[1], &[7], &[100_000]] {
                prop_assert_eq!(&in_pieces(&rewriter, &content, sizes), &expected);
            }
        }
    }

    #[test]
    fn rows_of_the_rule() {
        let pairs = [
            ("BWJmK1Qw", "r6rJ7lEE"),
            ("BWJmK1Qw-legacy", "longest"),
            ("K1Qw-leg", "not me, inside"),
            ("r6rJ7lEE", "not again"),
            ("aaaaaa", "bbbbbb"),
            ("kept-as-it-is", "kept-as-it-is"),
            ("shared", "SHARED"),
            ("shared-a1", "first child"),
            ("shared-b2", "second child"),
        ];
        let pairs = pairs.map(|(old, new)| (old.as_bytes().to_vec(), new.as_bytes().to_vec()));
        let rows = [
            ("", "", 0),
            ("import './a-BWJmK1Qw.js'", "import './a-r6rJ7lEE.js'", 1),
            ("BWJmK1QwBWJmK1Qw", "r6rJ7lEEr6rJ7lEE", 2),
            ("BWJmK1Qw-legac", "r6rJ7lEE-legac", 1),
            ("BWJmK1Qw-legacy", "longest", 1),
            ("xBWJmK1Q", "xBWJmK1Q", 0),
            ("JmK1Qw-leg", "Jmnot me, inside", 1),
            ("aaaaaaaaaaaaaa", "bbbbbbbbbbbbaa", 2),
            ("kept-as-it-is", "kept-as-it-is", 1),
            ("shared-b9shared-b2", "SHARED-b9second child", 2),
        ];
        let rewriter = rewriter(&pairs);
        for (content, expected, replaced) in rows {
            for sizes in [1, 2, 3, 5, 8, 13, 100] {
                let (out, count) = in_pieces(&rewriter, content.as_bytes(), &[sizes]);
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{content} by {sizes}");
                assert_eq!(count, replaced, "{content}");
            }
        }
    }

    #[test]
    fn content_without_old_texts_is_copied() {
        let rewriter = rewriter(&[]);
        let content: Vec<u8> = (0..10_000_u32).map(|i| (i * i / 7) as u8).collect();
        assert_eq!(rewriter.rewrite(&content), content);
        assert_eq!(in_pieces(&rewriter, &content, &[1, 33]), (content, 0));
    }

    #[test]
    fn out_of_bounds_pairs_are_refused() {
        let text = |length: usize| vec![b'x'; length];
        let refused = |pairs: &[(Vec<u8>, Vec<u8>)]| {
            let pairs = pairs.iter().map(|(old, new)| (&old[..], &new[..]));
            Rewriter::new(pairs).map(drop).unwrap_err()
        };
        for length in [0, 5, 129, 100_000] {
            assert_eq!(refused(&[(text(length), text(6))]), RewriteError::TextBytes(length));
            assert_eq!(refused(&[(text(6), text(length))]), RewriteError::TextBytes(length));
        }
        rewriter(&[(text(6), text(128)), (text(128), text(6)), (text(6), text(128))]);
        let contradiction = [(text(6), text(6)), (text(7), text(8)), (text(6), text(7))];
        assert_eq!(refused(&contradiction), RewriteError::Contradiction);
        let numbered = |count: usize, width: usize| -> Vec<(Vec<u8>, Vec<u8>)> {
            (0..count).map(|i| (format!("{i:0width$}").into_bytes(), text(6))).collect()
        };
        rewriter(&numbered(PAIRS, 10));
        assert_eq!(refused(&numbered(PAIRS + 1, 10)), RewriteError::TooMany);
        assert_eq!(refused(&numbered(PAIRS, 60)), RewriteError::TooLarge);
    }

    #[test]
    fn refused_pairs_have_readable_errors() {
        let rows = [
            (RewriteError::TextBytes(5), "Text to rewrite of 5 bytes, 6 to 128 are allowed"),
            (RewriteError::TooMany, "More than 65536 texts to rewrite"),
            (RewriteError::TooLarge, "More than 4194304 bytes of texts to rewrite"),
            (RewriteError::Contradiction, "The same text is to be rewritten in two ways"),
        ];
        for (error, expected) in rows {
            assert_eq!(error.to_string(), expected);
        }
    }

    /// Texts with a common prefix, and content with the same one: searching a list at every
    /// position would take minutes.
    #[test]
    fn hostile_pairs_do_not_take_quadratic_time() {
        let same_front = |i: usize| {
            let mut old = vec![b'a'; 128];
            old[80 + i % 40] = b'b' + (i / 40 % 24) as u8;
            old[127] = (i / 960) as u8;
            (old, b"newnew".to_vec())
        };
        let chain =
            (6..128).map(|length| ([&vec![b'a'; length][..], b"b"].concat(), vec![b'x'; 128]));
        let alike: Vec<_> = (0..16_000).map(same_front).collect();
        let content = vec![b'a'; 1 << 20];
        for pairs in [alike, chain.collect()] {
            let (out, replaced) = in_pieces(&rewriter(&pairs), &content, &[32 * 1024]);
            assert_eq!((out == content, replaced), (true, 0));
        }
    }

    /// A regular expression takes the first alternative that matches; sorted by length that is the
    /// longest.
    #[test]
    fn a_regular_expression_gives_the_same_result() {
        let mut random = 88_172_645_463_325_252_u64;
        let mut next = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) as usize % bound
        };
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text =
            |bytes: usize| -> Vec<u8> { (0..bytes).map(|_| letters[next(64)]).collect() };
        let mut pairs: Vec<_> = (0..1000).map(|i| (text(8 + i % 3 * 4), text(8))).collect();
        let longer =
            pairs[..300].iter().map(|(old, _)| ([&old[..], b"-x"].concat(), b"longer".to_vec()));
        pairs.extend(longer.collect::<Vec<_>>());
        let content: Vec<u8> = (0..20_000)
            .flat_map(|i| [text(i % 50), pairs[i * 7 % pairs.len()].0.clone()].concat())
            .collect();

        pairs.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
        let alternatives: Vec<_> =
            pairs.iter().map(|(old, _)| regex::escape(str::from_utf8(old).unwrap())).collect();
        let referee = regex::bytes::Regex::new(&alternatives.join("|")).unwrap();
        let new: std::collections::HashMap<_, _> = pairs.iter().cloned().collect();
        let expected = referee
            .replace_all(&content, |found: &regex::bytes::Captures<'_>| new[&found[0]].clone());
        assert!(expected == rewriter(&pairs).rewrite(&content));
    }
}
