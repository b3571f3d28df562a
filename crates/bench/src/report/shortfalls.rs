//! The numbers in which one competitor is furthest from the best.

use assetsync_units::precise::{bytes, ratio, seconds};

use super::stats::{Summary, summary};
use crate::record::{Record, ScenarioRuns};

/// How far a competitor is from the best in one number of one scenario.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shortfall {
    /// Its number divided by the best.
    factor: f64,
    /// A line of text.
    pub(super) text: String,
}

/// The `count` largest shortfalls of `ours` in seconds and bytes, the largest first. Bare
/// `ssh HOST true` counts as a competitor: it is the lower bound.
pub(super) fn shortfalls(records: &[Record], ours: &str, count: usize) -> Vec<Shortfall> {
    let mut found: Vec<Shortfall> =
        records.iter().flat_map(|record| of_record(record, ours)).collect();
    found.sort_by(|a, b| b.factor.total_cmp(&a.factor));
    found.truncate(count);
    found
}

fn of_record(record: &Record, ours: &str) -> Vec<Shortfall> {
    let mut found = Vec::new();
    for race in &record.races {
        for heat in &race.heats {
            let place =
                format!("{}, link {}, {}", record.new.name, race.link, heat.scenario.title());
            found.extend(shortfall(heat, ours, &place, "s", |of| of.wall.median, seconds));
            found.extend(shortfall(heat, ours, &place, "", |of| of.bytes, bytes));
        }
    }
    found
}

/// The shortfall in one number; nothing where `ours` is the best, wrong, or did not run.
fn shortfall(
    heat: &ScenarioRuns,
    ours: &str,
    place: &str,
    unit: &str,
    number: fn(&Summary) -> u64,
    shown: fn(u64) -> String,
) -> Option<Shortfall> {
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
    let text = format!("{place}: {own}, {times} times the {least_shown} of {best}");
    (factor > 1.0).then_some(Shortfall { factor, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::tests::record;

    #[test]
    fn the_largest_shortfall_comes_first() {
        let texts: Vec<String> =
            shortfalls(&[record()], "assetsync", 1).into_iter().map(|one| one.text).collect();
        assert_eq!(
            texts,
            ["new, link 0, First push: 150 kB, 21.4 times the 7.00 kB of ssh HOST true"]
        );
        assert_eq!(shortfalls(&[record()], "nobody", 3), []);
        // The best has no shortfall in seconds, so all are of bytes.
        assert_eq!(shortfalls(&[record()], "ssh HOST true", 9).len(), 4);
    }
}
