//! A record as a table of at most 80 columns.

use std::fmt::Write;

use assetsync_units::precise::{bytes, ratio, seconds};
use assetsync_units::{number, plural};

use super::stats::{Spread, Summary, summary};
use crate::record::{CompetitorRuns, Race, Record, ScenarioRuns};

/// The width of a terminal.
const WIDTH: usize = 80;

/// The table of `record`: first the machine and the programs, then a block for each scenario of
/// each link, with ratios to the first competitor.
#[must_use]
pub fn table(record: &Record) -> String {
    let mut text = String::new();
    let links: Vec<&str> = record.races.iter().map(|race| race.link.as_str()).collect();
    push_wrapped(&mut text, &about(record, &links), "");
    push_wrapped(&mut text, &trees(record), "");
    text.push_str("\nseconds, CPU and memory are medians of ");
    let _ = writeln!(text, "{}, min-max is of the seconds;", plural(u64::from(record.runs), "run"));
    if let Some(first) = record.competitors.first() {
        let _ = writeln!(text, "ratios are to {}; bytes are TCP payload both ways.", first.name);
    }
    text.push('\n');
    for entrant in &record.competitors {
        push_wrapped(
            &mut text,
            &format!("{:<19}{}", entrant.name, entrant.command),
            &" ".repeat(19),
        );
    }
    for race in &record.races {
        push_race(&mut text, race);
    }
    text
}

/// Machine, versions and links in one line.
pub(super) fn about(record: &Record, links: &[&str]) -> String {
    let machine = &record.machine;
    let programs = record.programs.iter().map(|(name, version)| format!("{name} {version}"));
    let programs = programs.collect::<Vec<_>>().join(", ");
    let cores = plural(u64::from(machine.cores), "core");
    let (cpu, kernel, links) = (&machine.cpu, &machine.kernel, links.join(" and "));
    let place = &record.destination;
    format!("{cpu}, {cores}, {kernel}; {programs}; to {place}, link {links}")
}

/// Both builds, in one line.
pub(super) fn trees(record: &Record) -> String {
    let told = |bundle: &crate::record::Bundle| {
        let (name, files) = (&bundle.name, number(bundle.files));
        format!("{name} ({files} files, {})", bytes(bundle.bytes))
    };
    format!("OLD is {}, NEW is {}", told(&record.old), told(&record.new))
}

fn push_race(text: &mut String, race: &Race) {
    let link = if race.link == "0" { "not limited" } else { &race.link };
    let title = format!("== Link: {link} ");
    let _ = write!(text, "\n{title:=<WIDTH$}\n");
    for heat in &race.heats {
        push_heat(text, heat);
    }
}

fn push_heat(text: &mut String, heat: &ScenarioRuns) {
    let title = format!("{} ({})", heat.scenario.title(), heat.scenario.explanation());
    let _ = writeln!(text, "\n{title}");
    text.push_str(&row([
        "", "seconds", "min-max", "ratio", "bytes", "ratio", "CPU s", "far", "memory",
    ]));
    let reference = heat.entries.first().and_then(|entry| summary(entry).ok());
    for entry in &heat.entries {
        push_entry(text, entry, reference.as_ref());
    }
}

fn push_entry(text: &mut String, entry: &CompetitorRuns, reference: Option<&Summary>) {
    match summary(entry) {
        Ok(summary) => text.push_str(&measured(&entry.competitor, &summary, reference)),
        Err(fault) => {
            push_wrapped(text, &format!("{:<17} {fault}", entry.competitor), &" ".repeat(18))
        }
    }
}

fn measured(name: &str, of: &Summary, reference: Option<&Summary>) -> String {
    let to = |part: u64, whole: Option<u64>| whole.map_or("-".into(), |whole| ratio(part, whole));
    row([
        name,
        &seconds(of.wall.median),
        &range(of.wall),
        &to(of.wall.median, reference.map(|first| first.wall.median)),
        &bytes(of.bytes),
        &to(of.bytes, reference.map(|first| first.bytes)),
        &seconds(of.cpu),
        &of.far_cpu.map_or("-".into(), seconds),
        &of.far_peak.map_or("-".into(), bytes),
    ])
}

/// `0.061-0.070`.
pub(super) fn range(of: Spread) -> String {
    format!("{}-{}", seconds(of.min), seconds(of.max))
}

