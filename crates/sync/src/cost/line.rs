//! What the line to a destination carries, and which recipes pay on it.

use std::time::Duration;

use assetsync_core::recipe::Recipes;
use assetsync_ssh::ResponseTimes;

/// Bytes per second to a destination on this machine.
const LOCAL: u64 = 400_000_000;

/// Bytes per second to a host that answers to TCP and SSH as one in the same building does, until
/// something is measured.
const NEARBY: u64 = 60_000_000;

/// Bytes per second to any other host, until something is measured.
const UNKNOWN: u64 = 2_500_000;

/// Where bytes decide, a line counts as one of this many bytes per second.
const METERED: u64 = 250_000;

/// A host that answers to TCP within this time is this machine, or in the same building.
const NEARBY_TCP_RESPONSE: Duration = Duration::from_millis(3);

/// A host that takes longer than this to answer to SSH is behind a forwarded port, on another line.
/// Generous, because processes may have to wait for a processor.
const NEARBY_SSH_RESPONSE: Duration = Duration::from_millis(25);

/// From this many bytes per second on, what deltas send more than patches is sent before the
/// contents are compared, and a `.gz` is sent before it is taken apart.
const QUICK: u64 = 12_000_000;

/// What the line to a destination carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Bytes per second.
    rate: u64,
    /// Where the rate comes from.
    pub source: RateSource,
    /// Whether fewer bytes are better than less time.
    pub is_metered: bool,
}

/// What an earlier push found out about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastLine {
    /// Bytes per second.
    pub rate: u64,
    /// How soon the host answered to SSH then, in whole milliseconds, if that was measured.
    pub ssh_response: Option<Duration>,
}

impl PastLine {
    /// Whether a host that answers in these times now is probably reached in the same way.
    fn is_way_of(self, now: ResponseTimes) -> bool {
        self.ssh_response.is_some_and(|then| now.ssh <= (then * 2).max(NEARBY_SSH_RESPONSE))
    }
}

/// Where the rate of a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateSource {
    /// Nothing is known yet.
    Assumed,
    /// How soon the host answered.
    ResponseTimes,
    /// An earlier push.
    Remembered,
    /// Receipts of the agent.
    Measured,
}

impl Line {
    /// The line to a destination on this machine.
    pub const LOCAL: Line = Line::of(LOCAL, RateSource::ResponseTimes);

    /// A line about which nothing is known.
    pub const UNKNOWN: Line = Line::of(UNKNOWN, RateSource::Assumed);

    const fn of(rate: u64, source: RateSource) -> Line {
        Line { rate, source, is_metered: false }
    }

    /// The line to a host that answered in these times, if they are known.
    fn answering_in(times: Option<ResponseTimes>) -> Line {
        let is_nearby =
            |it: ResponseTimes| it.tcp < NEARBY_TCP_RESPONSE && it.ssh < NEARBY_SSH_RESPONSE;
        match times.is_some_and(is_nearby) {
            true => Line::of(NEARBY, RateSource::ResponseTimes),
            false => Line::UNKNOWN,
        }
    }

    /// The line that carried this many bytes per second in an earlier push.
    pub fn remembered(rate: u64) -> Line {
        Line::of(rate.max(1), RateSource::Remembered)
    }

    /// The line to a host that answered in these times, if they are known, and to which an earlier
    /// push went, if one did. That push may have gone another way: a quick rate counts only for a
    /// host that is nearby now, or answers about as soon as then, since on a slow line it would
    /// cost many bytes.
    pub fn to_known_host(times: Option<ResponseTimes>, past: Option<PastLine>) -> Line {
        let found = Line::answering_in(times);
        let Some(past) = past else { return found };
        let remembered = Line::remembered(past.rate);
        let is_same_way = || times.is_some_and(|now| past.is_way_of(now));
        match !remembered.is_quick() || found.is_quick() || is_same_way() {
            true => remembered,
            false => found,
        }
    }

    /// The line that carries this many bytes per second in this push.
    pub fn measured(rate: u64) -> Line {
        Line::of(rate.max(1), RateSource::Measured)
    }

    /// Bytes per second.
    pub fn bytes_per_second(self) -> u64 {
        self.rate
    }

    /// The line with a rate that was measured since, if any was.
    pub fn updated(self, measured: Option<u64>) -> Line {
        match measured {
            Some(rate) if !self.is_metered => Line::measured(rate),
            _ => self,
        }
    }

    /// The line where fewer bytes are better than less time, of which at most `limit` may be sent
    /// in a second.
    pub fn metered(self, limit: Option<u64>) -> Line {
        let rate = limit.map_or(METERED, |limit| limit.clamp(1, METERED));
        Line { rate, is_metered: true, ..self }
    }

    /// Bytes per second that later pushes shall know: what was `measured` in this one, or how quick
    /// the host's answers say that the line is.
    pub fn remembered_rate(self, measured: Option<u64>) -> Option<u64> {
        let is_judged = self.source == RateSource::ResponseTimes && !self.is_metered;
        measured.or(is_judged.then_some(self.rate))
    }

    /// Whether sending bytes takes less time than finding out which of them need not be sent.
    pub fn is_quick(self) -> bool {
        self.rate >= QUICK
    }

