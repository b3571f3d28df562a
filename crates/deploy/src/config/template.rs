//! A commented `assetsync.toml` to begin with: values that are known, and the defaults people ask
//! for as comments.

mod sections;

use std::fmt;
use std::fmt::Write;

use self::sections::{ENDING, HEADING, SECTIONS, Section};
use super::escape::{key_part, quoted, wrapped};
use super::schema::{Lookup, find};

/// How wide comments are, with their `# `.
const COLUMNS: usize = 80;

/// A setting and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateLine {
    /// The dotted key.
    pub key: String,
    /// The value, in TOML.
    pub value: String,
}

/// A stage to begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TemplateStage {
    /// Its name.
    pub name: String,
    /// The settings that differ from other stages.
    pub lines: Vec<TemplateLine>,
    /// Its hosts, each in TOML.
    pub hosts: Vec<String>,
}

/// The content of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigTemplate {
    /// The files it was made from, if any.
    pub sources: Vec<String>,
    /// Whether they were run, by Capistrano.
    pub(crate) ran: bool,
    pub(crate) lines: Vec<TemplateLine>,
    pub(crate) stages: Vec<TemplateStage>,
    /// Comments for a section.
    pub(crate) remarks: Vec<(&'static str, String)>,
    /// The lines that were not understood.
    pub notes: Vec<String>,
}

/// A project without any configuration to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// The name of its folder.
    pub folder: String,
    /// Whether it is a Rails application: it has `config/application.rb`.
    pub has_rails: bool,
    /// Whether it has `bin/rails`.
    pub has_bin_rails: bool,
    /// Whether it has `package.json`.
    pub has_package: bool,
}

impl TemplateLine {
    /// A text setting.
    pub(crate) fn text(key: &str, text: &str) -> TemplateLine {
        TemplateLine { key: key.to_owned(), value: quoted(text) }
    }

    /// A list of texts.
    pub(crate) fn list(key: &str, items: &[String]) -> TemplateLine {
        let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
        TemplateLine { key: key.to_owned(), value: format!("[{}]", items.join(", ")) }
    }
}

impl ConfigTemplate {
    /// The template for a project without configuration; the user edits three lines.
    pub(crate) fn of_project(project: &Project) -> ConfigTemplate {
        let name = application(&project.folder);
        let mut lines = vec![
            TemplateLine::text("application", &name),
            TemplateLine::text("deploy_to", &format!("/var/www/{name}")),
        ];
        // Most Rails applications have a `package.json`, too.
        let (command, source) = match project {
            Project { has_bin_rails: true, .. } => ("bin/rails assets:precompile", "public/assets"),
            Project { has_rails: false, has_package: true, .. } => ("npm run build", "dist"),
            _ => ("rake assets:precompile", "public/assets"),
        };
        lines.push(TemplateLine::text("build.command", command));
        lines.push(TemplateLine::text("assets.source", source));
        let hosts =
            vec![format!("{{ address = \"web1.example.com\", user = \"deploy\", {ROLES} }}")];
        let stage = TemplateStage { name: "production".into(), hosts, ..TemplateStage::default() };
        ConfigTemplate { lines, stages: vec![stage], ..ConfigTemplate::default() }
    }

    fn section(&self, text: &mut String, section: &Section) {
        let lines: Vec<&TemplateLine> =
            self.lines.iter().filter(|line| group_of(&line.key) == section.name).collect();
        let remarks: Vec<&str> = self.remarks_on(section.name).collect();
        if lines.is_empty() && remarks.is_empty() && section.only_if_used {
            return;
        }
        text.push('\n');
        comment(text, section.about);
        remarks.into_iter().for_each(|remark| comment(text, remark));
        let sets = sets_of(&lines);
        if !section.name.is_empty() {
            let _ = writeln!(text, "[{}]", section.name);
        }
        for line in lines.iter().filter(|line| set_of(line).is_none()) {
            write_line(text, line, section.name);
        }
        for default in section.defaults {
            write_default(text, default, &lines, section.name);
        }
        for set in sets {
            let _ = writeln!(text, "\n[assets.{}]", key_part(set));
            for line in lines.iter().filter(|line| set_of(line) == Some(set)) {
                write_line(text, line, &format!("assets.{set}"));
            }
        }
    }

