//! The text of a progress line, in as many columns as there are. Pure.

use std::time::Duration;

use assetsync_units::{bytes, clock};

use super::arrivals::Sum;

/// Between the destination's name and the rest.
const GAP: &str = "  ";

/// Fewer columns are no bar.
const LEAST_BAR: usize = 10;

/// More columns do not make a bar clearer.
const MOST_BAR: usize = 40;

/// A phase that takes longer says for how long it goes on.
const SHOW_ELAPSED_AFTER: Duration = Duration::from_secs(1);

/// What is shown of a destination.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// What happens.
    pub phase: &'a str,
    /// For how long.
    pub elapsed: Duration,
    /// How much of the content has arrived, while it is sent.
    pub amounts: Option<Sum>,
}

/// Columns for names in a line of `columns`: at most three eighths.
pub fn label_columns(longest: usize, columns: usize) -> usize {
    longest.min(columns * 3 / 8)
}

/// The name of a destination in so many columns, and what happens there, in at most `columns`.
pub fn line(label: &str, label_columns: usize, shown: Shown<'_>, columns: usize) -> String {
    let label = shortened(label, label_columns);
    let rest = columns.saturating_sub(label_columns + GAP.len());
    format!("{label:label_columns$}{GAP}{}", fitting(shown, rest))
}

/// A line for output that is no terminal: all of it, and no bar.
pub fn plain(label: &str, shown: Shown<'_>) -> String {
    format!("{label}: {}", fitting(shown, usize::MAX))
}

/// The longest text that fits.
fn fitting(shown: Shown<'_>, columns: usize) -> String {
    let Shown { phase, elapsed, amounts } = shown;
    let Some(amounts) = amounts else {
        let text = match elapsed > SHOW_ELAPSED_AFTER {
            true => format!("{phase} {} s", elapsed.as_secs()),
            false => phase.to_owned(),
        };
        return text.chars().take(columns).collect();
    };
    let amount = format!("{} of ~{}", bytes(amounts.arrived), bytes(amounts.expected));
    let part = format!("{}%", percent(amounts));
    let rate = amounts.rate.map_or(String::new(), |rate| format!("{GAP}{}/s", bytes(rate)));
    let left = amounts.left.map_or(String::new(), |left| format!("{GAP}{} left", clock(left)));
    let all = format!("{amount}{rate}{left}");
    let bar = columns.saturating_sub(phase.len() + all.len() + GAP.len() + 3).min(MOST_BAR);
    if bar >= LEAST_BAR && columns != usize::MAX {
        return format!("{phase} [{}]{GAP}{all}", drawn(amounts, bar));
    }
    let shorter = [all, format!("{part}{rate}{left}"), format!("{part}{left}"), part];
    let mut texts = shorter.iter().map(|text| format!("{phase} {text}"));
    let fitting = texts.find(|text| text.len() <= columns);
    fitting.unwrap_or_else(|| phase.chars().take(columns).collect())
}

fn percent(Sum { arrived, expected, .. }: Sum) -> u64 {
    // Only what has all arrived is 100 %.
    arrived * 100 / expected.max(1)
}

fn drawn(amounts: Sum, columns: usize) -> String {
    let filled = columns * percent(amounts) as usize / 100;
    let tip = if filled < columns { ">" } else { "" };
    format!("{:columns$}", "=".repeat(filled) + tip)
}

/// Leaves out the user and the middle of a label: the host is at its start, and paths differ at
/// their ends.
fn shortened(label: &str, columns: usize) -> String {
    const DOTS: &str = "...";
    if label.chars().count() <= columns {
        return label.to_owned();
    }
    let (host, path) = label.split_once(':').unwrap_or((label, ""));
    let host = host.split_once('@').map_or(host, |(_, host)| host);
    let label = if path.is_empty() { host.to_owned() } else { format!("{host}:{path}") };
    let count = label.chars().count();
    if count <= columns || columns <= DOTS.len() {
        return label.chars().take(columns).collect();
    }
    let kept = columns - DOTS.len();
    // The host as a whole and some of the path, or more of the host than of the path.
    let whole = host.chars().count() + 1;
    let start = if whole + 4 <= kept { whole } else { kept * 2 / 3 };
    let head: String = label.chars().take(start).collect();
    let tail: String = label.chars().skip(count - (kept - start)).collect();
    format!("{head}{DOTS}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDING: Sum = Sum {
        arrived: 3_100_000,
        expected: 9_400_000,
        rate: Some(281_000),
        left: Some(Duration::from_secs(22)),
    };

    fn shown(phase: &str, seconds: u64, amounts: Option<Sum>) -> Shown<'_> {
        Shown { phase, elapsed: Duration::from_secs(seconds), amounts }
    }

    fn lines(columns: usize) -> Vec<String> {
        let one = "deploy@web1.example.com:/srv/shop/shared/public/assets";
        let rows = [
            (one, shown("connecting", 0, None)),
            (one, shown("sending", 11, Some(SENDING))),
            ("web2:/srv", shown("publishing", 3, None)),
            ("total", shown("sending", 11, Some(Sum { left: None, ..SENDING }))),
        ];
        let longest = rows.iter().map(|(label, _)| label.chars().count()).max();
        let width = label_columns(longest.unwrap_or(0), columns);
        rows.iter().map(|(label, shown)| line(label, width, *shown, columns)).collect()
    }

    #[test]
    fn lines_in_terminals_of_three_widths() {
        let all = [39, 79, 119].map(|columns| lines(columns).join("\n")).join("\n\n");
        let expected = "\
web1.ex...sets  connecting
web1.ex...sets  sending 32%  0:22 left
web2:/srv       publishing 3 s
total           sending 32%  281 kB/s

web1.example.com:...ic/assets  connecting
web1.example.com:...ic/assets  sending 3.1 MB of ~9.4 MB  281 kB/s  0:22 left
web2:/srv                      publishing 3 s
total                          sending 3.1 MB of ~9.4 MB  281 kB/s

web1.example.com:...hop/shared/public/assets  connecting
web1.example.com:...hop/shared/public/assets  sending [=======>               ]  3.1 MB of ~9.4 MB  281 kB/s  0:22 left
web2:/srv                                     publishing 3 s
total                                         sending [==========>                       ]  3.1 MB of ~9.4 MB  281 kB/s";
        assert_eq!(all, expected, "{all}");
    }

    #[test]
    fn no_line_is_too_long() {
        for columns in 10..200 {
            for line in lines(columns) {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn labels_keep_the_host_and_the_end() {
        assert_eq!(shortened("web1:/srv", 18), "web1:/srv");
        assert_eq!(shortened("deploy@web1:/srv/shop/assets", 20), "web1:.../shop/assets");
        assert_eq!(shortened("deploy@web1:/srv/shop", 20), "web1:/srv/shop");
        assert_eq!(shortened("deploy@web1.example.com:/srv", 15), "web1.exa.../srv");
        assert_eq!(shortened("web1:/srv", 3), "web");
    }

    #[test]
    fn outside_a_terminal_lines_are_whole() {
        let text = plain("web1:/srv", shown("sending", 11, Some(SENDING)));
        assert_eq!(text, "web1:/srv: sending 3.1 MB of ~9.4 MB  281 kB/s  0:22 left");
        assert_eq!(plain("web1:/srv", shown("publishing", 20, None)), "web1:/srv: publishing 20 s");
    }
}