    /// Seconds for this many bytes.
    pub fn seconds(self, bytes: f64) -> f64 {
        bytes / self.rate as f64
    }

    /// Where the rate comes from, and what follows from it, in words.
    pub fn why(self) -> String {
        const QUICK: &str = "so files are sent whole or by blocks, which takes least work";
        const SLOW: &str = "so files are sent with few bytes, where that ends sooner";
        match (self.is_metered, self.source, self.is_quick()) {
            (true, ..) => ["as if it were slow, as asked", "so the fewest bytes are sent"],
            (_, RateSource::Assumed, _) => ["as is assumed until it is measured", SLOW],
            (_, RateSource::ResponseTimes, _) => ["judged by how soon the host answers", QUICK],
            (_, RateSource::Remembered, true) => ["as in the last push", QUICK],
            (_, RateSource::Remembered, false) => ["as in the last push", SLOW],
            (_, RateSource::Measured, true) => ["measured now", QUICK],
            (_, RateSource::Measured, false) => ["measured now", SLOW],
        }
        .join(", ")
    }

    /// The recipes to use: `only` these if given, else those that pay on this line.
    pub fn recipes(self, only: Option<Recipes>) -> Recipes {
        only.unwrap_or(if self.is_quick() { Recipes::FAST_LINK } else { Recipes::ALL })
    }

    /// Whether bytes travel sooner than something that does so many in a second.
    pub fn carries_more_than(self, bytes_per_second: f64) -> bool {
        self.rate as f64 > bytes_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_nearby_if_tcp_and_ssh_both_respond_quickly() {
        let of = |tcp, ssh| {
            let [tcp, ssh] = [tcp, ssh].map(Duration::from_millis);
            Line::answering_in(Some(ResponseTimes { tcp, ssh }))
        };
        assert!(of(0, 0).is_quick() && of(2, 24).is_quick());
        assert_eq!([of(3, 3), of(0, 25), Line::answering_in(None)], [Line::UNKNOWN; 3]);
        assert!(!Line::UNKNOWN.is_quick() && Line::LOCAL.is_quick());
    }

    #[test]
    fn a_quick_rate_is_remembered_only_of_a_host_that_is_nearby() {
        let line = |ssh, past| {
            let [tcp, ssh] = [0, ssh].map(Duration::from_millis);
            Line::to_known_host(Some(ResponseTimes { tcp, ssh }), past)
        };
        let past = |rate| Some(PastLine { rate, ssh_response: None });
        let (slow, quick) = (past(2_000_000), past(100_000_000));
        assert_eq!([line(5, slow), line(100, slow)], [Line::remembered(2_000_000); 2]);
        assert_eq!(line(5, quick), Line::remembered(100_000_000));
        assert_eq!([line(100, quick), line(100, None)], [Line::UNKNOWN; 2]);
        assert_eq!(Line::to_known_host(None, quick), Line::UNKNOWN);
    }

    /// Behind a forwarded port, or a server whose key exchange is slow.
    #[test]
    fn a_quick_rate_is_remembered_of_a_host_that_answers_as_soon_as_then() {
        let is_quick = |then, now| {
            let [tcp, ssh] = [0, now].map(Duration::from_millis);
            let ssh_response = Some(Duration::from_millis(then));
            let past = PastLine { rate: 100_000_000, ssh_response };
            Line::to_known_host(Some(ResponseTimes { tcp, ssh }), Some(past)).is_quick()
        };
        assert!(is_quick(40, 40) && is_quick(40, 80) && is_quick(40, 5) && is_quick(5, 25));
        assert!(!is_quick(40, 81) && !is_quick(5, 50));
    }

    #[test]
    fn what_is_measured_replaces_what_was_assumed() {
        assert_eq!(Line::UNKNOWN.updated(None), Line::UNKNOWN);
        assert_eq!(Line::UNKNOWN.updated(Some(80_000_000)), Line::measured(80_000_000));
        assert!(!Line::LOCAL.updated(Some(1_000_000)).is_quick());
    }

    #[test]
    fn what_was_measured_is_remembered_or_that_a_host_is_nearby() {
        let nearby = Duration::from_millis(1);
        let nearby = Line::answering_in(Some(ResponseTimes { tcp: nearby, ssh: nearby }));
        assert_eq!(nearby.remembered_rate(None), Some(NEARBY));
        assert_eq!(nearby.remembered_rate(Some(7)), Some(7));
        for line in [Line::UNKNOWN, Line::remembered(9), nearby.metered(None)] {
            assert_eq!(line.remembered_rate(None), None, "{line:?}");
        }
    }

    #[test]
    fn a_metered_line_stays_as_it_is() {
        let metered = Line::LOCAL.metered(None);
        assert!(!metered.is_quick() && metered.updated(Some(LOCAL)) == metered);
        assert_eq!(Line::LOCAL.metered(Some(u64::MAX)), metered);
        assert_eq!(Line::LOCAL.metered(Some(1000)).bytes_per_second(), 1000);
    }

    #[test]
    fn explicit_recipes_override_the_line() {
        assert_eq!(Line::LOCAL.recipes(Some(Recipes::ALL)), Recipes::ALL);
        assert!(!Line::LOCAL.recipes(None).patch && Line::UNKNOWN.recipes(None).patch);
    }
}
