//! Races with bundles that nothing was tuned to: two consecutive releases each of packages drawn at
//! random from a list, on several links, against `rsync -az` with and without `--fuzzy`, on an idle
//! machine and beside two busy processes. Writes a page for each list, worst cells first.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, io};

use assetsync_bench::{Competitor, CompetitorRuns, Outcome, Record, Run, Scenario};
use assetsync_testbed::corpora;
use assetsync_units::precise;

use crate::error::{Error, ErrorContext, Result};
use crate::repository::{build_release, check, root};

/// A link, and how many runs each competitor has on it, idle and beside busy processes.
type Course = (&'static str, [u32; 2]);

/// The links that all packages are raced on.
const LINKS: [Course; 3] = [("50ms,20mbit", [1, 1]), ("10ms,1gbit", [3, 1]), ("0", [3, 3])];

/// A slow one. Builds of applications, of which rsync sends up to 19 MB, would take too long there.
const SLOWEST: Course = ("200ms,2mbit", [1, 1]);

/// Processes that compute all the time beside a race.
const BUSY_PROCESSES: usize = 2;

const SCENARIOS: [Scenario; 2] = [Scenario::Update, Scenario::Fresh];

const RSYNC: &str = "rsync -az";
const FUZZY: &str = "rsync -az --fuzzy";

/// What is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageList {
    /// A hundred packages of all kinds, libraries among them.
    Packages,
    /// Builds of web applications.
    Applications,
}

impl PackageList {
    /// All lists.
    pub const ALL: [PackageList; 2] = [PackageList::Packages, PackageList::Applications];

    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            PackageList::Packages => "packages",
            PackageList::Applications => "applications",
        }
    }

    /// The links that it is raced on.
    fn links(self) -> impl Iterator<Item = Course> {
        let slowest = (self == PackageList::Packages).then_some(SLOWEST);
        LINKS.into_iter().chain(slowest)
    }

    /// The page that is written.
    fn page(self) -> &'static str {
        match self {
            PackageList::Packages => "docs/benchmarks-random.md",
            PackageList::Applications => "docs/benchmarks-applications.md",
        }
    }
}

/// What else the machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Idle,
    Busy,
}

/// One bundle on one link in one scenario.
#[derive(Debug, Clone)]
struct Cell {
    bundle: String,
    link: String,
    load: Load,
    scenario: Scenario,
    /// Of assetsync, `rsync -az` and `rsync -az --fuzzy`.
    medians: [Median; 3],
}

/// The medians of the runs of a competitor.
#[derive(Debug, Clone, Copy)]
struct Median {
    /// Microseconds.
    wall: u64,
    bytes: u64,
}

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// The list.
    pub list: PackageList,
    /// How many packages of it.
    pub number: u32,
    /// The same number draws the same packages.
    pub seed: u32,
}

/// Fetches the packages that are drawn, races, and writes the page.
pub fn race_all(draw: Draw, progress: &mut dyn FnMut(&str)) -> Result<()> {
    let pairs = fetch(draw)?;
    let assetsync = build_release()?;
    let (mut records, mut cells) = (Vec::new(), Vec::new());
    for [old, new] in &pairs {
        for (link, load, runs) in courses(draw.list) {
            progress(&format!("{}, link {link}, {}", name(old), load.name()));
            let _busy = BusyProcesses::beside(load)?;
            let record = race(&assetsync, [old, new], link, runs)?;
            cells.append(&mut cells_of(&record, load)?);
            records.push(record);
        }
    }
    let page = page(&records, cells, draw);
    let path = root().join(draw.list.page());
    fs::write(&path, page).doing("write", path)
}

/// Each link with each load that is raced, and the number of runs.
fn courses(list: PackageList) -> impl Iterator<Item = (&'static str, Load, u32)> {
    let of = |(link, runs): Course| {
        Load::ALL.into_iter().zip(runs).map(move |(load, runs)| (link, load, runs))
    };
    list.links().flat_map(of)
}

impl Load {
    const ALL: [Load; 2] = [Load::Idle, Load::Busy];

    fn name(self) -> &'static str {
        match self {
            Load::Idle => "idle",
            Load::Busy => "busy",
        }
    }
}

/// Processes that compute until this is dropped, or this process has ended.
struct BusyProcesses(Vec<Child>);

