//! What a race leaves: one value, and its JSON.
//!
//! Times are whole microseconds and sizes whole bytes, so that reading a record back gives exactly
//! the same tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error, Result};
use crate::scenario::Scenario;

/// The number of this form of JSON.
pub const SCHEMA: u32 = 1;

/// One race of all competitors over all links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where it was run.
    pub machine: Machine,
    /// Programs and their versions, `assetsync` among them.
    pub programs: BTreeMap<String, String>,
    /// The older build.
    pub old: Bundle,
    /// The newer build.
    pub new: Bundle,
    /// `loopback`, or the host and directory given by `--to`.
    pub destination: String,
    /// How often each competitor ran in each scenario.
    pub runs: u32,
    /// Who raced; the first is the one to whom the others are compared.
    pub competitors: Vec<Entrant>,
    /// What came of it, a link each.
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

/// A competitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrant {
    /// Its name.
    pub name: String,
    /// Its command, with placeholders.
    pub command: String,
}

/// What came of the race on one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// The link as `--link` takes it; `0` is unshaped.
    pub link: String,
    /// A scenario each.
    pub heats: Vec<Heat>,
}

/// What came of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heat {
    /// The scenario.
    pub scenario: Scenario,
    /// The competitors that took part, in their order.
    pub entries: Vec<Entry>,
}

/// What a competitor did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub competitor: String,
    /// Every run, in order.
    pub runs: Vec<Run>,
}

/// What one run took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Whether it did what it should.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Microseconds from its start to its end.
    pub wall_us: u64,
    /// CPU microseconds, user and system, of all its processes here, its ssh client among them.
    pub cpu_us: u64,
    /// The same of its processes on the far side, without sshd; absent where they can't be watched.
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

/// Whether a run did what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The destination is what the source is.
    Right,
    /// It ended well, and the destination is something else.
    Wrong {
        /// How many lines of the two listings differ.
        differences: u64,
        /// The first of them.
        first: String,
    },
    /// It said itself that it failed.
    Failed {
        /// Its exit status and last words.
        said: String,
    },
}

impl Record {
    /// The JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("plain values always are JSON") + "\n"
    }

    /// Reads what [`Self::to_json`] wrote to `path`.
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
