//! A recipe to a file of our own: what every stage comes to, and what is common to all of them.

mod assets;
mod hosts;
mod restart;
mod ruby;

use super::stage::CapistranoStage;
use super::{Answer, Files, reader};
use crate::config::secrets::{contains_password, is_secret};
use crate::config::template::{ConfigTemplate, TemplateLine, TemplateStage};
use crate::config::{is_name, value_is_fine};

/// How much of a line that was not understood is shown.
const SHOWN: usize = 100;

/// The name of the stage where there are no files of stages.
const ONLY_STAGE: &str = "production";

/// Converts a Capistrano configuration to an `assetsync.toml`: what Capistrano has answered, and
/// what the files say where it has not.
pub fn convert(files: &Files, answer: Option<&Answer>) -> ConfigTemplate {
    let mut template = ConfigTemplate { sources: names(files), ..ConfigTemplate::default() };
    if files.are_of_version_2() {
        let about =
            "This is a configuration of Capistrano 2, which is not read: nothing here is from it";
        template.notes.push(about.to_owned());
        let name = ONLY_STAGE.to_owned();
        template.stages.push(TemplateStage { name, ..TemplateStage::default() });
        return template;
    }
    template.ran = answer.is_some_and(|answer| !answer.stages.is_empty());
    let mut stages = stages(files, answer);
    stages.sort_by(|one, other| one.name.cmp(&other.name));
    template.notes = answer.map(|answer| answer.failures.clone()).unwrap_or_default();
    template.notes.extend(told(&stages));
    stages.retain(|stage| {
        let is_fine = is_name(&stage.name);
        if !is_fine {
            template.notes.push(format!("'{}' can't be a stage's name", stage.name));
        }
        is_fine
    });
    fill(&mut template, &stages);
    template
}

/// All stages, each as Capistrano says it or else as its files do.
fn stages(files: &Files, answer: Option<&Answer>) -> Vec<CapistranoStage> {
    let mut stages = answer.map(|answer| answer.stages.clone()).unwrap_or_default();
    for (name, file) in &files.stages {
        if !stages.iter().any(|stage| stage.name == *name) {
            stages.push(reader::read(files, name, Some(file)));
        }
    }
    if stages.is_empty() {
        stages.push(reader::read(files, ONLY_STAGE, None));
    }
    stages
}

/// Writes down what all stages have, and what each has.
fn fill(template: &mut ConfigTemplate, stages: &[CapistranoStage]) {
    let mut drafts: Vec<StageConversion> = stages.iter().map(StageConversion::of).collect();
    template.lines = common(&drafts);
    for draft in &mut drafts {
        draft.lines.retain(|line| !template.lines.contains(line));
        add_new(&mut template.remarks, draft.remarks.drain(..));
        add_new(&mut template.notes, draft.notes.drain(..));
    }
    let drafts = stages.iter().zip(drafts);
    let stage = |(stage, draft): (&CapistranoStage, StageConversion)| TemplateStage {
        name: stage.name.clone(),
        lines: draft.lines,
        hosts: draft.hosts,
    };
    template.stages = drafts.map(stage).collect();
}

fn add_new<T: PartialEq>(all: &mut Vec<T>, more: impl Iterator<Item = T>) {
    for item in more {
        if !all.contains(&item) {
            all.push(item);
        }
    }
}

/// The settings of one stage.
#[derive(Default)]
struct StageConversion {
    lines: Vec<TemplateLine>,
    hosts: Vec<String>,
    remarks: Vec<(&'static str, String)>,
    notes: Vec<String>,
}

impl StageConversion {
    fn of(stage: &CapistranoStage) -> StageConversion {
        let mut draft = StageConversion::default();
        draft.application(stage);
        draft.environment(stage);
        draft.assets(stage);
        draft.restart(stage);
        draft.ssh(stage);
        draft.ruby(stage);
        draft.hosts(stage);
        draft
    }

