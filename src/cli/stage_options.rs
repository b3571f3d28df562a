//! `assetsync push` with a stage in place of a source and destinations: which options then mean something.

use assetsync_core::text;
use assetsync_ssh::Target;
use clap::ArgMatches;

use super::args::{PushArguments, SelectionArguments, SshArguments};
use super::config::SettingsArguments;
use super::given::{first_of, is_given};
use super::rollout::HostsArguments;
use crate::error::CommandError;

/// The stage that `assetsync push STAGE` names.
///
/// A directory or a place on a host is one only if the project has a stage of that name.
pub fn stage(
    matches: &ArgMatches,
    arguments: &PushArguments,
    is_stage: impl Fn(&str) -> bool,
) -> Result<String, CommandError> {
    let given = &arguments.source;
    let is_place =
        || given.is_dir() || matches!(Target::parse(given.as_ref()), Ok(Target::Remote(_)));
    let stage = given.to_str().filter(|name| !name.contains('/'));
    let Some(stage) = stage.filter(|name| !is_place() || is_stage(name)) else {
        let text =
            format!("{} is not a stage, and there is no DEST to push it to", text::path(given));
        return Err(CommandError::usage(text).hint(
            "assetsync push SRC DEST, as in: assetsync push public/assets web1:/srv/assets",
        ));
    };
    if let Some(option) = of_the_stage(matches) {
        let text = format!(
            "{option} can't be given with a stage, and {stage} is taken for one: there is no DEST"
        );
        return Err(CommandError::usage(text).hint(
            "assetsync push SRC DEST takes options; a stage has settings (--set KEY=VALUE)",
        ));
    }
    Ok(stage.to_owned())
}

/// Refuses options that mean nothing without a stage.
pub fn refuse(matches: &ArgMatches) -> Result<(), CommandError> {
    let option = first_of::<HostsArguments>(matches, &[])
        .or_else(|| first_of::<SettingsArguments>(matches, &[]));
    match option {
        Some(option) => Err(CommandError::usage(format!(
            "{option} is for assetsync push STAGE, not with SRC and DEST"
        ))),
        None => Ok(()),
    }
}

/// An option of a push that a stage's settings say.
fn of_the_stage(matches: &ArgMatches) -> Option<String> {
    let shown = || {
        let options = [("itemize_changes", "--itemize-changes"), ("stats", "--stats")];
        let given = options.into_iter().find(|(id, _)| is_given(matches, id));
        given.map(|(_, option)| option.to_owned())
    };
    let chosen = first_of::<SelectionArguments>(matches, &["dry_run"]);
    chosen.or_else(|| first_of::<SshArguments>(matches, &[])).or_else(shown)
}
