//! The texts that a push rewrites in old contents. Both sides compute them from the same messages,
//! so the rule is part of the protocol.

use std::collections::HashSet;

use assetsync_rewrite::TEXT_BYTES;

/// Pairs of old and new texts: `substitutes`, then the fingerprints of renames, in the order of
/// their messages. The first pair with an old text counts. Pairs of equal texts, and texts that are
/// too short or too long to be searched for, are left out.
pub fn substitution_pairs<'p, T: AsRef<[u8]>>(
    substitutes: &'p [(T, T)],
    fingerprints: &'p [(T, T)],
) -> Vec<(&'p [u8], &'p [u8])> {
    let mut seen = HashSet::new();
    let pairs = substitutes.iter().chain(fingerprints);
    let pairs = pairs.map(|(old, new)| (old.as_ref(), new.as_ref()));
    pairs
        .filter(|(old, new)| {
            let fits = TEXT_BYTES.contains(&old.len()) && TEXT_BYTES.contains(&new.len());
            fits && old != new && seen.insert(*old)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pair_with_an_old_text_counts() {
        let substitutes = [("app@1.0.1", "app@1.0.2"), ("short", "longer")];
        let fingerprints = [
            ("11111111", "22222222"),
            ("11111111", "33333333"),
            ("44444444", "44444444"),
            ("app@1.0.1", "app@1.0.3"),
        ];
        let substitution_pairs = substitution_pairs(&substitutes, &fingerprints);
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let substitution_pairs: Vec<_> =
            substitution_pairs.iter().map(|(old, new)| (text(old), text(new))).collect();
        assert_eq!(substitution_pairs, [("app@1.0.1", "app@1.0.2"), ("11111111", "22222222")]);
    }
}
