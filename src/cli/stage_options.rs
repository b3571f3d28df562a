//! `assetsync push STAGE`: which options are allowed with a stage.

use assetsync_core::text;
use assetsync_ssh::Target;
use clap::ArgMatches;

use super::args::{PushArguments, SelectionArguments};
use super::config::SettingsArguments;
use super::connection::SshArguments;
use super::given::{first_of, is_given};
use super::rollout::HostsArguments;
use crate::error::CommandError;

/// The stage that `assetsync push STAGE` names.
///
/// If a directory or remote path has the same name, it is a stage only if the project has that
/// stage.
pub fn stage(
    matches: &ArgMatches,
    arguments: &PushArguments,
    is_stage: impl Fn(&str) -> bool,
) -> Result<String, CommandError> {
    let given = &arguments.source;
    let is_path =
        || given.is_dir() || matches!(Target::parse(given.as_ref()), Ok(Target::Remote(_)));
    let stage = given.to_str().filter(|name| !name.contains('/'));
    let Some(stage) = stage.filter(|name| !is_path() || is_stage(name)) else {
        let text = format!("DEST is missing, and {} is not a stage", text::path(given));
        return Err(CommandError::usage(text).hint(
            "assetsync push SRC DEST, as in: assetsync push public/assets web1:/srv/assets",
        ));
    };
    if let Some(option) = option_without_stage(matches) {
        let text = format!(
            "{option} can't be used with a stage; {stage} is read as a stage because DEST is \
             missing"
        );
        return Err(CommandError::usage(text).hint(
            "assetsync push SRC DEST takes this option; a stage has settings (--set KEY=VALUE)",
        ));
    }
    Ok(stage.to_owned())
}

/// Refuses options that only make sense with a stage.
pub fn refuse(matches: &ArgMatches) -> Result<(), CommandError> {
    let option = first_of::<HostsArguments>(matches, &[])
        .or_else(|| first_of::<SettingsArguments>(matches, &[]));
    match option {
        Some(option) => Err(CommandError::usage(format!(
            "{option} can only be used with assetsync push STAGE, not with SRC and DEST"
        ))),
        None => Ok(()),
    }
}

/// The first given option whose value a stage takes from its settings.
fn option_without_stage(matches: &ArgMatches) -> Option<String> {
    let shown = || {
        let options = [("itemize_changes", "--itemize-changes"), ("stats", "--stats")];
        let given = options.into_iter().find(|(id, _)| is_given(matches, id));
        given.map(|(_, option)| option.to_owned())
    };
    let chosen = first_of::<SelectionArguments>(matches, &["dry_run", "max_delete"]);
    chosen.or_else(|| first_of::<SshArguments>(matches, &[])).or_else(shown)
}
