//! `assetsync deploy`, `rollback`, `status`, `verify`, `prune` and `push STAGE`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use assetsync_deploy::{
    Cancel, Deployment, Engine, Outcome, RollbackTo, Rollout, RolloutError, RolloutSelection,
};
use assetsync_sync::Store;

use super::destinations::chosen;
use super::project::Project;
use crate::cli::args::PushArguments;
use crate::cli::cache::CacheArguments;
use crate::cli::config::SettingsArguments;
use crate::cli::options::{chosen_recipes, store_path};
use crate::cli::rollout::{
    DeployArguments, PruneArguments, ReportArguments, RollbackArguments, StageArguments,
    StatusArguments, VerifyArguments,
};
use crate::error::{CommandError, Exit};
use crate::ui::console::Console;
use crate::ui::output::Output;
use crate::ui::prompt::TerminalPrompt;
use crate::ui::rollout_text::{self as shown, RolloutMonitor};
use crate::ui::run_info::{RunInfo, Verb};
use crate::ui::{interrupt, status as standing};

/// A rollout that is ready to run.
struct PreparedRollout {
    console: Arc<Console>,
    project: Project,
    deployment: Deployment,
    engine: Engine,
    choice: RolloutSelection,
}

/// `assetsync deploy`.
pub fn deploy(arguments: &DeployArguments) -> Exit {
    let (console, chosen) = on_stage(&arguments.stage);
    let choice = RolloutSelection {
        dry_run: arguments.dry_run,
        skip_build: arguments.skip_build,
        keep_going: arguments.keep_going,
        max_delete: arguments.max_delete,
        ..chosen
    };
    let prepared = PreparedRollout::on(&console, &arguments.stage, choice);
    roll_out(&console, prepared, Verb::Deploy, |rollout| rollout.deploy())
}

/// `assetsync push STAGE`.
pub fn push(stage: &str, arguments: &PushArguments) -> Exit {
    let output = &arguments.output;
    let console = Arc::new(Console::new(Output {
        steps: output.verbose > 0,
        clock: output.verbose > 1,
        quiet: output.quiet,
        json: output.json,
        ..Output::default()
    }));
    let choice = RolloutSelection {
        dry_run: arguments.choice.dry_run,
        max_delete: arguments.choice.max_delete,
        ..chosen(&arguments.hosts, console.is_interactive())
    };
    let (settings, memory) = (&arguments.settings, &arguments.memory);
    let prepared = PreparedRollout::new(&console, stage, settings, memory, choice);
    roll_out(&console, prepared, Verb::Deploy, |rollout| rollout.push())
}

/// `assetsync rollback`.
pub fn rollback(arguments: &RollbackArguments) -> Exit {
    let (console, chosen) = on_stage(&arguments.stage);
    let choice = RolloutSelection { dry_run: arguments.dry_run, ..chosen };
    let prepared = PreparedRollout::on(&console, &arguments.stage, choice);
    // An id is longer than any number of kept deploys.
    let target = &arguments.target;
    let target = match target.parse() {
        Ok(steps) if target.len() < 6 => RollbackTo::Back(steps),
        _ => RollbackTo::Id(target),
    };
    roll_out(&console, prepared, Verb::Rollback, |rollout| rollout.rollback(target))
}

/// `assetsync prune`.
pub fn prune(arguments: &PruneArguments) -> Exit {
    let (console, chosen) = on_stage(&arguments.stage);
    let choice = RolloutSelection { dry_run: arguments.dry_run, ..chosen };
    let prepared = PreparedRollout::on(&console, &arguments.stage, choice);
    roll_out(&console, prepared, Verb::Prune, |rollout| rollout.prune())
}

/// `assetsync verify`.
pub fn verify(arguments: &VerifyArguments) -> Exit {
    let (console, choice) = on_stage(&arguments.stage);
    let prepared = PreparedRollout::on(&console, &arguments.stage, choice);
    roll_out(&console, prepared, Verb::Verify, |rollout| rollout.verify())
}

/// `assetsync status`.
pub fn status(arguments: &StatusArguments) -> Exit {
    let (console, choice) = on_stage(&arguments.stage);
    let exit = match PreparedRollout::on(&console, &arguments.stage, choice) {
        Err(exit) => exit,
        Ok(prepared) => prepared.look(),
    };
    console.finish(exit)
}

