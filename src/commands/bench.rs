//! `assetsync bench`: runs a race, or reads earlier results, and prints them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{env, fs};

use assetsync_bench::{Competitor, PageText, Plan, Record, Scenario, chart, page, race, table};
use assetsync_ssh::{RemoteTarget, SshOptions, Target};

use crate::cli::bench::BenchArguments;
use crate::error::{CommandError, Exit};
use crate::ui::console::{Console, report};
use crate::ui::output::Output;
use crate::ui::race_progress::RaceProgress;

/// Runs a race, or reads reports, and prints the results.
pub fn run(arguments: &BenchArguments) -> Exit {
    let console = Console::new(Output { json: arguments.json, ..Output::default() });
    let shown = records(arguments, &console).and_then(|records| {
        show(arguments, &console, &records)?;
        Ok(verdict(&records))
    });
    console.finish(shown.unwrap_or_else(|error| report(&error)))
}

/// Runs the command of a session of the race's sshd; exits with its exit code.
pub fn session(log: &Path) -> Exit {
    match assetsync_bench::run_session(log) {
        Ok(code) => std::process::exit(code),
        Err(error) => report(&CommandError::failed(error)),
    }
}

fn records(given: &BenchArguments, console: &Console) -> Result<Vec<Record>, CommandError> {
    if !given.from_json.is_empty() {
        let read = given.from_json.iter().map(|path| Record::read(path));
        return read.collect::<Result<_, _>>().map_err(CommandError::usage);
    }
    let plan = plan(given)?;
    let watch = RaceProgress::new(console);
    race(&plan, &watch).map(|record| vec![record]).map_err(CommandError::failed)
}

fn plan(given: &BenchArguments) -> Result<Plan, CommandError> {
    let competitors = competitors(given)?;
    let scenarios = Scenario::ALL.into_iter();
    let wanted = |one: &Scenario| given.scenario.is_empty() || given.scenario.contains(one);
    Ok(Plan {
        old: directory(given.old.as_deref())?,
        new: directory(given.new.as_deref())?,
        to: given.to.as_deref().map(destination).transpose()?,
        ssh: ssh_options(given),
        links: given.link.clone(),
        runs: given.runs,
        competitors,
        scenarios: scenarios.filter(wanted).collect(),
        assetsync: env::current_exe().map_err(CommandError::failed)?,
    })
}

/// The competitors that were asked for, or all.
fn competitors(given: &BenchArguments) -> Result<Vec<Competitor>, CommandError> {
    let mut competitors = Competitor::default_competitors();
    given.against.iter().for_each(|command| Competitor::join(&mut competitors, command));
    let names: Vec<String> = competitors.iter().map(|one| one.name.clone()).collect();
    if let Some(unknown) = given.only.iter().find(|name| !names.contains(name)) {
        let text = format!("--only {unknown}: no such competitor; there are: {}", names.join(", "));
        return Err(CommandError::usage(text));
    }
    competitors.retain(|one| given.only.is_empty() || given.only.contains(&one.name));
    Ok(competitors)
}

/// A tree to push; clap requires that it is given.
fn directory(given: Option<&Path>) -> Result<PathBuf, CommandError> {
    let path = given.unwrap_or(Path::new(""));
    match path.is_dir() {
        true => Ok(path.to_path_buf()),
        false => Err(CommandError::usage(format!(
            "{} is not a directory",
            assetsync_core::text::path(path)
        ))),
    }
}

fn destination(given: &OsStr) -> Result<RemoteTarget, CommandError> {
    if given.as_encoded_bytes().starts_with(b"s3://") {
        let text = "--to needs a directory on a host, as in HOST:DIR, and this is a bucket";
        let hint = "docs/buckets.md compares pushes to buckets with those of other programs";
        return Err(CommandError::usage(text).hint(hint));
    }
    match Target::parse(given).map_err(CommandError::usage)? {
        Target::Remote(target) => Ok(target),
        Target::Local(path) => {
            let path = assetsync_core::text::path(&path);
            let text = format!("--to needs a directory on a host, as in HOST:DIR; {path} is local");
            Err(CommandError::usage(text))
        }
    }
}

fn ssh_options(given: &BenchArguments) -> SshOptions {
    SshOptions {
        identities: given.identities.clone(),
        port: given.port,
        config_file: given.config_file.clone(),
        ..SshOptions::default()
    }
}

fn show(given: &BenchArguments, console: &Console, records: &[Record]) -> Result<(), CommandError> {
    if let Some(path) = &given.svg {
        write(path, &chart(records, Competitor::OURS))?;
    }
    if let Some(path) = &given.markdown {
        let picture = given.svg.as_deref().map(|svg| beside(path, svg));
        let text = PageText { chart: picture.as_deref(), ..PageText::default() };
        write(path, &page(records, &text))?;
    }
    let text = if given.json { Record::to_json } else { table };
    records.iter().for_each(|record| console.print_stdout(&text(record)));
    Ok(())
}

/// The path of `other` relative to the directory of `page`, if it is below it.
fn beside(page: &Path, other: &Path) -> String {
    let relative = page.parent().and_then(|folder| other.strip_prefix(folder).ok());
    relative.unwrap_or(other).to_string_lossy().into_owned()
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error| {
        CommandError::failed(format!("Can't write {}: {error}", assetsync_core::text::path(path)))
    };
    fs::write(path, text).map_err(failed)
}

/// Fails if assetsync left a wrong tree; errors of other competitors are results.
fn verdict(records: &[Record]) -> Exit {
    let failed = records.iter().any(|record| record.has_faults(Competitor::OURS));
    if failed { Exit::Failed } else { Exit::Done }
}
