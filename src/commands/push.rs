//! `assetsync push`: one scanned source, any number of destinations side by side.

use std::sync::Arc;
use std::thread;

use assetsync_agents::agents;
use assetsync_ssh::{NoPrompt, Prompt, Target, TransportError, TransportKind};
use assetsync_sync::{
    ConnectOptions, Event, Monitor, PushError, PushGroup, Report, Source, push, sftp,
};
use clap::ArgMatches;

use super::engine::open_store;
use super::project::is_stage;
use super::rollout;
use crate::cli::args::{OutputArguments, PushArguments};
use crate::cli::options::{Destination, PushOptions, labels};
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
    let exit = match prepare(matches, arguments, &console) {
        Ok((options, source)) => push_all(&options, &source, &console),
        Err(error) => {
            outcome::not_started(&console, &labels, dry_run, &error);
            error.exit
        }
    };
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

fn prepare(
    matches: &ArgMatches,
    arguments: PushArguments,
    console: &Console,
) -> Result<(PushOptions, Source), CommandError> {
    stage_options::refuse(matches)?;
    let options = PushOptions::new(matches, arguments, console.is_interactive())?;
    options.paths().refuse_stages(is_stage)?;
    let source = Source::scan(&options.source, &options.options.policy.filter)?;
    if !console.output.json {
        source.left_out.iter().for_each(|left_out| console.warn(&left_out.to_string()));
    }
    Ok((options, source))
}

/// Pushes everywhere at once; gives what it all comes to.
fn push_all(options: &PushOptions, source: &Source, console: &Arc<Console>) -> Exit {
    let (agents, person) = (agents(), TerminalPrompt::new(Arc::clone(console)));
    let store = options.store.as_deref();
    let store = store.and_then(|path| open_store(path, options.dry_run, console));
    let group = PushGroup::for_destinations(options.destinations.len());
    let connection = ConnectOptions {
        agents: &agents,
        ssh: &options.ssh,
        prompt: &NoPrompt,
        timeout: options.timeout,
        bytes_per_second: options.bytes_per_second,
        dry_run: options.dry_run,
        checksum: options.checksum,
        store: store.as_ref(),
        group: (options.destinations.len() > 1).then_some(&group),
    };
    let push_one = |destination: &Destination| {
        let asker = person.asker();
        let prompt: &(dyn Prompt + Sync) = if options.ssh.interactive { &asker } else { &NoPrompt };
        let connection = ConnectOptions { prompt, ..connection.clone() };
        push_to(destination, options, &connection, source, console)
    };
    let exits = side_by_side(&options.destinations, push_one, |destination, error| {
        outcome::failure(console, &destination.label, &error, options.dry_run);
        error.exit
    });
    if let Some(store) = store.as_ref().filter(|_| !options.dry_run) {
        // What can't be cleared up now is next time.
        let _ = store.prune_if_due();
    }
    outcome::all(console, &options.destinations, &exits);
    Exit::of_all(&exits)
}

/// Pushes to every destination in a thread of its own. One that ends without a word `fails`, as one that can't begin.
fn side_by_side(
    destinations: &[Destination],
    push_one: impl Fn(&Destination) -> Exit + Sync,
    fails: impl Fn(&Destination, CommandError) -> Exit,
) -> Vec<Exit> {
    let push_one = &push_one;
    thread::scope(|scope| {
        let spawn = |destination| {
            let thread = thread::Builder::new().spawn_scoped(scope, move || push_one(destination));
            (destination, thread)
        };
        let threads: Vec<_> = destinations.iter().map(spawn).collect();
        let ended =
            threads.into_iter().map(|(destination, thread)| match thread.map(|it| it.join()) {
                Ok(Ok(exit)) => exit,
                Ok(Err(_)) => {
                    let text =
                        "an error in assetsync itself ended the push there; please report it";
                    fails(destination, CommandError::failed(text))
                }
                Err(error) => {
                    let text = format!("a thread for it can't be started here: {error}");
                    fails(destination, CommandError::failed(text))
                }
            });
        ended.collect()
    })
}

/// Pushes to one destination and reports on it.
fn push_to(
    destination: &Destination,
    options: &PushOptions,
    connection: &ConnectOptions<'_>,
    source: &Source,
    console: &Console,
) -> Exit {
    let watch = Watch::new(console, &destination.label);
    if console.output.json {
        source.left_out.iter().for_each(|left_out| watch.event(Event::LeftOut(left_out)));
    }
    let result = carry_out(destination, options, connection, source, &watch);
    drop(watch);
    outcome::of(console, destination, source, options.dry_run, &result)
}

/// Pushes by an agent; over SFTP if that is asked for, or if the host can't run one.
fn carry_out(
    destination: &Destination,
    options: &PushOptions,
    connection: &ConnectOptions<'_>,
    source: &Source,
    monitor: &dyn Monitor,
) -> Result<Report, PushError> {
    let (target, allowed) = (&destination.target, &options.options);
    let over_sftp = || sftp::push(source, target, connection, allowed, monitor);
    if options.ssh.transport == Some(TransportKind::Sftp) {
        return over_sftp();
    }
    let refused = match push(source, target, connection, allowed, monitor) {
        Err(PushError::Transport(error)) if can_fall_back(target, &error) => error,
        other => return other,
    };
    let notice = format!("no agent can run there, so SFTP is used: {refused}");
    monitor.event(Event::Notice(&notice));
    match over_sftp() {
        // Where SFTP is not to be had either, the first reason is the one to mend.
        Err(PushError::Transport(_)) => Err(refused.into()),
        other => other,
    }
}

fn can_fall_back(target: &Target, error: &TransportError) -> bool {
    matches!(target, Target::Remote(_)) && error.suggests_sftp()
}