fn on_stage(stage: &StageArguments) -> (Arc<Console>, RolloutSelection) {
    let console = console(&stage.report);
    let choice = chosen(&stage.hosts, console.is_interactive());
    (console, choice)
}

fn console(report: &ReportArguments) -> Arc<Console> {
    Arc::new(Console::new(Output {
        steps: report.verbose > 0,
        clock: report.verbose > 1,
        quiet: report.quiet,
        json: report.json,
        ..Output::default()
    }))
}

fn roll_out(
    console: &Arc<Console>,
    prepared: Result<PreparedRollout, Exit>,
    verb: Verb,
    run: impl FnOnce(&Rollout<'_>) -> Result<Outcome, RolloutError>,
) -> Exit {
    let exit = match prepared {
        Err(exit) => exit,
        Ok(prepared) => prepared.roll_out(verb, run),
    };
    console.finish(exit)
}

impl PreparedRollout {
    fn on(
        console: &Arc<Console>,
        stage: &StageArguments,
        choice: RolloutSelection,
    ) -> Result<PreparedRollout, Exit> {
        PreparedRollout::new(console, &stage.name, &stage.settings, &stage.memory, choice)
    }

    fn new(
        console: &Arc<Console>,
        stage: &str,
        settings: &SettingsArguments,
        memory: &CacheArguments,
        choice: RolloutSelection,
    ) -> Result<PreparedRollout, Exit> {
        let project = Project::open(settings).map_err(|error| {
            console.error(None, &error);
            error.exit
        })?;
        let deployment = project.deployment(stage, console)?;
        let store = store_path(memory);
        let place = store.clone();
        let store = store.and_then(|path| open_store(&path, choice.dry_run, console));
        let bucket_memory = place.filter(|_| store.is_some()).map(|store| store.join("buckets"));
        let (store, recipes) = (store.map(Arc::new), chosen_recipes(memory));
        let mut engine = Engine { store, recipes, bucket_memory, ..Engine::default() };
        if choice.interactive {
            engine.prompt = Arc::new(TerminalPrompt::new(Arc::clone(console)));
        }
        Ok(PreparedRollout { console: Arc::clone(console), project, deployment, engine, choice })
    }

    fn roll_out(
        &self,
        verb: Verb,
        run: impl FnOnce(&Rollout<'_>) -> Result<Outcome, RolloutError>,
    ) -> Exit {
        let (started, cancel) = (Instant::now(), Cancel::default());
        interrupt::cancel(&self.console, &cancel, &self.deployment.stage);
        let about = RunInfo { stage: &self.deployment.stage, verb, dry_run: self.choice.dry_run };
        // Its monitor ends before the result is printed.
        let ran = run(&self.rollout(&cancel));
        let exit = match ran {
            Ok(outcome) => shown::end(&self.console, about, started, &outcome),
            Err(error) => shown::refused(&self.console, about, &error),
        };
        if let Some(store) = self.engine.store.as_ref().filter(|_| !self.choice.dry_run) {
            // Best effort: the next push tries again.
            let _ = store.prune_if_due();
        }
        exit
    }

    fn look(&self) -> Exit {
        let cancel = Cancel::default();
        let statuses = match self.rollout(&cancel).status() {
            Ok(statuses) => statuses,
            Err(error) => {
                let error = CommandError::usage(&error);
                self.console.error(None, &error);
                return error.exit;
            }
        };
        for status in &statuses {
            self.console.print_stdout(&match self.console.output.json {
                true => standing::json(status),
                false => standing::text(status),
            });
        }
        if let Some(warning) = standing::different(&statuses) {
            self.console.warn(&warning);
        }
        let failed = statuses.iter().filter(|status| status.state.is_err()).count();
        if failed == 0 { Exit::Done } else { Exit::Failed }
    }

    fn rollout<'a>(&'a self, cancel: &'a Cancel) -> Rollout<'a> {
        Rollout {
            deployment: &self.deployment,
            project: &self.project.folder,
            engine: &self.engine,
            selection: &self.choice,
            cancel,
            monitor: RolloutMonitor::on(&self.console, self.choice.dry_run),
        }
    }
}

/// Opens the store. Without one a push only sends more bytes, so a failure is a warning. A dry run
/// creates none.
fn open_store(path: &Path, dry_run: bool, console: &Console) -> Option<Store> {
    let opened = match dry_run {
        true => Store::open_existing(path),
        false => Store::open(path).map(Some),
    };
    opened.unwrap_or_else(|error| {
        console.warn(&error.to_string());
        None
    })
}
