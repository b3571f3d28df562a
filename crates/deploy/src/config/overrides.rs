//! The layers of the environment and the command line, above those of the file.
//!
//! A setting `assets.retention.keep` is `ASSETSYNC_ASSETS_RETENTION_KEEP` in the environment and
//! `--set assets.retention.keep=5` on the command line. Items of a list are separated by commas, or
//! written as in TOML: `["*.map", "a"]`; the name with `append` or `remove` behind it changes the
//! list.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::layer::{APPEND, Change, Item, Layer, REMOVE, SettingChange};
use super::origin::{ConfigSpan, ConfigText, ConfigTextKind, Origin};
use super::problem::{Diagnostic, Problem};
use super::schema::{Key, Kind, SETTINGS, names};
use super::secrets::REDACTION;
use super::suggest::nearest;
use super::toml_tree;

/// The prefix of all variables.
const PREFIX: &str = "ASSETSYNC_";

/// The environment and the arguments.
///
/// Shown without values, of which any may be a secret.
#[derive(Clone, Default)]
pub struct Overrides {
    /// Environment variables, any; of use are `HOME` and those that begin with `ASSETSYNC_`. An
    /// empty one counts as not set.
    pub environment: Vec<(String, String)>,
    /// `key=value`, each from one `--set`; the last one for a key counts.
    pub arguments: Vec<String>,
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overrides(..)")
    }
}

/// An operation on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListOperation {
    Assign,
    Append,
    Remove,
}

/// A setting's value as text, with its range.
struct RawSetting {
    key: Key,
    manner: ListOperation,
    source: Arc<ConfigText>,
    value: Range<usize>,
}

/// The layer of the environment, for a file with these sets of assets.
pub(crate) fn environment(overrides: &Overrides, sets: &[String]) -> (Layer, Vec<Diagnostic>) {
    let candidates = candidates(sets);
    let (mut layer, mut problems) = (Layer::default(), Vec::new());
    for (name, value) in overrides.environment.iter().filter(|(_, value)| !value.is_empty()) {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let Some((key, manner)) = of_variable(rest, &candidates) else {
            problems.extend(unknown_variable(name, value, &candidates));
            continue;
        };
        let source = source(ConfigTextKind::Variable, name, format!("{name}={value}"));
        let value = name.len() + 1..source.text.len();
        read(RawSetting { key, manner, source, value }, &mut layer, &mut problems);
    }
    (layer, problems)
}

/// The layer of the arguments, for a file with these sets of assets.
pub(crate) fn arguments(overrides: &Overrides, sets: &[String]) -> (Layer, Vec<Diagnostic>) {
    const OPTION: &str = "--set ";
    let (mut layer, mut problems) = (Layer::default(), Vec::new());
    for argument in &overrides.arguments {
        let (name, is_assigned) = match argument.split_once('=') {
            Some((name, _)) => (name, true),
            None => (argument.as_str(), false),
        };
        let text = format!("{OPTION}{argument}");
        let source = source(ConfigTextKind::Argument, &format!("{OPTION}{name}"), text);
        let name_span = OPTION.len()..OPTION.len() + name.len();
        let value = (name_span.end + 1).min(source.text.len())..source.text.len();
        let problem = match of_argument(name, sets) {
            _ if !is_assigned => Problem::NotAssigned(name.to_owned()),
            None => unknown_key(name),
            Some((key, manner)) => {
                read(RawSetting { key, manner, source, value }, &mut layer, &mut problems);
                continue;
            }
        };
        problems.push(Diagnostic::at(problem, ConfigSpan::new(&source, name_span)));
    }
    (layer, problems)
}

fn source(kind: ConfigTextKind, name: &str, text: String) -> Arc<ConfigText> {
    Arc::new(ConfigText { kind, name: name.to_owned(), text })
}

/// Every setting's key and the name of its variable, without the prefix; wildcards end in `*`.
fn candidates(sets: &[String]) -> Vec<(String, Key)> {
    let keys = SETTINGS.iter().flat_map(|setting| {
        let key = Key::new(setting, setting.name);
        let of_sets = sets.iter().filter(|_| key.is_of_assets()).map(|set| key.clone().of_set(set));
        let of_sets: Vec<Key> = of_sets.collect();
        std::iter::once(key).chain(of_sets)
    });
    let name = |key: &Key| key.to_string().to_ascii_uppercase().replace(['.', '-'], "_");
    keys.map(|key| (name(&key), key)).collect()
}

fn of_variable(name: &str, candidates: &[(String, Key)]) -> Option<(Key, ListOperation)> {
    let exact = |wanted: &str| candidates.iter().find(|(name, _)| name == wanted);
    if let Some((_, key)) = exact(name) {
        return Some((key.clone(), ListOperation::Assign));
    }
    for (ending, manner) in [("_APPEND", ListOperation::Append), ("_REMOVE", ListOperation::Remove)]
    {
        let list = name.strip_suffix(ending).and_then(exact);
        if let Some((_, key)) = list.filter(|(_, key)| key.setting.is_list) {
            return Some((key.clone(), manner));
        }
    }
    candidates.iter().find_map(|(pattern, key)| {
        let wild = name.strip_prefix(pattern.strip_suffix('*')?)?;
        let key = Key::parse(&key.setting.name.replace('*', wild), &[])?;
        Some((key, ListOperation::Assign))
    })
}

