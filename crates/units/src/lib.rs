//! Numbers as people read them: SI units, thousands separators, short times.

pub mod precise;

use std::time::Duration;

/// Bytes in at most four characters and a unit: `281 kB`, `33.5 MB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    bytes_with(count, |value| usize::from(value < 99.95))
}

/// Bytes with their unit; `decimals` gives the number of decimals of a value of at least 1 kB.
fn bytes_with(count: u64, decimals: fn(f64) -> usize) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    // What would be rounded to 1000 belongs to the next unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = decimals(value);
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A number with thousands separators: `1,046`.
#[must_use]
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and a noun: `1 file`, `2 files`.
#[must_use]
pub fn plural(count: u64, one: &str) -> String {
    format!("{} {one}{}", number(count), if count == 1 { "" } else { "s" })
}

/// An elapsed time: `0.42 s`, `12.3 s`, `3 min 05 s`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 9.995 => format!("{short:.2} s"),
        short if short < 99.95 => format!("{short:.1} s"),
        _ => format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// A remaining time, as on a clock: `0:07`, `12:34`, `1:02:03`.
#[must_use]
pub fn clock(time: Duration) -> String {
    let (hours, minutes, seconds) =
        (time.as_secs() / 3600, time.as_secs() / 60 % 60, time.as_secs() % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A part of a whole in per cent: `1.1 %`, `37 %`. What is more than the whole is no part of it.
#[must_use]
pub fn percent(part: u64, whole: u64) -> Option<String> {
    if whole == 0 || part > whole {
        return None;
    }
    Some(match 100.0 * part as f64 / whole as f64 {
        small if small < 9.95 => format!("{small:.1} %"),
        large => format!("{large:.0} %"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_fit_their_column() {
        let rows = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (281_400, "281 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (33_512_000, "33.5 MB"),
            (1 << 40, "1.1 TB"),
            (u64::MAX, "18447 PB"),
        ];
        for (count, expected) in rows {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        let rows = [(0, "0"), (999, "999"), (1046, "1,046"), (1_234_567, "1,234,567")];
        for (count, expected) in rows {
            assert_eq!(number(count), expected);
        }
        assert_eq!((plural(1, "file"), plural(2, "file")), ("1 file".into(), "2 files".into()));
    }

    #[test]
    fn times_are_short() {
        let of = |secs| Duration::from_secs_f64(secs);
        let passed = [(0.0, "0.00 s"), (1.236, "1.24 s"), (12.34, "12.3 s"), (185.0, "3 min 05 s")];
        for (secs, expected) in passed {
            assert_eq!(seconds(of(secs)), expected);
        }
        for (secs, expected) in [(7.9, "0:07"), (754.0, "12:34"), (3723.0, "1:02:03")] {
            assert_eq!(clock(of(secs)), expected);
        }
    }

    #[test]
    fn parts_are_told_with_one_decimal_where_it_matters() {
        let rows = [
            (11, 1000, Some("1.1 %")),
            (370, 1000, Some("37 %")),
            (0, 10, Some("0.0 %")),
            (10, 10, Some("100 %")),
            (259, 3, None),
            (1, 0, None),
            (0, 0, None),
        ];
        for (part, whole, expected) in rows {
            assert_eq!(percent(part, whole).as_deref(), expected, "{part} of {whole}");
        }
    }
}
