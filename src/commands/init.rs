//! `assetsync init`: creates `assetsync.toml`.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use assetsync_deploy::{ConfigFile, ConfigTemplate, FILE_NAME, Overrides, Problems, template_of};

use crate::cli::init::InitArguments;
use crate::error::{CommandError, Exit};
use crate::ui::config_text as shown;
use crate::ui::console::{Console, report};
use crate::ui::output::Output;

/// Writes the file; prints what it was made from and what remains to be done.
pub fn run(arguments: &InitArguments) -> Exit {
    let console = Console::new(Output::default());
    let written = env::current_dir().map_err(CommandError::failed).and_then(|folder| {
        let starter = template_of(&folder)
            .map_err(|error| CommandError::failed(format!("Can't read {error}")))?;
        write(&folder, &starter.to_string(), arguments.force)?;
        Ok(starter)
    });
    let exit = match written {
        Ok(starter) => {
            console.print_stdout(&shown::written_summary(&starter, left_to_do(&starter).as_ref()));
            Exit::Done
        }
        Err(error) => report(&error),
    };
    console.finish(exit)
}

/// Writes the whole file or nothing; replaces an existing one only with `force`.
fn write(folder: &Path, text: &str, force: bool) -> Result<(), CommandError> {
    let path = folder.join(FILE_NAME);
    let failed = |error| CommandError::failed(format!("Can't write {FILE_NAME}: {error}"));
    if force {
        let new = folder.join(format!("{FILE_NAME}.new"));
        fs::write(&new, text).map_err(failed)?;
        return fs::rename(&new, &path).map_err(failed);
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| {
            if error.kind() != ErrorKind::AlreadyExists {
                return failed(error);
            }
            let exists = CommandError::usage(format!("{FILE_NAME} already exists"));
            exists.hint("--force replaces it")
        })?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Everything that must be fixed before the stages can be deployed.
fn left_to_do(starter: &ConfigTemplate) -> Option<Problems> {
    let file = match ConfigFile::parse(FILE_NAME, &starter.to_string()) {
        Ok(file) => file,
        Err(problems) => return Some(problems),
    };
    let check = |stage| file.resolve(Some(stage), &Overrides::default())?.deployment().map(drop);
    let wrong: Vec<_> =
        file.stages().filter_map(|stage| check(stage).err()).flat_map(|found| found.0).collect();
    (!wrong.is_empty()).then_some(Problems(wrong))
}