impl BusyProcesses {
    fn beside(load: Load) -> Result<BusyProcesses> {
        let count = if load == Load::Busy { BUSY_PROCESSES } else { 0 };
        let start = |_| Command::new("sh").args(["-c", "while kill -0 $PPID; do :; done"]).spawn();
        let started: io::Result<_> = (0..count).map(start).collect();
        Ok(BusyProcesses(started.doing("start", "sh")?))
    }
}

impl Drop for BusyProcesses {
    fn drop(&mut self) {
        for process in &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The directories of the releases that are drawn.
fn fetch(draw: Draw) -> Result<Vec<[PathBuf; 2]>> {
    let mut command = Command::new(root().join("scripts/fetch-corpora"));
    command.args(["--random", &draw.number.to_string(), &draw.seed.to_string()]);
    command.arg(draw.list.name()).stderr(Stdio::inherit());
    let output = command.output().doing("run", "scripts/fetch-corpora")?;
    check("scripts/fetch-corpora", &output)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let find = |name: &str| -> Result<PathBuf> { Ok(corpora::path(&format!("random/{name}"))?) };
    // A package with a single release has no update.
    let pairs = printed.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(old, new)| Ok([find(old)?, find(new)?])).collect()
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn race(assetsync: &Path, builds: [&PathBuf; 2], link: &str, runs: u32) -> Result<Record> {
    let mut command = Command::new(assetsync);
    command.args(["bench", "--json", "--link", link, "--runs", &runs.to_string()]);
    command.args(SCENARIOS.iter().flat_map(|scenario| ["--scenario", scenario.name()]));
    command.args([Competitor::OURS, RSYNC, FUZZY].iter().flat_map(|name| ["--only", name]));
    let output = command.args(builds).stderr(Stdio::inherit()).output().doing("run", assetsync)?;
    check(&name(builds[0]), &output)?;
    serde_json::from_slice(&output.stdout)
        .map_err(|source| Error::Json { path: assetsync.to_path_buf(), source })
}

fn cells_of(record: &Record, load: Load) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for race in &record.races {
        for scenario in &race.heats {
            let median = |name: &str| {
                let found = scenario.entries.iter().find(|one| one.competitor == name);
                found.and_then(medians).ok_or_else(|| {
                    Error::Unexpected(format!("{}: {name} did not end right", record.old.name))
                })
            };
            cells.push(Cell {
                bundle: record.old.name.clone(),
                link: race.link.clone(),
                load,
                scenario: scenario.scenario,
                medians: [median(Competitor::OURS)?, median(RSYNC)?, median(FUZZY)?],
            });
        }
    }
    Ok(cells)
}

/// The medians, if all runs ended with the right tree.
fn medians(entry: &CompetitorRuns) -> Option<Median> {
    let all_right = entry.runs.iter().all(|run| run.outcome == Outcome::Right);
    let wall = entry.median(|run| run.wall_us)?;
    let bytes = entry.median(Run::bytes)?;
    all_right.then_some(Median { wall, bytes })
}

impl Cell {
    /// Seconds of assetsync for one of the quicker rsync.
    fn time_ratio(&self) -> f64 {
        let [ours, plain, fuzzy] = self.medians;
        ours.wall as f64 / plain.wall.min(fuzzy.wall) as f64
    }

    /// Bytes of assetsync for one of the rsync that sends fewer.
    fn bytes_ratio(&self) -> f64 {
        let [ours, plain, fuzzy] = self.medians;
        ours.bytes as f64 / plain.bytes.min(fuzzy.bytes) as f64
    }

    /// Seconds and bytes for one of `rsync -az`.
    fn to_plain(&self) -> [f64; 2] {
        let [ours, plain, _] = self.medians;
        [ours.wall as f64 / plain.wall as f64, ours.bytes as f64 / plain.bytes as f64]
    }

