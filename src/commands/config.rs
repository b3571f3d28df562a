//! `assetsync config`: the effective settings, and where each comes from.

use assetsync_deploy::Problems;

use super::project::Project;
use crate::cli::config::ConfigArguments;
use crate::error::Exit;
use crate::ui::config_text as shown;
use crate::ui::console::Console;
use crate::ui::output::Output;

/// Prints the settings, or the problems of the file.
pub fn run(arguments: &ConfigArguments) -> Exit {
    let console = Console::new(Output { json: arguments.json, ..Output::default() });
    let exit = match Project::open(&arguments.settings) {
        Ok(project) => show(&project, arguments, &console),
        Err(error) => {
            console.error(None, &error);
            error.exit
        }
    };
    console.finish(exit)
}

fn show(project: &Project, arguments: &ConfigArguments, console: &Console) -> Exit {
    let stages = &project.stages();
    let only = match stages[..] {
        [only] => Some(only),
        _ => None,
    };
    let stage = arguments.stage.as_deref().or(only);
    let settings = match project.settings(stage) {
        Ok(settings) => settings,
        Err(problems) => return fail(project, &problems, console),
    };
    if arguments.json {
        console.print_stdout(&shown::json(&project.name, stage, stages, &settings));
    } else {
        settings
            .warnings()
            .iter()
            .for_each(|warning| console.print_stderr(&format!("{warning}\n")));
        console.print_stdout(&shown::toml(
            &project.name,
            stage,
            stages,
            &settings,
            arguments.origin,
        ));
    }
    Exit::Done
}

/// Prints the problems of a project's settings.
fn fail(project: &Project, problems: &Problems, console: &Console) -> Exit {
    let exit = project.print_problems(problems, console);
    if console.output.json {
        console.print_stdout(&shown::problems_json(&project.name, problems));
    }
    exit
}
