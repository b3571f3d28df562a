//! A recipe to a file of our own: what every stage comes to, and what is common to all of them.

mod assets;
mod hosts;
mod restart;
mod ruby;

use super::Files;
use super::stages::{CapistranoConfig, CapistranoStage, Note, read};
use crate::config::secrets::{contains_password, is_secret};
use crate::config::template::{ConfigTemplate, TemplateLine, TemplateStage};
use crate::config::{is_name, value_is_fine};

/// How much of a line that was not understood is shown.
const SHOWN: usize = 100;

/// Converts a Capistrano configuration to an `assetsync.toml`.
pub fn convert(files: &Files) -> ConfigTemplate {
    let mut recipe = read(files);
    let refused: Vec<String> = recipe
        .stages
        .extract_if(.., |stage| !is_name(&stage.name))
        .map(|stage| format!("'{}' can't be a stage's name", stage.name))
        .collect();
    let mut drafts: Vec<StageConversion> =
        recipe.stages.iter().map(|stage| StageConversion::of(&recipe, stage)).collect();
    let common = common(&drafts);
    let mut starter =
        ConfigTemplate { sources: names(files), lines: common, ..ConfigTemplate::default() };
    starter.notes = recipe.notes.iter().map(told).chain(refused).collect();
    for draft in &mut drafts {
        draft.lines.retain(|line| !starter.lines.contains(line));
        for remark in draft.remarks.drain(..) {
            if !starter.remarks.contains(&remark) {
                starter.remarks.push(remark);
            }
        }
        for note in draft.notes.drain(..) {
            if !starter.notes.contains(&note) {
                starter.notes.push(note);
            }
        }
    }
    let stages = recipe.stages.iter().zip(drafts);
    starter.stages = stages
        .map(|(stage, draft)| TemplateStage {
            name: stage.name.clone(),
            lines: draft.lines,
            hosts: draft.hosts,
        })
        .collect();
    starter
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
    fn of(recipe: &CapistranoConfig, stage: &CapistranoStage) -> StageConversion {
        let mut draft = StageConversion::default();
        draft.application(stage);
        draft.assets(stage);
        draft.restart(recipe, stage);
        draft.ssh(stage);
        draft.environment(stage);
        draft.ruby(recipe, stage);
        draft.hosts(stage);
        draft
    }

    /// Capistrano's own default is `/var/www/APPLICATION`.
    fn application(&mut self, stage: &CapistranoStage) {
        let name = stage.text("application").unwrap_or_else(|| "my_app".to_owned());
        let deploy_to = stage.text("deploy_to").unwrap_or_else(|| format!("/var/www/{name}"));
        self.text("application", &name);
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

/// A statement that was not understood, as it may be shown.
fn told(note: &Note) -> String {
    let Note { file, line, text } = note;
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
        text.clone()
    };
    let short: String = text.chars().take(SHOWN).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("{file}:{line}: {}{more}", assetsync_core::text::line(short))
}
