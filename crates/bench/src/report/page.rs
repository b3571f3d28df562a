//! Records as a page in Markdown.

use std::fmt::Write;

use assetsync_units::plural;
use assetsync_units::precise::{bytes, ratio, seconds};

use super::shortfalls::shortfalls;
use super::stats::{Summary, summary};
use super::table::{about, range, trees};
use crate::competitor::Competitor;
use crate::record::{Race, Record, ScenarioRuns};

/// What a page says besides its records.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageText<'a> {
    /// The command that races again and writes the page, if there is one.
    pub script: Option<&'a str>,
    /// Paragraphs before the results, in Markdown, such as about the competitors.
    pub about: Option<&'a str>,
    /// The path of the chart, relative to the page, if there is one.
    pub chart: Option<&'a str>,
}

/// How the numbers are measured.
const METHOD: &str = "\
## How it is measured

- In every scenario each competitor brings the same destination up to date, in turn (A B C A B C). What it left is \
compared with the source: content of every file, links, directories, modes. A competitor that leaves a wrong tree is \
shown as wrong.
- Every file of the source is freshly written before each scenario but \"Nothing changed\", as a compile does it.
- What a scenario finds was pushed by the competitor itself. \"First push\" finds a host on which assetsync has never \
been, so installing the agent is part of it. \"Fresh machine\" has forgotten everything about earlier pushes here; the \
host has not.
- Seconds: from start to end of the whole command. Medians, and the smallest and largest in brackets.
- Bytes: TCP payload, counted by a forwarder in front of sshd, SSH's own handshake included. The forwarder also is the \
link: round trip, rate each way shared by all connections, and a round trip for TCP's handshake. On link `0` it only \
counts.
- CPU: user and system seconds of all processes. *Here* includes the SSH client; *there* excludes sshd.
- Memory: the peak resident memory of the largest process there.
- Trees are on the file system that stands behind *loopback*; where none stands there, they were in memory, in which a sync \
costs nothing. rsync does not sync, assetsync does.
";

/// Commands that race with other builds.
const OTHER_BUILDS: [(&str, &str); 2] = [
    ("assetsync bench OLD NEW", "any two builds of yours"),
    ("assetsync bench OLD NEW --to HOST:DIR", "against your own server"),
];

/// The fields of the record.
const JSON: &str = "\
## The JSON

`assetsync bench --json` prints one object, of which `--from-json FILE` makes table, page and chart again. Times are \
whole microseconds, sizes whole bytes.

- `schema`: 1; `machine`: `cpu`, `cores`, `kernel`; `programs`: versions by name; `destination`; `runs`
- `old`, `new`: `name`, `files`, `bytes`
- `competitors`: `name` and `command` of each, in order
- `races`, one for each `link`: its `heats`, one for each `scenario` (`first`, `unchanged`, `touched`, `update`, \
`rollback`, `fresh`): its `entries`, one for each `competitor`: its `runs`, each with
  - `outcome`: `right`; `wrong`, with `differences` and the `first` of them; or `failed`, with what it `said`
  - `wall_us`, `cpu_us`, `far_cpu_us`, `far_peak_bytes`, `sent_bytes`, `received_bytes`; the two of the far side are \
absent where it can't be watched
";

/// The page that shows `records`.
#[must_use]
pub fn page(records: &[Record], page_text: &PageText<'_>) -> String {
    let mut text = introduction(page_text);
    for record in records {
        push_record(&mut text, record);
    }
    push_shortfalls(&mut text, records);
    push_commands(&mut text, records);
    let _ = write!(text, "\n{METHOD}\n## How to run it again\n\n");
    let of_page = page_text.script.map(|script| (script, "this page"));
    for (command, what) in of_page.into_iter().chain(OTHER_BUILDS) {
        let _ = writeln!(text, "    {command:<41} # {what}");
    }
    let _ = write!(text, "\n{JSON}");
    text
}

fn introduction(page_text: &PageText<'_>) -> String {
    let mut text = "# Benchmarks\n\nWritten by `assetsync bench`; do not edit.".to_owned();
    if let Some(script) = page_text.script {
        let _ = write!(text, " `{script}` runs everything again and writes this page.");
    }
    text.push('\n');
    if let Some(about) = page_text.about {
        let _ = write!(text, "\n{about}\n");
    }
    if let Some(chart) = page_text.chart {
        let _ = write!(text, "\n![assetsync and rsync, seconds and bytes]({chart})\n");
    }
    text
}

