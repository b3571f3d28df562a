//! Learns short texts that changed in the same way in several files, such as a version number.
//!
//! n8n puts `n8n@2.40.2` into each of its chunks; with the next version all of them differ in one
//! byte from what rewriting fingerprints makes of the old ones.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use assetsync_rewrite::{Rewriter, TEXT_BYTES};

/// In how many files a change must be seen. Telling it costs about as much as it saves in one.
const FILES: usize = 3;

/// Most changes that are learned.
const MOST: usize = 64;

/// How many equal bytes end a difference.
const EQUAL: usize = 16;

/// Longest difference, in bytes of old and new text together: files that differ in more are other
/// files.
const LONGEST: usize = 128;

/// A change is right if for each place where it is wrong there are so many where it is right.
const RIGHT_TO_WRONG: usize = 8;

/// An old and a new text.
type Change<'s> = (&'s [u8], &'s [u8]);

/// One place where a text changed.
struct Occurrence<'s> {
    sample: usize,
    /// Where in the old content.
    at: Range<usize>,
    change: Change<'s>,
}

/// Finds texts whose replacement brings old contents nearer to new ones, the most useful first, at
/// most 64.
///
/// Each sample is an old content, as far as it can be rewritten by now, and the new one. What is
/// learned was seen in at least three samples, and checked on all of them: where it would change
/// what should stay, it is left out.
pub fn learn<'s>(
    samples: impl IntoIterator<Item = (&'s [u8], &'s [u8])>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let samples: Vec<Change<'s>> = samples.into_iter().collect();
    let chosen = choose(occurrences(&samples));
    let wrong = wrong(&samples, &chosen);
    let counted = chosen.into_iter().zip(wrong);
    let right = counted.filter(|((_, right), wrong)| *right >= RIGHT_TO_WRONG * wrong);
    right.map(|(((old, new), _), _)| (old.to_vec(), new.to_vec())).collect()
}

/// Takes the change that is in most files, then the one that is in most of what is left, and so on.
/// Gives each with the number of its places.
fn choose(mut left: Vec<Occurrence<'_>>) -> Vec<(Change<'_>, usize)> {
    let mut chosen = Vec::new();
    while chosen.len() < MOST
        && let Some((change, places)) = most_frequent(&left)
    {
        remove(&mut left, change);
        chosen.push((change, places));
    }
    chosen
}

/// The change in most files; of equals the one in most places, then the longest, which is the
/// safest.
fn most_frequent<'s>(occurrences: &[Occurrence<'s>]) -> Option<(Change<'s>, usize)> {
    struct Count {
        files: usize,
        places: usize,
        last: usize,
    }
    let mut counts: HashMap<Change<'s>, Count> = HashMap::new();
    for Occurrence { sample, change, .. } in occurrences {
        let none = Count { files: 0, places: 0, last: usize::MAX };
        let count = counts.entry(*change).or_insert(none);
        count.files += usize::from(count.last != *sample);
        count.places += 1;
        count.last = *sample;
    }
    let often = counts.into_iter().filter(|(_, count)| count.files >= FILES);
    let best =
        often.max_by_key(|(change, count)| (count.files, count.places, change.0.len(), *change));
    best.map(|(change, count)| (change, count.places))
}

/// Removes a change, others where they overlap it, and those that make something else of the same
/// old text.
fn remove(occurrences: &mut Vec<Occurrence<'_>>, change: Change<'_>) {
    let mut taken: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for Occurrence { sample, at, change: this } in &*occurrences {
        if *this == change {
            taken.insert((*sample, at.start), at.end);
        }
    }
    let is_taken = |sample: usize, at: &Range<usize>| {
        let before = taken.range(..(sample, at.end)).next_back();
        before.is_some_and(|(start, end)| start.0 == sample && *end > at.start)
    };
    occurrences.retain(|Occurrence { sample, at, change: this }| {
        this.0 != change.0 && !is_taken(*sample, at)
    });
}

/// For each of the chosen changes, in how many places it makes equal texts differ.
fn wrong(samples: &[Change<'_>], chosen: &[(Change<'_>, usize)]) -> Vec<usize> {
    let mut wrong = vec![0; chosen.len()];
    let Ok(rewriter) = Rewriter::new(chosen.iter().map(|(change, _)| *change)) else {
        return wrong;
    };
    for (old, new) in samples {
        let rewritten = rewriter.rewrite(old);
        for Occurrence { change: (changed, unchanged), .. } in occurrences(&[(&rewritten, new)]) {
            let undone = chosen.iter().position(|(change, _)| *change == (unchanged, changed));
            undone.into_iter().for_each(|at| wrong[at] += 1);
        }
    }
    wrong
}

/// All changes in all samples, each in order of the old content.
fn occurrences<'s>(samples: &[Change<'s>]) -> Vec<Occurrence<'s>> {
    let mut occurrences = Vec::new();
    for (sample, (old, new)) in samples.iter().enumerate() {
        for difference in differences(old, new) {
            for (at, change) in changes(old, new, &difference) {
                occurrences.push(Occurrence { sample, at, change });
            }
        }
    }
    occurrences
}

/// A range of the old content that is another one of the new content.
type Difference = (Range<usize>, Range<usize>);

