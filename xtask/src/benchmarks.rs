//! The published races against rsync: their records, the page, and the chart and the table of the
//! README.

mod readme;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assetsync_bench::{Competitor, Record, Scenario, chart, page};
use assetsync_testbed::corpora;

use crate::error::{ErrorContext, Result};
use crate::repository::{build_release, check, root, script};

/// A published race.
struct Race {
    /// The file name of its record, without `.json`.
    name: &'static str,
    builds: [&'static str; 2],
    link: &'static str,
    runs: u32,
    scenarios: &'static [Scenario],
    /// Competitors besides those that race by default: shell commands with placeholders.
    against: &'static [&'static str],
}

/// rsync that, as assetsync does, has written everything to the disk when it ends.
const FSYNC: &str = "rsync -az --fsync --delete -e '{ssh}' {src}/ {dest}/";

const N8N: [&str; 2] = ["n8n-2.40.2", "n8n-2.40.3"];
const N8N_MINOR: [&str; 2] = ["n8n-2.40.3", "n8n-2.41.0"];
const HOME_ASSISTANT: [&str; 2] = ["home-assistant-20250109.1", "home-assistant-20250109.2"];
const WITHOUT_LIMITS: &str = "0";
const SLOW: &str = "50ms,20mbit";

/// All published races, in the order of the page. On slow links, scenarios that show nothing new
/// are left out, like the first push of 182 MB, which shows only the link.
const RACES: [Race; 9] = {
    use Scenario::{First, Fresh, Touched, Unchanged, Update};
    const ALL: &[Scenario] = &Scenario::ALL;
    [
        race("n8n-far", N8N, SLOW, 3, &[First, Unchanged, Touched, Update, Fresh])
            .against(&[FSYNC]),
        race("n8n-minor-far", N8N_MINOR, SLOW, 3, &[Update]),
        race("home-assistant-far", HOME_ASSISTANT, SLOW, 3, &[Unchanged, Update, Fresh]),
        race("n8n-200ms", N8N, "200ms,2mbit", 1, &[Update, Fresh]),
        race("n8n-300ms", N8N, "300ms,100mbit", 3, &[First, Update]),
        race("n8n-10ms", N8N, "10ms,1gbit", 3, &[First, Update, Fresh]),
        race("n8n-near", N8N, WITHOUT_LIMITS, 5, ALL).against(&[FSYNC]),
        race("n8n-minor-near", N8N_MINOR, WITHOUT_LIMITS, 5, &[Update, Fresh]),
        race("home-assistant-near", HOME_ASSISTANT, WITHOUT_LIMITS, 3, ALL),
    ]
};

/// The races in the chart of the README: on a link like those of users.
const IN_CHART: [&str; 2] = ["n8n-far", "home-assistant-far"];

/// The races in the table of the README.
const IN_TABLE: [&str; 3] = ["n8n-far", "n8n-minor-far", "home-assistant-far"];

const fn race(
    name: &'static str,
    builds: [&'static str; 2],
    link: &'static str,
    runs: u32,
    scenarios: &'static [Scenario],
) -> Race {
    Race { name, builds, link, runs, scenarios, against: &[] }
}

/// Runs all races and writes their records. On 2 cores that takes about 25 minutes; nothing else
/// should run meanwhile.
pub fn race_all(progress: &mut dyn FnMut(&str)) -> Result<()> {
    script("fetch-corpora", &[&N8N[..], &N8N_MINOR, &HOME_ASSISTANT].concat())?;
    let assetsync = build_release()?;
    for race in &RACES {
        progress(&format!("{}, link {}, {} runs", race.name, race.link, race.runs));
        let output = race.command(&assetsync)?.output().doing("run", &assetsync)?;
        check(race.name, &output)?;
        let path = record_path(race.name);
        fs::write(&path, output.stdout).doing("write", path)?;
    }
    Ok(())
}

/// Writes the page, the chart and the table from the records.
pub fn render() -> Result<()> {
    let records = RACES.iter().map(|race| read(race.name)).collect::<Result<Vec<_>>>()?;
    let in_chart = IN_CHART.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let docs = root().join("docs");
    let page = page(&records, Some("benchmarks.svg"));
    fs::write(docs.join("benchmarks.md"), page).doing("write", docs.join("benchmarks.md"))?;
    let chart = chart(&in_chart, Competitor::OURS);
    fs::write(docs.join("benchmarks.svg"), chart).doing("write", docs.join("benchmarks.svg"))?;
    readme::SECTION.write(&readme_table()?)
}

fn readme_table() -> Result<String> {
    let records = IN_TABLE.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    readme::table([&records[0], &records[1], &records[2]])
}

fn read(name: &str) -> Result<Record> {
    Ok(Record::read(&record_path(name))?)
}

fn record_path(name: &str) -> PathBuf {
    root().join(format!("docs/benchmarks/{name}.json"))
}

impl Race {
    const fn against(self, against: &'static [&'static str]) -> Race {
        Race { against, ..self }
    }

    /// The command that races and prints the record.
    fn command(&self, assetsync: &Path) -> Result<Command> {
        let mut command = Command::new(assetsync);
        command.args(["bench", "--json", "--link", self.link, "--runs", &self.runs.to_string()]);
        for scenario in self.scenarios {
            command.args(["--scenario", scenario.name()]);
        }
        command.args(self.against.iter().flat_map(|against| ["--against", against]));
        for build in self.builds {
            command.arg(corpora::path(build)?);
        }
        command.stderr(Stdio::inherit());
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_race_has_its_record_and_the_page_is_made_of_them() {
        let records = RACES.map(|race| Record::read(&record_path(race.name)).unwrap());
        for (race, record) in RACES.iter().zip(&records) {
            assert_eq!([&*record.old.name, &*record.new.name], race.builds);
            assert_eq!((record.runs, &*record.races[0].link), (race.runs, race.link));
            let raced = record.races[0].heats.iter().map(|heat| heat.scenario);
            assert_eq!(raced.collect::<Vec<_>>(), race.scenarios, "{}", race.name);
        }
        let written = fs::read_to_string(root().join("docs/benchmarks.md")).unwrap();
        assert_eq!(page(&records, Some("benchmarks.svg")), written);
    }

    #[test]
    fn the_table_of_the_readme_is_made_of_the_records() {
        assert!(readme::SECTION.is_written(&readme_table().unwrap()));
    }

    #[test]
    fn the_chart_is_made_of_the_records() {
        let records = IN_CHART.map(|name| Record::read(&record_path(name)).unwrap());
        let written = fs::read_to_string(root().join("docs/benchmarks.svg")).unwrap();
        assert_eq!(chart(&records, Competitor::OURS), written);
    }
}
