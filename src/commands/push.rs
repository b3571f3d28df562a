//! `assetsync push`: one scanned source, any number of destinations side by side.

use std::sync::Arc;

use assetsync_ssh::{NoPrompt, Prompt};
use assetsync_sync::{Destination, Interaction, Monitor, PushError, Pushed, Source};
use clap::ArgMatches;

use super::project::is_stage;
use super::rollout;
use super::source_warnings::warn_of_source;
use crate::cli::args::{OutputArguments, PushArguments};
use crate::cli::options::{PushOptions, labels};
use crate::cli::push_paths::is_bucket;
use crate::cli::{rsync_options, stage_options};
use crate::error::{CommandError, Exit};
use crate::ui::console::{Console, report};
use crate::ui::interrupt;
use crate::ui::monitor::Watch;
use crate::ui::outcome::{self, Reporter};
use crate::ui::output::Output;
use crate::ui::prompt::TerminalPrompt;
use crate::ui::push_states::PushStates;

/// Pushes as the arguments say.
pub fn run(matches: &ArgMatches, arguments: PushArguments) -> Exit {
    if arguments.destinations.is_empty() {
        return push_stage(matches, &arguments);
    }
    let arguments = arguments.with_files();
    let console = Arc::new(Console::new(output(&arguments.output)));
    if arguments.destinations.iter().any(is_bucket) {
        return push_to_buckets(matches, arguments, &console);
    }
    let (labels, dry_run) = (labels(&arguments.destinations), arguments.choice.dry_run);
    let states = Arc::new(PushStates::new(&labels, dry_run));
    interrupt::watch(&console, &states);
    note_ignored_options(&console, matches);
    let arguments = without_missing_keys(arguments, &console);
    let reporter = Reporter::new(&console, &arguments.output, dry_run);
    let options = check(matches, arguments, &console);
    let done = reporter.and_then(|reporter| push(&options?, &console, &reporter, &states));
    let exit = done.unwrap_or_else(|error| {
        outcome::not_started(&console, &labels, dry_run, &error);
        error.exit
    });
    console.finish(exit)
}

#[cfg(feature = "buckets")]
fn push_to_buckets(matches: &ArgMatches, arguments: PushArguments, console: &Arc<Console>) -> Exit {
    super::push_bucket::run(matches, arguments, console)
}

#[cfg(not(feature = "buckets"))]
fn push_to_buckets(_: &ArgMatches, _: PushArguments, _: &Arc<Console>) -> Exit {
    let text = "this assetsync was built without buckets; build it with --features buckets";
    report(&CommandError::usage(text))
}

/// As `ssh` does, warns of `-i` files that do not exist and leaves them out.
fn without_missing_keys(mut arguments: PushArguments, console: &Console) -> PushArguments {
    arguments.ssh.identities.retain(|path| {
        let exists = path.exists();
        if !exists {
            let path = assetsync_core::text::path(path);
            console.warn(&format!("-i {path} does not exist; it is left out"));
        }
        exists
    });
    arguments
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
        changes: given.itemize_changes || given.out_format.is_some() || given.verbose > 0,
        stats: given.stats,
        quiet: given.quiet,
        json: given.json,
    }
}

/// With -vv, names the options of rsync that have no effect.
fn note_ignored_options(console: &Console, matches: &ArgMatches) {
    if console.output.clock {
        rsync_options::without_effect(matches).for_each(|note| console.print_stderr(&note));
    }
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
fn push(
    options: &PushOptions,
    console: &Arc<Console>,
    reporter: &Reporter<'_>,
    states: &PushStates,
) -> Result<Exit, CommandError> {
    let prepared = options.push.prepare().map_err(|error| match error {
        PushError::Placement(error) => options.paths().misplaced(&error),
        error => CommandError::from(&error),
    })?;
    let source = &prepared.source;
    warn_of_source(console, &prepared);
    let person = TerminalPrompt::new(Arc::clone(console));
    let terminal = Terminal { console, options, source, reporter, states, person };
    let pushed = prepared.run(&terminal);
    let exits: Vec<Exit> = pushed.iter().map(|one| outcome::exit_of(&one.result)).collect();
    outcome::all(console, &options.destinations, &exits);
    Ok(Exit::of_all(&exits))
}

/// Shows pushes on the terminal, or as JSON, and asks there for passphrases.
struct Terminal<'a> {
    console: &'a Arc<Console>,
    options: &'a PushOptions,
    source: &'a Source,
    reporter: &'a Reporter<'a>,
    states: &'a PushStates,
    person: TerminalPrompt,
}

impl Interaction for Terminal<'_> {
    fn monitor<'i>(&'i self, destination: &'i Destination) -> Box<dyn Monitor + 'i> {
        Box::new(Watch::new(self.console, &destination.label, self.states))
    }

    fn prompt<'i>(&'i self, _: &'i Destination) -> Box<dyn Prompt + Sync + 'i> {
        if self.options.interactive { Box::new(self.person.asker()) } else { Box::new(NoPrompt) }
    }

    fn finished(&self, pushed: &Pushed) {
        self.states.ended(&pushed.destination.label, pushed.result.is_ok());
        self.reporter.result(pushed, self.source, &self.options.destinations);
    }
}
