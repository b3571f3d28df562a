//! The lines of `--json`, a contract with scripts: fields may be added, never renamed or removed.

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
    /// The event and its fields.
    #[serde(flatten)]
    pub body: Body<'a>,
}

/// The content of a line; `event` is its name.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Body<'a> {
    /// The host is connected.
    Connected {
        /// The transport and why it was chosen.
        how: &'a str,
    },
    /// The agent was missing and has been installed, also in a dry run, except over SFTP.
    AgentInstalled {
        /// Its path on the target host.
        path: &'a str,
        /// The program's size.
        bytes: u64,
    },
    /// The login shell printed something before the agent started.
    Noise {
        /// Its output.
        text: &'a str,
    },
    /// The destination's state is known.
    Surveyed {
        /// Number of paths at the destination.
        paths: u64,
        /// Verified files of an interrupted push that can be used again.
        #[serde(rename = "leftovers")]
        partials: u64,
    },
    /// The plan is complete, and has content to send.
    Planned {
        /// Number of files whose content is sent.
        files: u64,
        /// Their size.
        bytes: u64,
    },
    /// More content has been sent; at most four lines per second.
    Progress {
        /// Bytes of content processed so far.
        done: u64,
        /// Bytes of content in total.
        total: u64,
        /// Bytes sent so far.
        sent: u64,
        /// Of these, bytes that the destination has received.
        acknowledged: u64,
        /// Estimated number of bytes that will be sent in all.
        expected: u64,
    },
    /// Files that arrived damaged are sent again.
    Retrying {
        /// Their number.
        files: u64,
    },
    /// Everything is sent.
    Sent,
    /// Everything has arrived and is verified.
    Verified,
    /// The plan is applied.
    Published,
    /// A warning or notice.
    Notice {
        /// Its text.
        message: &'a str,
    },
    /// One action of a dry run's plan.
    Action(PlannedAction<'a>),
    /// The result of this destination: exactly one line, also after a failure.
    Done(Done<'a>),
}

/// One action of a dry run's plan.
#[derive(Serialize)]
pub struct PlannedAction<'a> {
    /// `file`, `directory`, `symlink` or `delete`.
    pub action: &'static str,
    /// The path, relative to the destination; unprintable characters are escaped.
    pub path: String,
    /// The path's bytes in hexadecimal, if `path` has escapes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
    /// Whether the path is new at the destination.
    pub new: bool,
    /// The eleven letters of `--itemize-changes`.
    pub change: &'static str,
    /// A file's recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<&'a str>,
    /// A file's bytes of content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether a file is published after those it may name: a page, a manifest, a service worker,
    /// or one that `--entry-point` matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<bool>,
    /// A symlink's target, escaped like `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// The result of one destination. After a failure the numbers are 0.
#[derive(Serialize, Default)]
pub struct Done<'a> {
    /// Whether the push succeeded, or in a dry run whether the plan could be made.
    pub ok: bool,
    /// Whether this was a dry run: the numbers are those of the plan, the destination is unchanged.
    pub dry_run: bool,
    /// Regular files in the source.
    pub files_total: u64,
    /// Bytes of their content.
    pub bytes_total: u64,
    /// Files for which content or a recipe with data was sent.
    pub files_sent: u64,
    /// Paths deleted when publishing.
    pub files_deleted: u64,
    /// Old paths deleted at the end of a deploy, or by pruning.
    pub files_pruned: u64,
    /// Size of the deleted and pruned files.
    pub bytes_deleted: u64,
    /// Bytes written to the connection, without the overhead of SSH.
    pub bytes_sent: u64,
    /// Bytes read from it.
    pub bytes_received: u64,
    /// From connecting to the last message.
    pub seconds: f64,
    /// The agent's peak memory; 0 if there is no agent or it is unknown.
    pub agent_peak_rss_bytes: u64,
    /// Files of the destination that the agent read.
    pub agent_files_read: u64,
    /// Number of round trips after connecting.
    pub round_trips: u32,
    /// 1 if content was encoded for this destination, 0 if there was nothing to send or the
    /// encoding for another destination in the same state was used.
    pub encodings: u32,
    /// Files that arrived damaged and were sent again.
    pub retried: u64,
    /// Another destination that is the same directory, and to which the push went; omitted
    /// otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<&'a str>,
    /// Files and bytes of content by recipe.
    pub recipes: BTreeMap<&'a str, Sum>,
    /// The error; omitted after success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
}

/// Files and their bytes of content.
#[derive(Serialize)]
pub struct Sum {
    /// Number of files.
    pub files: u64,
    /// Bytes of content, not bytes sent.
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
                (planned.bytes, planned.entry_point) =
                    (Some(file.size), Some(file.rank.is_entry_point()));
            }
        }
        planned
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> Done<'a> {
    /// The values of a report.
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
            same_as: None,
            recipes: report.recipes.iter().map(|(name, count)| (*name, count.into())).collect(),
            error: None,
        }
    }

    /// A failure; all numbers are 0.
    pub fn failure(error: &'a str, dry_run: bool) -> Done<'a> {
        Done { dry_run, error: Some(error), ..Done::default() }
    }
}

impl From<&Count> for Sum {
    fn from(count: &Count) -> Sum {
        Sum { files: count.files, bytes: count.bytes }
    }
}