    fn remarks_on<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a str> {
        let on = self.remarks.iter().filter(move |(name, _)| *name == section);
        on.map(|(_, remark)| remark.as_str())
    }

    fn ending(&self, text: &mut String) {
        if self.notes.is_empty() {
            return;
        }
        text.push('\n');
        comment(text, ENDING);
        for note in &self.notes {
            let _ = writeln!(text, "#   {}", assetsync_core::text::line(note));
        }
    }
}

/// The roles of a server that does everything.
const ROLES: &str = "roles = [\"app\", \"web\"]";

/// A folder's name as an application's: letters, digits, `-` and `_`.
fn application(folder: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let name: String = folder.chars().map(keep).collect();
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() { "app".to_owned() } else { name.to_owned() }
}

/// The section of a key.
fn group_of(key: &str) -> &str {
    key.split_once('.').map_or("", |(group, _)| group)
}

/// The set of assets a line is about, if it is one with a name.
fn set_of(line: &TemplateLine) -> Option<&str> {
    if !matches!(find(&line.key), Lookup::Nothing) {
        return None;
    }
    line.key.strip_prefix("assets.")?.split_once('.').map(|(set, _)| set)
}

fn sets_of<'a>(lines: &[&'a TemplateLine]) -> Vec<&'a str> {
    let mut sets: Vec<&str> = lines.iter().filter_map(|line| set_of(line)).collect();
    sets.dedup();
    sets
}

fn write_line(text: &mut String, line: &TemplateLine, section: &str) {
    let key =
        line.key.strip_prefix(section).map_or(line.key.as_str(), |key| key.trim_start_matches('.'));
    let _ = writeln!(text, "{key} = {}", line.value);
}

/// A default as a comment, unless the setting has a value above. Other lines explain the settings
/// below them.
fn write_default(text: &mut String, default: &str, lines: &[&TemplateLine], section: &str) {
    let key = default.split(" = ").next().unwrap_or_default();
    let key = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
    let is_same =
        |line: &&TemplateLine| line.key == key || line.key.starts_with(&format!("{key}."));
    if !lines.iter().any(is_same) {
        let _ = writeln!(text, "# {default}");
    }
}

/// `about` as comment lines. TOML has no control characters there; names from Ruby may.
fn comment(text: &mut String, about: &str) {
    for paragraph in about.lines() {
        // Indented lines are kept as they are.
        let is_shaped = paragraph.starts_with(' ');
        let shape = if is_shaped { paragraph.to_owned() } else { wrapped(paragraph, COLUMNS - 2) };
        for line in shape.split('\n') {
            let line = assetsync_core::text::line(line);
            let _ = writeln!(text, "{}", format!("# {line}").trim_end());
        }
    }
}

/// The file's text.
impl fmt::Display for ConfigTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let stage = self.stages.first().map_or("STAGE", |stage| &stage.name);
        comment(&mut text, &HEADING.replace("{stage}", stage));
        if !self.sources.is_empty() {
            let sources = super::escape::enumerated(&self.sources);
            text.push_str("#\n");
            let how =
                if self.ran { "as Capistrano loads them" } else { "of which nothing was run" };
            let sources = assetsync_core::text::line(sources);
            comment(&mut text, &format!("Made from {sources}, {how}."));
        }
        for section in SECTIONS {
            self.section(&mut text, section);
        }
        self.stages.iter().for_each(|stage| stage.write(&mut text));
        self.ending(&mut text);
        f.write_str(&text)
    }
}

impl TemplateStage {
    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "\n[stages.{}]", key_part(&self.name));
        self.lines.iter().for_each(|line| write_line(text, line, ""));
        if self.hosts.is_empty() {
            let _ =
                writeln!(text, "hosts = [] # none was found; write [\"deploy@web1.example.com\"]");
            return;
        }
        text.push_str("hosts = [\n");
        for host in &self.hosts {
            let _ = writeln!(text, "    {host},");
        }
        text.push_str("]\n");
    }
}
