//! The lines of `--json`, a contract with scripts: fields are added, never renamed or removed.

use std::collections::BTreeMap;

use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::text;
use assetsync_sync::{Count, Report};
use serde::Serialize;

use super::itemize;

/// A line about one destination.
#[derive(Serialize)]
pub struct Line<'a> {
    /// The destination as it was given on the command line.
    pub destination: &'a str,
    /// What the line is about, and its fields.
    #[serde(flatten)]
    pub body: Body<'a>,
}

/// What a line says; `event` is its name.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Body<'a> {
    /// The host is reached.
    Connected {
        /// The transport and why it was chosen.
        how: &'a str,
    },
    /// The agent was not there and has been installed; a dry run does that, too, unless it is one by SFTP.
    AgentInstalled {
        /// Where, on the destination's host.
        path: &'a str,
        /// The program's size.
        bytes: u64,
    },
    /// The login shell printed something before the agent started.
    Noise {
        /// What it printed.
        text: &'a str,
    },
    /// The destination's state is known.
    Surveyed {
        /// Number of paths there.
        paths: u64,
        /// Verified files of an interrupted push that can be used again.
        #[serde(rename = "leftovers")]
        partials: u64,
    },
    /// The plan is made, and content will travel.
    Planned {
        /// Files whose content travels.
        files: u64,
        /// Their bytes of content.
        bytes: u64,
    },
    /// More content has been sent; at most four lines a second.
    Progress {
        /// Bytes of content dealt with so far.
        done: u64,
        /// Bytes of content in all.
        total: u64,
        /// Bytes that travelled so far.
        sent: u64,
    },
    /// Files that did not arrive as they were sent are sent again.
    Retrying {
        /// How many.
        files: u64,
    },
    /// Everything is sent; the agent verifies and publishes.
    Sent,
    /// The destination is as the plan says.
    Published,
    /// Something worth knowing.
    Notice {
        /// In words.
        message: &'a str,
    },
    /// One action of a dry run's plan.
    Action(PlannedAction<'a>),
    /// The end of this destination: exactly one for each, whatever happened.
    Done(Done<'a>),
}

/// One action of a dry run's plan.
#[derive(Serialize)]
pub struct PlannedAction<'a> {
    /// `file`, `directory`, `symlink` or `delete`.
    pub action: &'static str,
    /// The path, relative to the destination; what can't be shown is escaped.
    pub path: String,
    /// The path's bytes in hexadecimal, where `path` is not exactly the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
    /// Whether nothing stands there yet.
    pub new: bool,
    /// The eleven letters of `--itemize-changes`.
    pub change: &'static str,
    /// A file's recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<&'a str>,
    /// A file's bytes of content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether a file is published after what it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<bool>,
    /// A symbolic link's text, escaped like `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// The end of one destination. After a failure the numbers are 0.
#[derive(Serialize, Default)]
pub struct Done<'a> {
    /// Whether the destination is as the source, or in a dry run whether the plan could be made.
    pub ok: bool,
    /// Whether this was a dry run: the numbers say what would be done, the destination was not changed.
    pub dry_run: bool,
    /// Regular files in the source.
    pub files_total: u64,
    /// Bytes of their content.
    pub bytes_total: u64,
    /// Files for which content, or a recipe with data, travelled.
    pub files_sent: u64,
    /// Paths deleted with publishing.
    pub files_deleted: u64,
    /// Old paths deleted at the end of a deploy, or by pruning.
    pub files_pruned: u64,
    /// Bytes of the files among both.
    pub bytes_deleted: u64,
    /// Bytes written to the connection, before SSH wraps them.
    pub bytes_sent: u64,
    /// Bytes read from it.
    pub bytes_received: u64,
    /// From connecting to the last answer.
    pub seconds: f64,
    /// The agent's peak memory; 0 where there is no agent or it is not known.
    pub agent_peak_rss_bytes: u64,
    /// Files of the destination that the agent read.
    pub agent_files_read: u64,
    /// How often an answer was waited for after connecting.
    pub round_trips: u32,
    /// 1 where content was encoded for this destination, 0 where there was none to send, or what was encoded for another
    /// destination in the same state was sent.
    pub encodings: u32,
    /// Files that arrived damaged and were sent again.
    pub retried: u64,
    /// Files and bytes of content by recipe.
    pub recipes: BTreeMap<&'a str, Sum>,
    /// What failed; only there if something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
}

/// Files and their bytes of content.
#[derive(Serialize)]
pub struct Sum {
    /// Number of files.
    pub files: u64,
    /// Bytes of content, not of what travelled.
    pub bytes: u64,
}

impl<'a> PlannedAction<'a> {
    /// The line of an action.
    pub fn new(action: &'a Action) -> PlannedAction<'a> {
        let (bytes, path) = (action.path.as_bytes(), action.path.to_string());
        let mut planned = PlannedAction {
            action: "delete",
            path_hex: (path.as_bytes() != bytes).then(|| hex(bytes)),
            path,
            new: action.known.is_none(),
            change: itemize::code(action).trim_end(),
            recipe: None,
            bytes: None,
            entry_point: None,
            target: None,
        };
        match &action.what {
            ActionKind::Delete => {}
            ActionKind::Prune => planned.action = "prune",
            ActionKind::Respell { to } => {
                (planned.action, planned.target) = ("respell", Some(to.to_string()));
            }
            ActionKind::Dir { .. } => planned.action = "directory",
            ActionKind::Symlink { target, .. } => {
                (planned.action, planned.target) = ("symlink", Some(text::name(target)));
            }
            ActionKind::File(file) => {
                (planned.action, planned.recipe) = ("file", Some(file.recipe.name()));
                (planned.bytes, planned.entry_point) = (Some(file.size), Some(file.entry_point));
            }
        }
        planned
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> Done<'a> {
    /// What a report says.
    pub fn success(report: &'a Report, dry_run: bool) -> Done<'a> {
        Done {
            ok: true,
            dry_run,
            files_total: report.total.files,
            bytes_total: report.total.bytes,
            files_sent: report.files_sent,
            files_deleted: report.deleted,
            files_pruned: report.pruned,
            bytes_deleted: report.removed.bytes,
            bytes_sent: report.bytes_sent,
            bytes_received: report.bytes_received,
            seconds: (report.elapsed.as_secs_f64() * 1e6).round() / 1e6,
            agent_peak_rss_bytes: report.agent_peak_rss_bytes,
            agent_files_read: report.agent_files_read,
            round_trips: report.round_trips,
            encodings: report.encodings,
            retried: report.retried,
            recipes: report.recipes.iter().map(|(name, count)| (*name, count.into())).collect(),
            error: None,
        }
    }

    /// A failure has no numbers.
    pub fn failure(error: &'a str, dry_run: bool) -> Done<'a> {
        Done { dry_run, error: Some(error), ..Done::default() }
    }
}

impl From<&Count> for Sum {
    fn from(count: &Count) -> Sum {
        Sum { files: count.files, bytes: count.bytes }
    }
}