fn push_record(page: &mut String, record: &Record) {
    let links: Vec<&str> = record.races.iter().map(|race| race.link.as_str()).collect();
    let (old, new) = (escaped(&record.old.name), escaped(&record.new.name));
    let _ = write!(page, "\n## {old} to {new}, link {}\n\n", links.join(" and "));
    let _ =
        writeln!(page, "{}. {}.", escaped(&trees(record)), plural(u64::from(record.runs), "run"));
    let _ = write!(page, "\n{}.\n", escaped(&about(record, &links)));
    for race in &record.races {
        push_race(page, race, record.races.len() > 1);
    }
}

fn push_race(page: &mut String, race: &Race, titled: bool) {
    if titled {
        let _ = write!(page, "\n### Link `{}`\n", race.link);
    }
    page.push_str(
        "\n| | seconds | ratio | sent | received | ratio | CPU here | there | memory there |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for heat in &race.heats {
        push_heat(page, heat);
    }
}

fn push_heat(page: &mut String, heat: &ScenarioRuns) {
    let _ = writeln!(page, "| **{}** | | | | | | | | |", heat.scenario.title());
    let reference = heat.entries.first().and_then(|entry| summary(entry).ok());
    for entry in &heat.entries {
        let name = escaped(&entry.competitor);
        let cells = match summary(entry) {
            Ok(summary) => cells(&summary, reference.as_ref()),
            Err(fault) => format!("{} | | | | | | |", escaped(&fault)),
        };
        let _ = writeln!(page, "| {name} | {cells} |");
    }
}

fn cells(of: &Summary, reference: Option<&Summary>) -> String {
    let to = |part: u64, whole: Option<u64>| whole.map_or("-".into(), |whole| ratio(part, whole));
    [
        format!("{} ({})", seconds(of.wall.median), range(of.wall)),
        to(of.wall.median, reference.map(|first| first.wall.median)),
        bytes(of.sent),
        bytes(of.received),
        to(of.bytes, reference.map(|first| first.bytes)),
        seconds(of.cpu),
        of.far_cpu.map_or("-".into(), seconds),
        of.far_peak.map_or("-".into(), bytes),
    ]
    .join(" | ")
}

/// The numbers in which assetsync is furthest from the best.
fn push_shortfalls(page: &mut String, records: &[Record]) {
    let shortfalls = shortfalls(records, Competitor::OURS, 3);
    if shortfalls.is_empty() {
        return;
    }
    page.push_str("\n## Where assetsync is furthest from the best\n\n");
    for shortfall in shortfalls {
        let _ = writeln!(page, "- {}", escaped(&shortfall.text));
    }
}

/// The command of every competitor, once.
fn push_commands(page: &mut String, records: &[Record]) {
    page.push_str("\n## Who races\n\nRatios are to the first.\n\n");
    let mut listed = Vec::new();
    for entrant in records.iter().flat_map(|record| &record.competitors) {
        if !listed.contains(&entrant) {
            listed.push(entrant);
            let _ = writeln!(page, "- {}: `{}`", escaped(&entrant.name), entrant.command);
        }
    }
}

/// `text` with the special characters of Markdown escaped.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_{}[]<>|#".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::tests::record;

    const NO_TEXT: PageText<'_> = PageText { script: None, about: None, chart: None };

    #[test]
    fn the_script_is_named_where_there_is_one() {
        let own = page(&[record()], &NO_TEXT);
        assert!(
            own.starts_with("# Benchmarks\n\nWritten by `assetsync bench`; do not edit.\n\n##")
        );
        assert!(!own.contains("this page"));
        let text = PageText { script: Some("scripts/x"), about: Some("About."), ..NO_TEXT };
        let of_script = page(&[record()], &text);
        assert!(
            of_script
                .contains("`scripts/x` runs everything again and writes this page.\n\nAbout.\n")
        );
        assert!(
            of_script.contains("\n    scripts/x                                 # this page\n")
        );
    }

    #[test]
    fn every_row_has_all_columns() {
        let text =
            page(&[record(), record()], &PageText { chart: Some("benchmarks.svg"), ..NO_TEXT });
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 2 * 2 * (2 + 2 * 6));
        for row in rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 10, "{row}");
        }
        assert!(
            text.contains("| assetsync | 0.605 (0.598-0.612) | 0.20 | 149 kB | 1.00 kB | 0.03 |")
        );
        assert!(text.contains("wrong: 12 lines differ: ./assets/a & b \\<c\\>.js"));
        assert_eq!(text.matches("- assetsync: `").count(), 1);
        assert!(text.contains("](benchmarks.svg)"));
        assert!(!page(&[record()], &NO_TEXT).contains("]("));
    }
}
