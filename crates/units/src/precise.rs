//! Three significant digits, for tables.

/// Microseconds as seconds: `0.063`, `1.24`, `73.4`, `185`.
#[must_use]
pub fn seconds(microseconds: u64) -> String {
    let value = microseconds as f64 / 1e6;
    let decimals = if value < 0.9995 { 3 } else { decimals(value) };
    format!("{value:.decimals$}")
}

/// Bytes in at most eight characters: `918 B`, `7.12 kB`, `34.0 MB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    super::bytes_with(count, decimals)
}

/// `part` divided by `whole`: `0.07`, `1.00`, `12.3`.
#[must_use]
pub fn ratio(part: u64, whole: u64) -> String {
    let value = part as f64 / whole.max(1) as f64;
    let decimals = if value < 0.00995 { 3 } else { decimals(value) };
    format!("{value:.decimals$}")
}

/// The decimals that make three significant digits of a value of at least 1.
fn decimals(value: f64) -> usize {
    match value {
        small if small < 9.995 => 2,
        medium if medium < 99.95 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown() {
        let times =
            [(63_400, "0.063"), (1_236_000, "1.24"), (73_400_000, "73.4"), (185_000_000, "185")];
        for (time, text) in times {
            assert_eq!(seconds(time), text);
        }
        let sizes = [
            (918, "918 B"),
            (7_123, "7.12 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (34_000_000, "34.0 MB"),
            (5_000_000_000_000_000, "5.00 PB"),
        ];
        for (size, text) in sizes {
            assert_eq!(bytes(size), text);
        }
        let ratios = [
            (1, 1, "1.00"),
            (7, 100, "0.07"),
            (4, 1000, "0.004"),
            (123, 10, "12.3"),
            (5, 0, "5.00"),
        ];
        for (part, whole, text) in ratios {
            assert_eq!(ratio(part, whole), text);
        }
    }
}
