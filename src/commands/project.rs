//! A project: its `assetsync.toml`, and the overrides from variables and arguments.

use std::env;
use std::path::{Path, PathBuf};

use assetsync_deploy::{
    ConfigFile, Deployment, FindError, LoadedConfig, Overrides, Problems, Settings,
};

use crate::cli::config::SettingsArguments;
use crate::error::{CommandError, Exit};
use crate::ui::console::Console;

/// A project's file and the overrides of its settings.
pub struct Project {
    /// The file's name in messages.
    pub name: String,
    /// The project's directory: that of the file, unless `--project` was given.
    pub folder: PathBuf,
    file: Result<ConfigFile, Problems>,
    overrides: Overrides,
}

impl Project {
    /// Finds and reads the file.
    pub fn open(given: &SettingsArguments) -> Result<Project, CommandError> {
        let found = found(given.file.as_deref())?;
        let name = name(&found);
        let file = ConfigFile::parse(&name, &found.text);
        // Only variables whose names and values are UTF-8 can be settings.
        let environment = env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let overrides =
            Overrides { environment: environment.collect(), arguments: given.set.clone() };
        let folder = given.project.clone().unwrap_or(found.folder);
        if !folder.is_dir() {
            let text =
                format!("--project {}: no such directory", assetsync_core::text::path(&folder));
            return Err(CommandError::usage(text));
        }
        Ok(Project { name, folder, file, overrides })
    }

    /// The names of all stages, in the order of the file; none if it has problems.
    pub fn stages(&self) -> Vec<&str> {
        self.file.iter().flat_map(ConfigFile::stages).collect()
    }

    /// The settings of a stage. Without a name, those of the only stage, or the common ones of all
    /// stages. Fails unless every stage that was read could be deployed.
    pub fn settings(&self, stage: Option<&str>) -> Result<Settings, Problems> {
        let file = self.file.as_ref().map_err(Problems::clone)?;
        let stages: Vec<&str> = match stage {
            Some(stage) => vec![stage],
            None => file.stages().collect(),
        };
        let mut checked = Vec::new();
        let mut wrong = Vec::new();
        for stage in stages {
            let settings = file.resolve(Some(stage), &self.overrides);
            match settings.and_then(|settings| settings.deployment().map(|_| settings)) {
                Ok(settings) => checked.push(settings),
                Err(problems) => wrong.extend(problems.0),
            }
        }
        wrong.dedup();
        match (wrong.is_empty(), checked.len()) {
            (false, _) => Err(Problems(wrong)),
            (true, 1) => Ok(checked.remove(0)),
            (true, _) => file.resolve(None, &self.overrides),
        }
    }

    /// The deployment to a stage; prints warnings and problems.
    pub fn deployment(&self, stage: &str, console: &Console) -> Result<Deployment, Exit> {
        let settings = self
            .settings(Some(stage))
            .map_err(|problems| self.print_problems(&problems, console))?;
        if !console.output.quiet {
            let warnings = settings.warnings().iter();
            warnings.for_each(|warning| console.print_stderr(&format!("{warning}\n")));
        }
        settings.deployment().map_err(|problems| self.print_problems(&problems, console))
    }

    /// Prints problems, and returns the exit code.
    pub fn print_problems(&self, problems: &Problems, console: &Console) -> Exit {
        console.print_stderr(&format!("{problems}\n"));
        let count = match problems.0.len() {
            1 => "1 error".to_owned(),
            count => format!("{count} errors"),
        };
        let error = CommandError::usage(format!("{} has {count}", self.name));
        console.error(None, &error);
        error.exit
    }
}

/// Whether the project of the current directory has a stage of this name.
pub fn is_stage(name: &str) -> bool {
    let Ok(found) = found(None) else { return false };
    let file = ConfigFile::parse(&self::name(&found), &found.text);
    file.is_ok_and(|file| file.stages().any(|stage| stage == name))
}

fn found(given: Option<&Path>) -> Result<LoadedConfig, CommandError> {
    let found = match given {
        Some(path) => LoadedConfig::read(path),
        None => LoadedConfig::find(&env::current_dir().map_err(CommandError::failed)?),
    };
    found.map_err(|error| CommandError {
        hints: match error {
            FindError::Nowhere(_) => vec!["assetsync init creates one".into()],
            _ => Vec::new(),
        },
        ..CommandError::usage(&error)
    })
}

/// The file's path relative to the current directory: `assetsync.toml`, `../../assetsync.toml`.
fn name(found: &LoadedConfig) -> String {
    let here = env::current_dir().unwrap_or_default();
    let above = here.strip_prefix(&found.folder).ok().filter(|_| found.folder.is_absolute());
    match (above, found.path.file_name()) {
        (Some(below), Some(name)) => {
            let up = "../".repeat(below.components().count());
            format!("{up}{}", name.to_string_lossy())
        }
        _ => found.path.to_string_lossy().into_owned(),
    }
}
