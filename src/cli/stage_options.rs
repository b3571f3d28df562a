//! `assetsync push` with a stage in place of a source and destinations: which options then mean something.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::PushArguments;
use crate::error::CommandError;

/// Options of a push that a stage's settings say.
const OF_THE_STAGE: &[&str] = &[
    "delete",
    "max_delete",
    "allow_empty",
    "exclude",
    "include",
    "exclude_from",
    "include_from",
    "entry_point",
    "checksum",
    "size_only",
    "identities",
    "port",
    "config_file",
    "rsh",
    "transport",
    "timeout",
    "bwlimit",
    "itemize_changes",
    "stats",
];

/// Options that mean something with a stage only.
const ONLY_WITH_STAGES: &[&str] = &["roles", "hosts", "file", "project", "set"];

/// The stage that `assetsync push STAGE` names.
pub fn stage(matches: &ArgMatches, arguments: &PushArguments) -> Result<String, CommandError> {
    if let Some(option) = given(matches, OF_THE_STAGE) {
        return Err(CommandError {
            hints: vec![
                "assetsync push SRC DEST takes options; a stage has settings (--set KEY=VALUE)",
            ],
            ..CommandError::usage(format!("{option} can't be given with a stage"))
        });
    }
    match arguments.source.to_str() {
        Some(stage) if !stage.contains('/') => Ok(stage.to_owned()),
        _ => Err(CommandError {
            hints: vec![
                "assetsync push SRC DEST, as in: assetsync push public/assets web1:/srv/assets",
            ],
            ..CommandError::usage(format!(
                "{} is no stage, and there is no DEST to push it to",
                assetsync_core::text::path(&arguments.source)
            ))
        }),
    }
}

/// Refuses options that mean nothing without a stage.
pub fn refuse(matches: &ArgMatches) -> Result<(), CommandError> {
    match given(matches, ONLY_WITH_STAGES) {
        Some(option) => Err(CommandError::usage(format!(
            "{option} is for assetsync push STAGE, not with SRC and DEST"
        ))),
        None => Ok(()),
    }
}

fn given(matches: &ArgMatches, ids: &[&str]) -> Option<String> {
    let given = ids.iter().find(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
    given.map(|id| match *id {
        "file" => "--config".to_owned(),
        "identities" => "--identity".to_owned(),
        "config_file" => "--ssh-config".to_owned(),
        id => format!("--{}", id.replace('_', "-")),
    })
}
