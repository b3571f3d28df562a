//! The README's table of the races on a slow link.

use assetsync_bench::{Competitor, Record, Run, Scenario};
use assetsync_units::{bytes, number, precise};

use crate::error::{Error, Result};
use crate::section::Section;

/// Where the table is.
pub(super) const SECTION: Section =
    Section { page: "README.md", name: "races", script: "scripts/benchmarks" };

/// The columns.
const COMPETITORS: [&str; 4] = ["rsync -av", "rsync -az", "rsync -az --fuzzy", Competitor::OURS];

/// What connects and does nothing.
const FLOOR: &str = "ssh HOST true";

/// The rows: the record's position, the scenario, and what is pushed.
const ROWS: [(usize, Scenario, &str); 7] = [
    (0, Scenario::Update, "n8n, next build"),
    (0, Scenario::Fresh, "the same, from a machine that never pushed"),
    (1, Scenario::Update, "n8n, next minor version"),
    (2, Scenario::Update, "home-assistant, next build"),
    (0, Scenario::Touched, "n8n, compiled again, only times changed"),
    (0, Scenario::Unchanged, "n8n, nothing changed"),
    (0, Scenario::First, "n8n, first push"),
];

/// The table, made of the records of n8n, its minor version and home-assistant, and what is to be
/// said of the machine and of connecting.
pub(super) fn table(records: [&Record; 3]) -> Result<String> {
    let columns = COMPETITORS.map(|name| match name {
        Competitor::OURS => name.to_owned(),
        rsync => format!("`{rsync} --delete`"),
    });
    let mut text = format!("| what is pushed | {} |\n|---|---|---|---|---|\n", columns.join(" | "));
    let mut shown = [false; 3];
    for (record, scenario, what) in ROWS {
        let size = match std::mem::replace(&mut shown[record], true) {
            false => size(records[record]),
            true => String::new(),
        };
        let cells = COMPETITORS.map(|name| cell(records[record], scenario, name));
        let [plain, compressed, fuzzy, ours] = cells;
        let cells = [plain?, compressed?, fuzzy?, format!("**{}**", ours?)].join(" | ");
        text += &format!("| {what}{size} | {cells} |\n");
    }
    Ok(text + "\n" + &below(records[0])?)
}

/// Files and bytes of the newer build.
fn size(record: &Record) -> String {
    format!(" ({} files, {})", number(record.new.files), bytes(record.new.bytes))
}

fn cell(record: &Record, scenario: Scenario, name: &str) -> Result<String> {
    let (time, sent) = (
        median_of(record, scenario, name, |run| run.wall_us)?,
        median_of(record, scenario, name, Run::bytes)?,
    );
    Ok(format!("{} s, {}", precise::seconds(time), precise::bytes(sent)))
}

fn median_of(
    record: &Record,
    scenario: Scenario,
    name: &str,
    value: impl Fn(&Run) -> u64,
) -> Result<u64> {
    let heats = record.races.iter().flat_map(|race| &race.heats);
    let mut entries = heats.filter(|heat| heat.scenario == scenario).flat_map(|heat| &heat.entries);
    let entry = entries.find(|entry| entry.competitor == name);
    entry.and_then(|entry| entry.median(value)).ok_or_else(|| {
        Error::Unexpected(format!("{} has no {name} in {}", record.old.name, scenario.name()))
    })
}

fn below(n8n: &Record) -> Result<String> {
    let floor = median_of(n8n, Scenario::Unchanged, FLOOR, |run| run.wall_us)?;
    let peak = |scenario, name: &str| -> Result<String> {
        let peak = median_of(n8n, scenario, name, |run| run.far_peak_bytes.unwrap_or_default())?;
        Ok(precise::bytes(peak))
    };
    let [update, first] = [Scenario::Update, Scenario::First];
    Ok(format!(
        "{}, {} cores; to {}; assetsync {}. A bare `ssh HOST true` takes {} s on that link. On the server\n\
         assetsync peaked at {} in the n8n update (rsync: {}), and at {} in the first push (rsync: {}).\n",
        n8n.machine.cpu,
        n8n.machine.cores,
        n8n.destination,
        n8n.programs.get(Competitor::OURS).map_or("", String::as_str),
        precise::seconds(floor),
        peak(update, Competitor::OURS)?,
        peak(update, "rsync -az")?,
        peak(first, Competitor::OURS)?,
        peak(first, "rsync -az")?,
    ))
}
