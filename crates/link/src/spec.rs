//! Latency and rate of a link, and how they are written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};

/// Latency and rate of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkSpec {
    /// The round trip; each way takes half of it.
    pub round_trip: Duration,
    /// Bytes a second each way, shared by all connections; unlimited if nothing.
    pub rate: Option<u64>,
}

/// Rates as they are written, in bytes a second.
const RATES: [(&str, u64); 3] =
    [("kbit", 1_000 / 8), ("mbit", 1_000_000 / 8), ("gbit", 1_000_000_000 / 8)];

/// Times as they are written, in microseconds. Two-letter units come first, as `s` ends them too.
const TIMES: [(&str, u64); 3] = [("us", 1), ("ms", 1_000), ("s", 1_000_000)];

/// Bytes in flight on a link without a rate.
const UNLIMITED_ROOM: u64 = 4 << 20;

/// The queue of a router in front of a slow line.
const ROUTER_QUEUE: u64 = 64 << 10;

impl LinkSpec {
    /// A link that only counts.
    pub const UNSHAPED: Self = Self { round_trip: Duration::ZERO, rate: None };

    /// Reads `50ms,20mbit`: a round trip and a rate, either alone, or `0` for neither.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::Spec(text.to_owned());
        if text == "0" {
            return Ok(Self::UNSHAPED);
        }
        let mut spec = Self::UNSHAPED;
        for part in text.split(',').map(str::trim) {
            if let Some(rate) = scaled(part, &RATES).filter(|rate| *rate > 0) {
                spec.rate = Some(rate);
            } else {
                spec.round_trip = Duration::from_micros(scaled(part, &TIMES).ok_or_else(wrong)?);
            }
        }
        Ok(spec)
    }

    /// The latency of one way.
    pub(crate) fn one_way(&self) -> Duration {
        self.round_trip / 2
    }

    /// How many bytes can be in flight each way before the sender has to wait: enough to keep the
    /// line full, and no more than a router would queue.
    pub(crate) fn room(&self) -> u64 {
        let Some(rate) = self.rate else { return UNLIMITED_ROOM };
        let in_flight = u128::from(rate) * self.round_trip.as_micros() / 1_000_000;
        u64::try_from(in_flight).unwrap_or(UNLIMITED_ROOM).saturating_add(ROUTER_QUEUE)
    }

    /// How many bytes to move at once: what the line carries in a millisecond, so that connections
    /// share it fairly, within what packets and memory make sensible.
    pub(crate) fn chunk(&self) -> usize {
        let millisecond = self.rate.unwrap_or(u64::MAX) / 1_000;
        usize::try_from(millisecond).unwrap_or(usize::MAX).clamp(1_460, 64 << 10)
    }
}

impl FromStr for LinkSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for LinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.round_trip, self.rate) {
            (Duration::ZERO, None) => f.write_str("0"),
            (Duration::ZERO, Some(rate)) => write_rate(f, rate),
            (round_trip, None) => write!(f, "{round_trip:?}"),
            (round_trip, Some(rate)) => {
                write!(f, "{round_trip:?},")?;
                write_rate(f, rate)
            }
        }
    }
}

fn write_rate(f: &mut fmt::Formatter<'_>, rate: u64) -> fmt::Result {
    let fits = |(_, scale): &&(&str, u64)| rate >= *scale;
    let (unit, scale) = RATES.iter().rev().find(fits).unwrap_or(&RATES[0]);
    #[expect(clippy::cast_precision_loss, reason = "shown to a person")]
    let number = rate as f64 / *scale as f64;
    write!(f, "{number}{unit}")
}

/// The value of a number with one of the `units`, whole or with a fraction.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, scale) =
        units.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)))?;
    let number: f64 = number.trim().parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "scales are small powers of ten")]
    let value = number * scale as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked here")]
    (0.0..1e15).contains(&value).then_some(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(milliseconds: u64, rate: Option<u64>) -> LinkSpec {
        LinkSpec { round_trip: Duration::from_millis(milliseconds), rate }
    }

    #[test]
    fn links_are_read_and_written_alike() {
        for (text, expected) in [
            ("0", spec(0, None)),
            ("50ms", spec(50, None)),
            ("1s", spec(1000, None)),
            ("20mbit", spec(0, Some(2_500_000))),
            ("50ms,20mbit", spec(50, Some(2_500_000))),
            ("200ms,512kbit", spec(200, Some(64_000))),
            (
                "1.5ms,1gbit",
                LinkSpec { round_trip: Duration::from_micros(1500), rate: Some(125_000_000) },
            ),
        ] {
            assert_eq!(text.parse::<LinkSpec>().unwrap(), expected, "{text}");
            assert_eq!(expected.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_link_says_how_to_write_one() {
        for text in ["", "fast", "50", "-5ms", "0mbit", "50ms,", "NaNms", "1e99s"] {
            let error = LinkSpec::parse(text).unwrap_err().to_string();
            assert!(error.ends_with("write a round trip and a rate, as in 50ms,20mbit, or 0"));
        }
    }

    #[test]
    fn the_line_has_room_for_what_is_in_flight() {
        assert_eq!(spec(50, Some(2_500_000)).room(), 125_000 + ROUTER_QUEUE);
        assert_eq!(spec(50, Some(2_500_000)).chunk(), 2_500);
        assert_eq!(LinkSpec::UNSHAPED.chunk(), 64 << 10);
        assert_eq!(spec(0, Some(1)).chunk(), 1_460);
    }
}