/// A line of the table: a name and eight numbers, 80 characters in all.
fn row(cells: [&str; 9]) -> String {
    let [name, wall, range, to, bytes, also_to, cpu, far, memory] = cells;
    let line = format!(
        "{name:<17}{wall:>8}{range:>12}{to:>6}{bytes:>9}{also_to:>6}{cpu:>6}{far:>7}{memory:>9}"
    );
    format!("{}\n", line.trim_end())
}

/// Adds `line`, broken between words to 80 characters; what follows is indented.
fn push_wrapped(text: &mut String, line: &str, indent: &str) {
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if used + length > WIDTH && used > indent.len() {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.push_str(indent);
            used = indent.len();
        }
        text.push_str(word);
        used += word.chars().count();
    }
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::{Bundle, CompetitorCommand, Machine, Outcome, Run, SCHEMA};
    use crate::report::stats::tests::run;
    use crate::scenario::Scenario;

    /// A small record with all that can be in one.
    pub(crate) fn record() -> Record {
        let bundle = |name: &str| Bundle { name: name.into(), files: 1_046, bytes: 34_000_000 };
        let entry = |name: &str, runs| CompetitorRuns { competitor: name.into(), runs };
        let wrong = Outcome::Wrong { differences: 12, first: "./assets/a & b <c>.js".into() };
        let failed =
            Run { outcome: Outcome::Failed { said: "exit status: 23".into() }, ..run(1, 1) };
        let blind = Run { far_cpu_us: None, far_peak_bytes: None, ..run(650_000, 6_000) };
        let entries = vec![
            entry("rsync -av", vec![run(3_040_000, 5_260_000), run(3_000_000, 5_260_000)]),
            entry("rsync -az --fuzzy", vec![Run { outcome: wrong, ..run(1, 1) }]),
            entry("tar | zstd -9", vec![failed]),
            entry("assetsync", vec![run(612_000, 149_000), run(598_000, 149_000)]),
            entry("ssh HOST true", vec![blind]),
        ];
        let heat = |scenario| ScenarioRuns { scenario, entries: entries.clone() };
        let heats = vec![heat(Scenario::First), heat(Scenario::Update)];
        let race = |link: &str| Race { link: link.into(), heats: heats.clone() };
        let entrant = |entry: &CompetitorRuns| CompetitorCommand {
            name: entry.competitor.clone(),
            command: "command -e '{ssh}' {src}/ {dest}/ and some more words of a long line".into(),
        };
        Record {
            schema: SCHEMA,
            machine: Machine {
                cpu: "Some CPU @ 2 GHz".into(),
                cores: 2,
                kernel: "Linux 6.1".into(),
            },
            programs: [("rsync".into(), "3.2.7".into()), ("ssh".into(), "9.2p1".into())].into(),
            old: bundle("old"),
            new: bundle("new"),
            destination: "loopback".into(),
            runs: 2,
            competitors: entries.iter().map(entrant).collect(),
            races: vec![race("0"), race("50ms,20mbit")],
        }
    }

    #[test]
    fn a_block_is_as_printed() {
        let text = table(&record());
        let block = text.split("OLD to NEW (").nth(1).unwrap().split("\n\n").next().unwrap();
        let expected = "\
the next build, every file freshly written)
                  seconds     min-max ratio    bytes ratio CPU s    far   memory
rsync -av            3.02   3.00-3.04  1.00  5.26 MB  1.00  1.51  0.755  8.00 MB
rsync -az --fuzzy wrong: 12 lines differ: ./assets/a & b <c>.js
tar | zstd -9     failed: exit status: 23
assetsync           0.605 0.598-0.612  0.20   150 kB  0.03 0.302  0.151  8.00 MB
ssh HOST true       0.650 0.650-0.650  0.22  7.00 kB 0.001 0.325      -        -";
        assert_eq!(block, expected);
    }

    #[test]
    fn nothing_is_wider_than_a_terminal() {
        let text = table(&record());
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("Some CPU @ 2 GHz, 2 cores, Linux 6.1; rsync 3.2.7, ssh 9.2p1"));
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH && line.trim_end() == line, "{line:?}");
        }
    }

    #[test]
    fn a_record_read_back_gives_the_same_table() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        std::fs::write(&path, record().to_json()).unwrap();
        assert_eq!(Record::read(&path).unwrap(), record());
        std::fs::write(&path, record().to_json().replace("\"schema\": 1", "\"schema\": 9"))
            .unwrap();
        let error = Record::read(&path).unwrap_err().to_string();
        assert!(error.contains("has schema 9, this version reads 1"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        assert!(Record::read(&path).unwrap_err().to_string().contains("is no record of"));
    }
}