    fn row(&self) -> String {
        let shown = |median: Median| {
            format!("{}, {}", precise::seconds(median.wall), precise::bytes(median.bytes))
        };
        let [ours, plain, fuzzy] = self.medians.map(shown);
        let Cell { bundle, link, load, scenario, .. } = self;
        let (time, bytes) = (self.time_ratio(), self.bytes_ratio());
        let (load, scenario) = (load.name(), scenario.name());
        format!(
            "| {bundle} | {link} | {load} | {scenario} | {time:.2} | {bytes:.2} \
             | {ours} | {plain} | {fuzzy} |\n"
        )
    }
}

fn page(records: &[Record], mut cells: Vec<Cell>, draw: Draw) -> String {
    let Draw { list, number, seed } = draw;
    let courses: Vec<_> = courses(list).collect();
    let list = list.name();
    let mut page = format!("# Benchmarks with {list} drawn at random\n\n");
    let _ = write!(
        page,
        "Written by `scripts/benchmarks --random {number} --seed {seed} --list {list}`; do not \
         edit.\n\n\
         Two consecutive releases each of {number} packages of benches/random-{list}.txt; the same \
         number draws the same packages. `update` is the push of the newer release from a machine \
         that pushed the older one, `fresh` from one that never pushed. `busy` is beside \
         {BUSY_PROCESSES} processes that compute all the time. Ratios are to the better of \
         `rsync -az` and `rsync -az --fuzzy`, medians of "
    );
    let runs = |(link, load, runs): &(_, Load, _)| format!("{runs} ({link}, {})", load.name());
    let _ = writeln!(page, "{} runs.\n", courses.iter().map(runs).collect::<Vec<_>>().join(", "));
    if let Some(record) = records.first() {
        let machine = &record.machine;
        let _ = writeln!(
            page,
            "{}, {} cores, {}, {}; {}.\n",
            machine.cpu,
            machine.cores,
            machine.kernel,
            programs(record),
            record.destination
        );
    }
    page += &summary(&courses, &cells);
    page += "\nAll cells, the slowest beside rsync first; seconds and bytes both ways:\n\n\
             | old release | link | load | scenario | time | bytes | assetsync | rsync -az | --fuzzy |\n\
             |---|---|---|---|---|---|---|---|---|\n";
    cells.sort_by(|one, other| other.time_ratio().total_cmp(&one.time_ratio()));
    cells.iter().for_each(|cell| page += &cell.row());
    page
}

fn programs(record: &Record) -> String {
    let programs = record.programs.iter().map(|(name, version)| format!("{name} {version}"));
    programs.collect::<Vec<_>>().join(", ")
}

/// Geometric means and the worst of each link, load and scenario.
fn summary(courses: &[(&'static str, Load, u32)], cells: &[Cell]) -> String {
    let mut table = String::from(
        "| link | load | scenario | time to `rsync -az` | bytes | worst time | worst bytes |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (link, load, _) in courses {
        for scenario in SCENARIOS {
            let is_of = |cell: &&Cell| {
                (cell.link.as_str(), cell.load, cell.scenario) == (*link, *load, scenario)
            };
            let chosen: Vec<&Cell> = cells.iter().filter(is_of).collect();
            let mean = |at: usize| geometric_mean(chosen.iter().map(|cell| cell.to_plain()[at]));
            let worst =
                |ratio: fn(&Cell) -> f64| chosen.iter().map(|it| ratio(it)).fold(0.0, f64::max);
            let _ = writeln!(
                table,
                "| {link} | {} | {} | {:.2} | {:.3} | {:.2} | {:.2} |",
                load.name(),
                scenario.name(),
                mean(0),
                mean(1),
                worst(Cell::time_ratio),
                worst(Cell::bytes_ratio),
            );
        }
    }
    table
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value.ln()));
    (sum / f64::from(count.max(1))).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(link: &str, walls: [u64; 3], bytes: [u64; 3]) -> Cell {
        let medians = [0, 1, 2].map(|at| Median { wall: walls[at], bytes: bytes[at] });
        let load = Load::Idle;
        Cell { bundle: "a-1".into(), link: link.into(), load, scenario: Scenario::Update, medians }
    }

    #[test]
    fn ratios_are_to_the_better_rsync_and_means_to_rsync_az() {
        let [one, two] =
            [cell("0", [100, 400, 200], [10, 40, 80]), cell("0", [100, 100, 50], [10, 10, 20])];
        assert_eq!((one.time_ratio(), one.bytes_ratio()), (0.5, 0.25));
        assert_eq!((two.time_ratio(), two.bytes_ratio()), (2.0, 1.0));
        let line = "| 0 | idle | update | 0.50 | 0.500 | 2.00 | 1.00 |\n";
        assert!(summary(&[("0", Load::Idle, 1)], &[one, two]).contains(line));
    }

    #[test]
    fn the_slowest_cell_is_shown_first() {
        let draw = Draw { list: PackageList::Packages, number: 1, seed: 1 };
        let cells = vec![cell("0", [1, 2, 2], [1, 2, 2]), cell("10ms,1gbit", [3, 2, 2], [1, 2, 2])];
        let page = page(&[], cells, draw);
        assert!(page.find("| a-1 | 10ms,1gbit").unwrap() < page.find("| a-1 | 0 |").unwrap());
    }
}