    /// Capistrano's own default is `/var/www/APPLICATION`. A path that is not known is left out:
    /// files would be replaced there.
    fn application(&mut self, stage: &CapistranoStage) {
        let name = stage.text("application");
        self.maybe("application", name.clone());
        let default = name.map(|name| format!("/var/www/{name}")).unwrap_or_default();
        let Some(deploy_to) = stage.text_or("deploy_to", &default).filter(|path| !path.is_empty())
        else {
            return;
        };
        // Without a slash in front a path starts at the login directory, which is the home.
        let below_home = ["~/", "$HOME/"].iter().find_map(|home| deploy_to.strip_prefix(home));
        self.text("deploy_to", below_home.unwrap_or(&deploy_to));
    }

    /// Adds a line; of two for one setting the last counts.
    fn line(&mut self, line: TemplateLine) {
        self.lines.retain(|other| other.key != line.key);
        self.lines.push(line);
    }

    /// Adds a text, if the setting takes it; else that is noted.
    fn text(&mut self, key: &str, text: &str) {
        match value_is_fine(key, text) {
            Ok(()) => self.line(TemplateLine::text(key, text)),
            Err(problem) => self.notes.push(problem),
        }
    }

    /// Adds a text that is known.
    fn maybe(&mut self, key: &str, text: Option<String>) {
        if let Some(text) = text {
            self.text(key, &text);
        }
    }

    /// Adds a list of those items the setting takes.
    fn list(&mut self, key: &str, items: Vec<String>) {
        let (setting, _) = key.rsplit_once(".append").unwrap_or((key, ""));
        let (setting, _) = setting.rsplit_once(".remove").unwrap_or((setting, ""));
        let mut fine = Vec::new();
        for item in items {
            match value_is_fine(setting, &item) {
                Ok(()) => fine.push(item),
                Err(problem) => self.notes.push(problem),
            }
        }
        if !fine.is_empty() {
            self.line(TemplateLine::list(key, &fine));
        }
    }

    /// Adds a variable, unless it is a secret: secrets are not copied into another file.
    fn variable(&mut self, group: &str, name: &str, value: &str) {
        if is_secret(name) || contains_password(value) {
            let variable = format!("ASSETSYNC_{}_{name}", group.to_ascii_uppercase());
            self.notes.push(format!("{name} is a secret: give it as {variable}"));
            return;
        }
        self.text(&format!("{group}.{name}"), value);
    }
}

/// The lines that all stages have.
fn common(drafts: &[StageConversion]) -> Vec<TemplateLine> {
    let Some((first, others)) = drafts.split_first() else { return Vec::new() };
    let in_all = |line: &&TemplateLine| others.iter().all(|draft| draft.lines.contains(line));
    first.lines.iter().filter(in_all).cloned().collect()
}

/// The files' names.
fn names(files: &Files) -> Vec<String> {
    let own = [&files.capfile, &files.deploy].into_iter().flatten().map(|file| &file.name);
    own.chain(files.stages.iter().map(|(_, file)| &file.name)).cloned().collect()
}

/// What was not understood, in the order of places; secrets are not shown.
fn told(stages: &[CapistranoStage]) -> Vec<String> {
    let mut told = Vec::new();
    add_new(
        &mut told,
        stages.iter().flat_map(|stage| &stage.notes).map(|(at, text)| note(at, text)),
    );
    told
}

fn note(at: &str, text: &str) -> String {
    // `keys` of `ssh_options` are names of files.
    let text = if is_secret(&text.replace("keys", "")) || contains_password(text) {
        let name: Vec<&str> = text.split([',', '=', '(']).take(1).collect();
        let name = name.concat();
        // Text that names a secret may contain its value, too.
        if is_secret(&name) && name.contains(['"', '\'']) {
            "(hidden)".into()
        } else {
            format!("{} (hidden)", name.trim())
        }
    } else {
        text.to_owned()
    };
    let short: String = text.chars().take(SHOWN).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("{at}: {}{more}", assetsync_core::text::line(short))
}
