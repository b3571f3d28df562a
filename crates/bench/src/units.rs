//! Numbers as tables show them: three digits that count, SI units.

/// Microseconds as seconds: `0.063`, `1.24`, `73.4`, `185`.
pub(crate) fn seconds(microseconds: u64) -> String {
    match microseconds as f64 / 1e6 {
        small if small < 0.9995 => format!("{small:.3}"),
        small if small < 9.995 => format!("{small:.2}"),
        medium if medium < 99.95 => format!("{medium:.1}"),
        large => format!("{large:.0}"),
    }
}

/// Bytes in at most eight characters: `918 B`, `7.12 kB`, `34.0 MB`.
pub(crate) fn bytes(count: u64) -> String {
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1e3;
    let mut units = ["kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next();
    while value >= 999.5 {
        let Some(next) = units.next() else { break };
        value /= 1e3;
        unit = Some(next);
    }
    let decimals = match value {
        small if small < 9.995 => 2,
        medium if medium < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", unit.unwrap_or("TB"))
}

/// How much of `whole` `part` is: `0.07`, `1.00`, `12.3`.
pub(crate) fn ratio(part: u64, whole: u64) -> String {
    match part as f64 / whole.max(1) as f64 {
        small if small < 0.00995 => format!("{small:.3}"),
        small if small < 9.995 => format!("{small:.2}"),
        medium if medium < 99.95 => format!("{medium:.1}"),
        large => format!("{large:.0}"),
    }
}

/// A number with its thousands set apart: `1,046`.
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
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
            (5_000_000_000_000_000, "5000 TB"),
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
        assert_eq!([number(7), number(1_046), number(1_234_567)], ["7", "1,046", "1,234,567"]);
    }
}
