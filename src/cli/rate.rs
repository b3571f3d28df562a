//! `--bwlimit`: rates as rsync reads them.

use std::str::FromStr;

/// Bytes a second, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Option<u64>);

/// Not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a number with an optional suffix: 500 (KiB), 1.5M, 2MB, or 0 for no limit")]
pub struct BadRate;

impl Rate {
    /// Bytes a second, if there is a limit.
    pub fn bytes_per_second(self) -> Option<u64> {
        self.0
    }
}

impl FromStr for Rate {
    type Err = BadRate;

    /// A number with an optional suffix `K` (KiB, the default), `M`, `G` or `T`. A following `iB`
    /// has no effect, a following `B` makes it a power of 1000; a lone `B` means bytes.
    fn from_str(text: &str) -> Result<Rate, BadRate> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let number: f64 = number.parse().map_err(|_| BadRate)?;
        let bytes = (number * multiple(suffix).ok_or(BadRate)?).round();
        match bytes {
            0.0 => Ok(Rate(None)),
            1.0..9e18 => Ok(Rate(Some(bytes as u64))),
            _ => Err(BadRate),
        }
    }
}

/// The number of bytes that a suffix stands for.
fn multiple(suffix: &str) -> Option<f64> {
    let suffix = suffix.to_ascii_lowercase();
    let (unit, base) = match suffix.as_str() {
        "" => ("k", 1024.0),
        "b" => return Some(1.0),
        other => match (other.strip_suffix("ib"), other.strip_suffix('b')) {
            (Some(unit), _) => (unit, 1024.0),
            (None, Some(unit)) => (unit, 1000.0),
            (None, None) => (other, 1024.0_f64),
        },
    };
    let power = ["k", "m", "g", "t"].iter().position(|known| *known == unit)?;
    Some(base.powi(power as i32 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_rsync_reads_them() {
        let rows = [
            ("0", None),
            ("0M", None),
            ("1", Some(1024)),
            ("1.5", Some(1536)),
            ("500", Some(512_000)),
            ("500k", Some(512_000)),
            ("500KiB", Some(512_000)),
            ("500KB", Some(500_000)),
            ("800b", Some(800)),
            ("2M", Some(2 << 20)),
            ("1.5m", Some(3 << 19)),
            ("2mb", Some(2_000_000)),
            (".5G", Some(1 << 29)),
            ("1T", Some(1 << 40)),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse(), Ok(Rate(expected)), "{text}");
        }
    }

    #[test]
    fn invalid_rates_are_refused() {
        for text in ["", "M", "-1", "1x", "1.2.3", "1 M", "1e3", "inf", "nan", "99999999999T"] {
            assert_eq!(text.parse::<Rate>(), Err(BadRate), "{text}");
        }
    }
}
