//! The published races: their records, the pages, and the chart and the table of the README.

mod peers;
mod readme;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assetsync_bench::{Competitor, PageText, Record, Scenario, chart, page};
use assetsync_testbed::corpora;

use crate::error::{ErrorContext, Result};
use crate::repository::{build_release, check, root, script};

/// A page of races.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Against rsync: `docs/benchmarks.md`, its chart, and the table of the README.
    Rsync,
    /// Against other programs: `docs/benchmarks-peers.md`.
    Peers,
}

/// A published race.
struct Race {
    /// The file name of its record, without `.json`.
    name: &'static str,
    builds: [&'static str; 2],
    link: &'static str,
    runs: u32,
    scenarios: &'static [Scenario],
    /// The only ones to race of those that race by default, if not all.
    only: &'static [&'static str],
    /// Competitors besides those: shell commands with placeholders.
    against: &'static [&'static str],
}

/// rsync that, as assetsync does, has written everything to the disk when it ends.
const FSYNC: &str = "rsync -az --fsync --delete -e '{ssh}' {src}/ {dest}/";

const N8N: [&str; 2] = ["n8n-2.40.2", "n8n-2.40.3"];
const N8N_MINOR: [&str; 2] = ["n8n-2.40.3", "n8n-2.41.0"];
const HOME_ASSISTANT: [&str; 2] = ["home-assistant-20250109.1", "home-assistant-20250109.2"];
const WITHOUT_LIMITS: &str = "0";
const SLOW: &str = "50ms,20mbit";

/// The races against rsync, in the order of the page. On slow links, scenarios and competitors that
/// show nothing new are left out, like the first push of 182 MB, which shows only the link.
const RACES: [Race; 9] = {
    use Scenario::{First, Fresh, Touched, Unchanged, Update};
    const ALL: &[Scenario] = &Scenario::ALL;
    const COMPRESSED: &[&str] = &["rsync -az", "rsync -az --fuzzy", Competitor::OURS];
    [
        race("n8n-far", N8N, SLOW, 3, &[First, Unchanged, Touched, Update, Fresh])
            .against(&[FSYNC]),
        race("n8n-minor-far", N8N_MINOR, SLOW, 3, &[Update]),
        race("home-assistant-far", HOME_ASSISTANT, SLOW, 3, &[Unchanged, Update, Fresh]),
        race("n8n-200ms", N8N, "200ms,2mbit", 1, &[Update, Fresh]).only(COMPRESSED),
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
    Race { name, builds, link, runs, scenarios, only: &[], against: &[] }
}

impl Page {
    fn races(self) -> &'static [Race] {
        match self {
            Page::Rsync => &RACES,
            Page::Peers => &peers::RACES,
        }
    }

    /// The path of the page, relative to the repository.
    fn path(self) -> &'static str {
        match self {
            Page::Rsync => "docs/benchmarks.md",
            Page::Peers => "docs/benchmarks-peers.md",
        }
    }

    fn text(self) -> PageText<'static> {
        let text = PageText::default();
        match self {
            Page::Rsync => PageText {
                script: Some("scripts/benchmarks"),
                chart: Some("benchmarks.svg"),
                ..text
            },
            Page::Peers => PageText {
                script: Some("scripts/benchmark-peers"),
                about: Some(peers::ABOUT),
                ..text
            },
        }
    }

    /// Runs all its races and writes their records. Those against rsync take about 25 minutes on 2
    /// cores; nothing else should run meanwhile.
    pub fn race_all(self, progress: &mut dyn FnMut(&str)) -> Result<()> {
        let builds: Vec<_> = self.races().iter().flat_map(|race| race.builds).collect();
        script("fetch-corpora", &builds)?;
        let assetsync = build_release()?;
        for race in self.races() {
            progress(&format!("{}, link {}, {} runs", race.name, race.link, race.runs));
            let output = race.command(&assetsync)?.output().doing("run", &assetsync)?;
            check(race.name, &output)?;
            let path = record_path(race.name);
            fs::write(&path, output.stdout).doing("write", path)?;
        }
        Ok(())
    }

    /// Writes the page from the records, and what else is made of them.
    pub fn render(self) -> Result<()> {
        let path = root().join(self.path());
        fs::write(&path, self.markdown()?).doing("write", path)?;
        if self == Page::Peers {
            return Ok(());
        }
        let in_chart = IN_CHART.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        let path = root().join("docs/benchmarks.svg");
        fs::write(&path, chart(&in_chart, Competitor::OURS)).doing("write", path)?;
        readme::SECTION.write(&readme_table()?)
    }

    fn markdown(self) -> Result<String> {
        let records =
            self.races().iter().map(|race| read(race.name)).collect::<Result<Vec<_>>>()?;
        Ok(page(&records, &self.text()))
    }
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
    const fn only(self, only: &'static [&'static str]) -> Race {
        Race { only, ..self }
    }

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
        if !self.only.is_empty() {
            command.args(self.competitors().iter().flat_map(|name| ["--only", name]));
        }
        for build in self.builds {
            command.arg(corpora::path(build)?);
        }
        command.stderr(Stdio::inherit());
        Ok(command)
    }

    /// The names of those that race, if not all of those that race by default do.
    fn competitors(&self) -> Vec<String> {
        let mut field = Competitor::default_competitors();
        field.retain(|one| self.only.contains(&&*one.name));
        self.against.iter().for_each(|command| Competitor::join(&mut field, command));
        field.into_iter().map(|one| one.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_race_has_its_record_and_the_pages_are_made_of_them() {
        for page in [Page::Rsync, Page::Peers] {
            for race in page.races() {
                let record = Record::read(&record_path(race.name)).unwrap();
                assert_eq!([&*record.old.name, &*record.new.name], race.builds);
                assert_eq!((record.runs, &*record.races[0].link), (race.runs, race.link));
                let raced = record.races[0].heats.iter().map(|heat| heat.scenario);
                assert_eq!(raced.collect::<Vec<_>>(), race.scenarios, "{}", race.name);
            }
            let written = fs::read_to_string(root().join(page.path())).unwrap();
            assert_eq!(page.markdown().unwrap(), written);
        }
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
