//! Where one competitor is furthest from the best: what to work on next.

use crate::record::{Heat, Record};
use crate::stats::{Summary, summary};
use crate::units::{bytes, ratio, seconds};

/// How far a competitor is from the best of all in one scenario.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gap {
    /// How many times the best's number its own is.
    factor: f64,
    /// In words, a line.
    pub(crate) words: String,
}

/// The `count` largest gaps of `ours` in seconds and bytes, the largest first. Bare `ssh HOST true`
/// counts as a competitor: it is the floor.
pub(crate) fn gaps(records: &[Record], ours: &str, count: usize) -> Vec<Gap> {
    let mut found: Vec<Gap> = records.iter().flat_map(|record| of_record(record, ours)).collect();
    found.sort_by(|a, b| b.factor.total_cmp(&a.factor));
    found.truncate(count);
    found
}

fn of_record(record: &Record, ours: &str) -> Vec<Gap> {
    let mut found = Vec::new();
    for race in &record.races {
        for heat in &race.heats {
            let place =
                format!("{}, link {}, {}", record.new.name, race.link, heat.scenario.title());
            found.extend(gap(heat, ours, &place, "s", |of| of.wall.median, seconds));
            found.extend(gap(heat, ours, &place, "", |of| of.bytes, bytes));
        }
    }
    found
}

/// The gap in one number; nothing where `ours` is the best, wrong, or not there.
fn gap(
    heat: &Heat,
    ours: &str,
    place: &str,
    unit: &str,
    number: fn(&Summary) -> u64,
    shown: fn(u64) -> String,
) -> Option<Gap> {
    let all = heat
        .entries
        .iter()
        .filter_map(|entry| Some((entry.competitor.as_str(), number(&summary(entry).ok()?))));
    let all: Vec<(&str, u64)> = all.collect();
    let (_, own) = *all.iter().find(|(name, _)| *name == ours)?;
    let (best, least) = *all.iter().min_by_key(|(_, value)| *value)?;
    let factor = own as f64 / least.max(1) as f64;
    let [own, least_shown] = [own, least].map(|value| format!("{} {unit}", shown(value)));
    let times = ratio((factor * 1e3) as u64, 1_000);
    let (own, least_shown) = (own.trim_end(), least_shown.trim_end());
    let words = format!("{place}: {own}, {times} times the {least_shown} of {best}");
    (factor > 1.0).then_some(Gap { factor, words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::record;

    #[test]
    fn the_largest_gap_comes_first() {
        let words: Vec<String> =
            gaps(&[record()], "assetsync", 1).into_iter().map(|gap| gap.words).collect();
        assert_eq!(
            words,
            ["new, link 0, First push: 150 kB, 21.4 times the 7.00 kB of ssh HOST true"]
        );
        assert_eq!(gaps(&[record()], "nobody", 3), []);
        // The best has no gap in seconds, so all are of bytes.
        assert_eq!(gaps(&[record()], "ssh HOST true", 9).len(), 4);
    }
}
