//! How long ago something ended, when clocks can't be trusted.
//!
//! Every deploy has two times: the host's when it was published, and the sender's in its id. A
//! deploy is older than a limit only if it is by *both* clocks, and neither is trusted:
//!
//! - Order is certain: a deploy was not published before the ones before it, however early its time
//!   is. So it counts as no older than the latest time among them.
//! - A time that is still to come is wrong, or the clock is wrong now. It counts as the next good
//!   time after it, which is later than the truth.
//!
//! Both make deploys younger, never older. While one of the two clocks is right, nothing is deleted
//! too early, whatever the other shows.

use super::deploys::History;

/// The two clocks, read while nothing is published: seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The clock of the host whose history it is.
    pub host: i64,
    /// The sender's.
    pub sender: i64,
}

/// For every deploy, for how many seconds it has not been live any more. Never rising: newer
/// deploys are no older.
pub(super) fn ages(history: &History, now: Clocks) -> Vec<u64> {
    let host = history.deploys().iter().map(|deploy| deploy.published).collect();
    let sender = history.deploys().iter().map(|deploy| deploy.id.secs()).collect();
    let by_host = ages_by(host, now.host);
    let by_sender = ages_by(sender, now.sender);
    by_host.into_iter().zip(by_sender).map(|(host, sender)| host.min(sender)).collect()
}

/// Ages by one clock. A deploy ends when the next one begins; the newest ends now.
fn ages_by(begun: Vec<i64>, now: i64) -> Vec<u64> {
    let count = begun.len();
    let begun = no_earlier_than_true(begun, now);
    let ended = begun.into_iter().skip(1).chain([now]).take(count);
    // After `no_earlier_than_true` no time is later than now.
    ended.map(|ended| now.abs_diff(ended)).collect()
}

/// Times that rise, none of them later than `now`, and each as late as the order of all makes it.
fn no_earlier_than_true(mut times: Vec<i64>, now: i64) -> Vec<i64> {
    let mut next_good = now;
    for time in times.iter_mut().rev() {
        if *time > now {
            *time = next_good;
        }
        next_good = *time;
    }
    let mut latest = i64::MIN;
    for time in &mut times {
        latest = latest.max(*time);
        *time = latest;
    }
    times
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::deploys::Deploy;
    use crate::history::fixtures::deploy;
    use crate::history::id::DeployId;

    #[test]
    fn table() {
        let table = [
            ("in order", vec![10, 20, 30], 100, vec![80, 70, 0]),
            ("a clock that was behind", vec![10, 2, 30], 100, vec![90, 70, 0]),
            ("a clock that was ahead", vec![10, 900, 30], 100, vec![70, 70, 0]),
            ("ahead, and nothing after it", vec![10, 20, 900], 100, vec![80, 0, 0]),
            ("a clock that is behind now", vec![10, 20, 30], 5, vec![0, 0, 0]),
            ("behind now, but not all", vec![10, 20, 30], 15, vec![0, 0, 0]),
            ("the ends of time", vec![i64::MIN, i64::MAX], i64::MAX, vec![0, 0]),
            ("nothing", vec![], 5, vec![]),
        ];
        for (what, begun, now, expected) in table {
            assert_eq!(ages_by(begun, now), expected, "{what}");
        }
        assert_eq!(ages_by(vec![0, i64::MIN], i64::MAX), [i64::MAX as u64, 0]);
    }

    proptest! {
        #[test]
        fn newer_deploys_are_no_older(times in proptest::collection::vec(any::<i64>(), 0..9), now: i64) {
            let ages = ages_by(times, now);
            prop_assert!(ages.is_sorted_by(|older, newer| older >= newer));
        }

        /// If one clock is right, no deploy counts as older than it is, whatever the other shows.
        #[test]
        fn one_wrong_clock_is_no_danger(
            gaps in proptest::collection::vec(0_i64..1000, 1..9),
            wrong in proptest::collection::vec(any::<i64>(), 10),
            wrong_host: bool,
        ) {
            let rising = gaps.iter().scan(0, |sum, gap| { *sum += gap; Some(*sum) });
            let times: Vec<i64> = rising.collect();
            let now = times[times.len() - 1] + 5;
            let mut history = History::new();
            for (number, (&time, &wrong)) in (0..).zip(times.iter().zip(&wrong)) {
                let (host, sender) = if wrong_host { (wrong, time) } else { (time, wrong) };
                let id = DeployId::new(sender, number);
                history.deploys.push(Deploy { id, ..deploy(number, host) });
            }
            let now_read = match wrong_host {
                true => Clocks { host: wrong[9], sender: now },
                false => Clocks { host: now, sender: wrong[9] },
            };
            for (read, truth) in ages(&history, now_read).into_iter().zip(ages_by(times, now)) {
                prop_assert!(read <= truth, "{} > {}", read, truth);
            }
        }
    }
}
