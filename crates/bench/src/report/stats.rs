//! Medians and spreads of runs.

use crate::record::{CompetitorRuns, Run};

/// Median, smallest and largest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread {
    /// The median; of an even count, the mean of the two in the middle.
    pub(crate) median: u64,
    /// The smallest.
    pub(crate) min: u64,
    /// The largest.
    pub(crate) max: u64,
}

impl Spread {
    /// Of `numbers`; nothing of none.
    pub(crate) fn of(numbers: impl IntoIterator<Item = u64>) -> Option<Spread> {
        let mut sorted: Vec<u64> = numbers.into_iter().collect();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            1 => sorted[middle],
            _ => sorted[middle - 1].midpoint(sorted[middle]),
        };
        Some(Spread { median, min, max })
    }
}

/// The medians of the runs of one competitor in one scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Time in microseconds.
    pub(crate) wall: Spread,
    /// CPU microseconds here.
    pub(crate) cpu: u64,
    /// CPU microseconds on the server.
    pub(crate) far_cpu: Option<u64>,
    /// Bytes of memory on the server.
    pub(crate) far_peak: Option<u64>,
    /// Bytes to the host.
    pub(crate) sent: u64,
    /// Bytes from the host.
    pub(crate) received: u64,
    /// Bytes both ways.
    pub(crate) bytes: u64,
}

impl CompetitorRuns {
    /// The median of a number of each run, as tables show it; nothing if there is no run.
    pub fn median(&self, number: impl Fn(&Run) -> u64) -> Option<u64> {
        Spread::of(self.runs.iter().map(number)).map(|spread| spread.median)
    }
}

/// The medians of `entry`, or its fault: one bad run makes the whole entry bad.
pub(crate) fn summary(entry: &CompetitorRuns) -> Result<Summary, String> {
    if let Some(fault) = entry.runs.iter().find_map(|run| run.outcome.fault()) {
        return Err(fault);
    }
    summary_of_right(entry).ok_or_else(|| "did not run".to_owned())
}

fn summary_of_right(entry: &CompetitorRuns) -> Option<Summary> {
    let runs = &entry.runs;
    let median = |numbers: Vec<u64>| Spread::of(numbers).map(|spread| spread.median);
    Some(Summary {
        wall: Spread::of(runs.iter().map(|run| run.wall_us))?,
        cpu: entry.median(|run| run.cpu_us)?,
        far_cpu: median(runs.iter().filter_map(|run| run.far_cpu_us).collect()),
        far_peak: median(runs.iter().filter_map(|run| run.far_peak_bytes).collect()),
        sent: entry.median(|run| run.sent_bytes)?,
        received: entry.median(|run| run.received_bytes)?,
        bytes: entry.median(Run::bytes)?,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::{Outcome, Run};

    /// A run that did right.
    pub(crate) fn run(wall_us: u64, sent_bytes: u64) -> Run {
        Run {
            outcome: Outcome::Right,
            wall_us,
            cpu_us: wall_us / 2,
            far_cpu_us: Some(wall_us / 4),
            far_peak_bytes: Some(8_000_000),
            sent_bytes,
            received_bytes: 1_000,
        }
    }

    #[test]
    fn medians_are_in_the_middle() {
        let of = |numbers: &[u64]| {
            Spread::of(numbers.iter().copied())
                .map(|spread| (spread.min, spread.median, spread.max))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7, 7)));
        assert_eq!(of(&[9, 1, 2]), Some((1, 2, 9)));
        assert_eq!(of(&[9, 1, 2, 4]), Some((1, 3, 9)));
    }

    #[test]
    fn one_bad_run_is_enough() {
        let bad = Run { outcome: Outcome::Failed { said: "no".into() }, ..run(1, 1) };
        let entry = |runs| CompetitorRuns { competitor: "x".into(), runs };
        assert_eq!(summary(&entry(vec![run(1, 1), bad])), Err("failed: no".into()));
        assert_eq!(summary(&entry(vec![])), Err("did not run".into()));
        let good = summary(&entry(vec![run(4, 1), run(8, 3)])).unwrap();
        assert_eq!((good.wall.median, good.bytes, good.far_cpu), (6, 1_002, Some(1)));
    }

    #[test]
    fn what_could_not_be_watched_has_no_median() {
        let blind = Run { far_cpu_us: None, far_peak_bytes: None, ..run(4, 1) };
        let summary =
            summary(&CompetitorRuns { competitor: "x".into(), runs: vec![blind] }).unwrap();
        assert_eq!((summary.far_cpu, summary.far_peak), (None, None));
    }
}
