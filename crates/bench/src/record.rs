//! The record of a race, and its JSON. Fields are named as in the JSON.
//!
//! Times are whole microseconds and sizes whole bytes, so that reading a record back gives exactly
//! the same tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorContext, Result};
use crate::scenario::Scenario;

/// The version of the JSON.
pub const SCHEMA: u32 = 1;

/// One race of all competitors over all links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The machine that raced.
    pub machine: Machine,
    /// Programs and their versions, `assetsync` among them.
    pub programs: BTreeMap<String, String>,
    /// The older build.
    pub old: Bundle,
    /// The newer build.
    pub new: Bundle,
    /// `loopback`, or the host and directory given by `--to`.
    pub destination: String,
    /// Runs of each competitor in each scenario.
    pub runs: u32,
    /// The competitors; the others are compared to the first.
    pub competitors: Vec<CompetitorCommand>,
    /// The results, by link.
    pub races: Vec<Race>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model.
    pub cpu: String,
    /// How many of its cores can be used.
    pub cores: u32,
    /// The kernel and its release.
    pub kernel: String,
}

/// A build of assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The name of its directory.
    pub name: String,
    /// How many regular files it has.
    pub files: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
}

/// A competitor and its command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompetitorCommand {
    /// Its name.
    pub name: String,
    /// Its command, with placeholders.
    pub command: String,
}

/// The results on one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// The link in the syntax of `--link`; `0` has no limits.
    pub link: String,
    /// The results, by scenario.
    pub heats: Vec<ScenarioRuns>,
}

/// The results of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioRuns {
    /// The scenario.
    pub scenario: Scenario,
    /// The competitors that took part, in their order.
    pub entries: Vec<CompetitorRuns>,
}

/// The runs of a competitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompetitorRuns {
    /// Its name.
    pub competitor: String,
    /// Every run, in order.
    pub runs: Vec<Run>,
}

/// The measurements of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Whether the destination was right.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Microseconds from its start to its end.
    pub wall_us: u64,
    /// CPU microseconds, user and system, of all its processes here, its ssh client among them.
    pub cpu_us: u64,
    /// The same of its processes on the server, without sshd; absent for a host given by `--to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far_cpu_us: Option<u64>,
    /// Peak resident memory in bytes of the largest of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far_peak_bytes: Option<u64>,
    /// TCP payload to the host in bytes, over all its connections.
    pub sent_bytes: u64,
    /// TCP payload from the host in bytes.
    pub received_bytes: u64,
}

/// Whether the destination of a run was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The destination equals the source.
    Right,
    /// The command succeeded, but the destination differs from the source.
    Wrong {
        /// The number of lines that differ between the listings.
        differences: u64,
        /// The first of them.
        first: String,
    },
    /// The command failed.
    Failed {
        /// Its exit status and the last line of its standard error.
        said: String,
    },
}

impl Record {
    /// The JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("plain values always are JSON") + "\n"
    }

    /// Whether any run of `competitor` went wrong.
    #[must_use]
    pub fn has_faults(&self, competitor: &str) -> bool {
        let entries = self.races.iter().flat_map(|race| &race.heats).flat_map(|heat| &heat.entries);
        let mut runs = entries.filter(|one| one.competitor == competitor).flat_map(|one| &one.runs);
        runs.any(|run| run.outcome != Outcome::Right)
    }

    /// Reads a file with the output of [`Self::to_json`].
    pub fn read(path: &Path) -> Result<Record> {
        let text = fs::read_to_string(path).doing("read", path)?;
        let wrong = |source| Error::Record { path: path.to_path_buf(), source };
        let record: Record = serde_json::from_str(&text).map_err(wrong)?;
        match record.schema {
            SCHEMA => Ok(record),
            found => Err(Error::Schema { path: path.to_path_buf(), found }),
        }
    }
}

impl Run {
    /// TCP payload both ways in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sent_bytes + self.received_bytes
    }
}

impl Outcome {
    /// The fault in one line; nothing if the run did right.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self {
            Outcome::Right => None,
            Outcome::Wrong { differences, first } => {
                let paths = if *differences == 1 { "line differs" } else { "lines differ" };
                Some(format!("wrong: {differences} {paths}: {first}"))
            }
            Outcome::Failed { said } => Some(format!("failed: {said}")),
        }
    }
}
