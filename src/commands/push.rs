//! `assetsync push`: one scanned source, any number of destinations side by side.

use std::sync::Arc;

use assetsync_ssh::{NoPrompt, Prompt};
use assetsync_sync::{Destination, Interaction, Monitor, Pushed, Source};
use clap::ArgMatches;

use super::project::is_stage;
use super::rollout;
use crate::cli::args::{OutputArguments, PushArguments};
use crate::cli::options::{PushOptions, labels};
use crate::cli::stage_options;
use crate::error::{CommandError, Exit};
use crate::ui::console::{Console, report};
use crate::ui::monitor::Watch;
use crate::ui::output::Output;
use crate::ui::prompt::TerminalPrompt;
use crate::ui::{interrupt, outcome};

/// Pushes as the arguments say.
pub fn run(matches: &ArgMatches, arguments: PushArguments) -> Exit {
    if arguments.destinations.is_empty() {
        return push_stage(matches, &arguments);
    }
    let console = Arc::new(Console::new(output(&arguments.output)));
    let (labels, dry_run) = (labels(&arguments.destinations), arguments.choice.dry_run);
    interrupt::watch(&console);
    note_ignored_options(&console, &arguments);
    let options = check(matches, arguments, &console);
    let exit = options.and_then(|options| push(&options, &console)).unwrap_or_else(|error| {
        outcome::not_started(&console, &labels, dry_run, &error);
        error.exit
    });
    console.finish(exit)
}

/// `assetsync push STAGE`: what goes where is said in the project's file.
fn push_stage(matches: &ArgMatches, arguments: &PushArguments) -> Exit {
    match stage_options::stage(matches, arguments, is_stage) {
        Ok(stage) => rollout::push(&stage, arguments),
        Err(error) => report(&error),
    }
}

fn output(given: &OutputArguments) -> Output {
    Output {
        steps: given.verbose > 0,
        clock: given.verbose > 1,
        changes: given.itemize_changes || given.verbose > 0,
        stats: given.stats,
        quiet: given.quiet,
        json: given.json,
    }
}

/// rsync's habits are accepted and change nothing; `-v` says so.
fn note_ignored_options(console: &Console, arguments: &PushArguments) {
    let habits = &arguments.habits;
    let notes = [
        (habits.archive, "-a has no effect: times, modes and symlinks are always preserved"),
        (habits.recursive, "-r has no effect: directories are always pushed recursively"),
        (habits.compress, "-z has no effect: data is always compressed"),
        (habits.human_readable > 0, "-h has no effect: sizes are always human-readable"),
    ];
    let given = notes.iter().filter(|(given, _)| *given && console.output.steps);
    given.for_each(|(_, note)| console.print_stderr(note));
}

fn check(
    matches: &ArgMatches,
    arguments: PushArguments,
    console: &Console,
) -> Result<PushOptions, CommandError> {
    stage_options::refuse(matches)?;
    let options = PushOptions::new(matches, arguments, console.is_interactive())?;
    options.paths().refuse_stages(is_stage)?;
    Ok(options)
}

/// Pushes everywhere at once; gives what it all comes to.
fn push(options: &PushOptions, console: &Arc<Console>) -> Result<Exit, CommandError> {
    let prepared = options.push.prepare().map_err(|error| CommandError::from(&error))?;
    let source = prepared.source();
    if !console.output.json {
        source.left_out.iter().for_each(|left_out| console.warn(&left_out.to_string()));
    }
    if let Some(error) = prepared.store_error() {
        console.warn(&error.to_string());
    }
    let person = TerminalPrompt::new(Arc::clone(console));
    let terminal = Terminal { console, options, source, person };
    let pushed = prepared.run(&terminal);
    let exits: Vec<Exit> = pushed.iter().map(|one| outcome::exit_of(&one.result)).collect();
    outcome::all(console, &options.destinations, &exits);
    Ok(Exit::of_all(&exits))
}

/// Shows pushes on the terminal, or as JSON, and asks there for passphrases.
struct Terminal<'a> {
    console: &'a Console,
    options: &'a PushOptions,
    source: &'a Source,
    person: TerminalPrompt,
}

impl Interaction for Terminal<'_> {
    fn monitor<'i>(&'i self, destination: &'i Destination) -> Box<dyn Monitor + 'i> {
        Box::new(Watch::new(self.console, &destination.label))
    }

    fn prompt<'i>(&'i self, _: &'i Destination) -> Box<dyn Prompt + Sync + 'i> {
        if self.options.interactive { Box::new(self.person.asker()) } else { Box::new(NoPrompt) }
    }

    fn finished(&self, pushed: &Pushed) {
        let Pushed { destination, result } = pushed;
        outcome::of(self.console, destination, self.source, self.options.dry_run, result);
    }
}