/// Walks two contents and gives where they differ, up to the first long difference.
fn differences(old: &[u8], new: &[u8]) -> Vec<Difference> {
    let mut differences = Vec::new();
    let (mut at, mut new_at) = (0, 0);
    loop {
        let equal = equal_bytes(&old[at..], &new[new_at..]);
        (at, new_at) = (at + equal, new_at + equal);
        let Some((removed, added)) = shortest(&old[at..], &new[new_at..]) else {
            return differences;
        };
        differences.push((at..at + removed, new_at..new_at + added));
        (at, new_at) = (at + removed, new_at + added);
    }
}

fn equal_bytes(old: &[u8], new: &[u8]) -> usize {
    old.iter().zip(new).take_while(|(old, new)| old == new).count()
}

/// The shortest difference at the front after which the two go on alike: bytes of old and of new.
/// `None` where nothing is left, and where it would be longer than [`LONGEST`].
fn shortest(old: &[u8], new: &[u8]) -> Option<(usize, usize)> {
    let goes_on = |removed: usize, added: usize| {
        let (old, new) = (old.get(removed..)?, new.get(added..)?);
        let (old, new) = (&old[..old.len().min(EQUAL)], &new[..new.len().min(EQUAL)]);
        (old == new).then_some((removed, added))
    };
    // Replaced is likelier than removed or added, so the middle comes first.
    let splits = |bytes: usize| {
        (0..=bytes / 2).rev().flat_map(move |less| [(less, bytes - less), (bytes - less, less)])
    };
    (1..=LONGEST).flat_map(splits).find_map(|(removed, added)| goes_on(removed, added))
}

/// How far a text reaches around what changed in it: fewer bytes are found in more files, more are
/// found less by chance.
const REACHES: [fn(u8) -> bool; 3] = [
    |byte| byte.is_ascii_alphanumeric(),
    |byte| byte.is_ascii_alphanumeric() || b"@._+-".contains(&byte),
    |byte| byte.is_ascii_alphanumeric() || b"@._+-/".contains(&byte),
];

/// The changes that could explain a difference.
fn changes<'s>(
    old: &'s [u8],
    new: &'s [u8],
    difference: &Difference,
) -> Vec<(Range<usize>, Change<'s>)> {
    let mut changes = Vec::new();
    for start_agent in REACHES {
        let (before, after) = surroundings(old, new, difference, start_agent);
        let (removed, added) = difference;
        let removed = removed.start - before..removed.end + after;
        let added = added.start - before..added.end + after;
        let words = words(&old[removed.clone()], &new[added.clone()], start_agent);
        for (word, new_word) in words {
            let word = removed.start + word.start..removed.start + word.end;
            let new_word = added.start + new_word.start..added.start + new_word.end;
            changes.extend(change(old, new, (word, new_word)));
        }
    }
    let key = |(at, _): &(Range<usize>, Change<'s>)| (at.start, at.end);
    changes.sort_by_key(key);
    changes.dedup_by_key(|change| key(change));
    changes
}

/// How many bytes before and after a difference belong to its text, and are the same in both.
fn surroundings(
    old: &[u8],
    new: &[u8],
    (removed, added): &Difference,
    start_agent: fn(u8) -> bool,
) -> (usize, usize) {
    let belongs = |(old, new): &(&u8, &u8)| old == new && start_agent(**old);
    let before = old[..removed.start].iter().rev().zip(new[..added.start].iter().rev());
    let after = old[removed.end..].iter().zip(&new[added.end..]);
    let most = *TEXT_BYTES.end();
    (before.take(most).take_while(belongs).count(), after.take(most).take_while(belongs).count())
}

/// The words that differ, if old and new are equal but for words.
fn words(old: &[u8], new: &[u8], start_agent: fn(u8) -> bool) -> Vec<Difference> {
    let (mut words, mut at, mut new_at) = (Vec::new(), 0, 0);
    loop {
        let word = word(old, at, start_agent);
        let new_word = self::word(new, new_at, start_agent);
        (at, new_at) = (word.end + 1, new_word.end + 1);
        if old[word.clone()] != new[new_word.clone()] {
            words.push((word.clone(), new_word.clone()));
        }
        match (old.get(word.end), new.get(new_word.end)) {
            (None, None) => return words,
            (old, new) if old == new => {}
            _ => return Vec::new(),
        }
    }
}

/// The word that starts at `start`; it can be empty.
fn word(text: &[u8], start: usize, start_agent: fn(u8) -> bool) -> Range<usize> {
    let bytes = text[start..].iter().take_while(|byte| start_agent(**byte)).count();
    start..start + bytes
}

/// The change of one word. Short words take in the byte before and after: `_1abc2_`.
fn change<'s>(
    old: &'s [u8],
    new: &'s [u8],
    (word, new_word): Difference,
) -> Option<(Range<usize>, Change<'s>)> {
    let fits =
        |old: &[u8], new: &[u8]| TEXT_BYTES.contains(&old.len()) && TEXT_BYTES.contains(&new.len());
    let exact = (&old[word.clone()], &new[new_word.clone()]);
    if fits(exact.0, exact.1) {
        return Some((word, exact));
    }
    let wider = word.start.checked_sub(1)?..word.end + 1;
    let padded =
        (old.get(wider.clone())?, new.get(new_word.start.checked_sub(1)?..new_word.end + 1)?);
    fits(padded.0, padded.1).then_some((wider, padded))
}

#[cfg(test)]
mod tests;