/// A variable that looks like one of ours, but for a letter; others with our prefix are none of our
/// business.
fn unknown_variable(name: &str, value: &str, candidates: &[(String, Key)]) -> Option<Diagnostic> {
    let names: Vec<String> =
        candidates.iter().map(|(candidate, _)| format!("{PREFIX}{candidate}")).collect();
    let rest = name.strip_prefix(PREFIX)?;
    let short: Vec<&str> = names.iter().map(|name| &name[PREFIX.len()..]).collect();
    let nearest = nearest(rest, &short).map(|found| format!("{PREFIX}{found}"))?;
    let hidden = if super::secrets::is_secret(name) { REDACTION } else { value };
    let source = source(ConfigTextKind::Variable, name, format!("{name}={hidden}"));
    let span = ConfigSpan::new(&source, 0..name.len());
    let problem = Problem::UnknownVariable { name: name.to_owned(), nearest: Some(nearest) };
    Some(Diagnostic::at(problem, span))
}

fn of_argument(name: &str, sets: &[String]) -> Option<(Key, ListOperation)> {
    if let Some(key) = Key::parse(name, sets) {
        return Some((key, ListOperation::Assign));
    }
    let (list, ending) = name.rsplit_once('.')?;
    let manner = match ending {
        APPEND => ListOperation::Append,
        REMOVE => ListOperation::Remove,
        _ => return None,
    };
    Key::parse(list, sets).filter(|key| key.setting.is_list).map(|key| (key, manner))
}

fn unknown_key(name: &str) -> Problem {
    let known = names();
    let last = name.rsplit('.').next().unwrap_or(name);
    let same_end = || known.iter().find(|known| known.rsplit('.').next() == Some(last));
    let nearest = nearest(name, &known).or_else(|| same_end().map(|name| (*name).to_owned()));
    let known = super::schema::children("");
    Problem::UnknownKey { key: name.to_owned(), table: String::new(), nearest, known }
}

/// Checks what is given and adds it to the layer.
fn read(raw: RawSetting, layer: &mut Layer, problems: &mut Vec<Diagnostic>) {
    let kind = raw.key.setting.kind;
    if raw.key.setting.is_list && raw.source.text[raw.value.clone()].trim().starts_with('[') {
        return read_list(raw, layer, problems);
    }
    let spans = if raw.key.setting.is_list && kind != Kind::Hook {
        split(&raw.source.text, raw.value.clone())
    } else {
        vec![raw.value.clone()]
    };
    let mut items = Vec::new();
    for span in spans {
        let span = ConfigSpan::new(&raw.source, span);
        let text = &raw.source.text[span.range.clone()];
        match kind.check_word(&raw.key.to_string(), text) {
            Ok(setting_value) => items.push(Item { setting_value, origin: Origin::Given(span) }),
            Err(problem) => return problems.push(Diagnostic::at(problem, span)),
        }
    }
    layer.0.push(changed(raw, items));
}

/// Reads a list as it is written in the file.
fn read_list(raw: RawSetting, layer: &mut Layer, problems: &mut Vec<Diagnostic>) {
    let span = ConfigSpan::new(&raw.source, raw.value.clone());
    let kind = raw.key.setting.kind;
    let parsed = toml_tree::list(&raw.source.text[raw.value.clone()]);
    let given = match parsed.map_err(Problem::Syntax) {
        Ok(given) => given,
        Err(problem) => return problems.push(Diagnostic::at(problem, span)),
    };
    let mut items = Vec::new();
    for node in given {
        match kind.check(&raw.key.to_string(), node.scalar()) {
            Ok(setting_value) => {
                items.push(Item { setting_value, origin: Origin::Given(span.clone()) });
            }
            Err(problem) => return problems.push(Diagnostic::at(problem, span)),
        }
    }
    layer.0.push(changed(raw, items));
}

/// The change by what was given. Of two arguments for one key the last counts, as in a layer the
/// last change does.
fn changed(raw: RawSetting, items: Vec<Item>) -> SettingChange {
    let change = match raw.manner {
        ListOperation::Assign => Change::Assign(items),
        ListOperation::Append => Change::Amend { append: items, remove: Vec::new() },
        ListOperation::Remove => Change::Amend { append: Vec::new(), remove: items },
    };
    let span = ConfigSpan::new(&raw.source, raw.value);
    SettingChange { key: raw.key, change, span }
}

/// The parts of `text[range]` between commas, without spaces around them; empty ones are left out.
fn split(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut at = range.start;
    let mut parts = Vec::new();
    for part in text[range].split(',') {
        let start = at + (part.len() - part.trim_start().len());
        at += part.len() + 1;
        if !part.trim().is_empty() {
            parts.push(start..start + part.trim().len());
        }
    }
    parts
}
