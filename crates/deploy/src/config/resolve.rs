//! Layers to values: built-in, file, stage, host, environment, arguments, each over the ones
//! before.
//!
//! A plain value replaces what was there. An assignment to a list that drops items is reported:
//! this is how `set :rbenv_map_bins` once took `puma` and `pumactl` away from a plugin that had
//! added them.

use super::file::{ConfigFile, FileHost, Stage};
use super::layer::{Change, Item, Layer, SettingChange};
use super::origin::Origin;
use super::overrides;
use super::overrides::Overrides;
use super::problem::{Diagnostic, Problem, Problems, Severity};
use super::schema::{Default, Key, SETTINGS, Scope, Setting};
use super::settings::{HostSettings, Settings, Value, Values};
use super::value::{Hook, SettingValue};

impl ConfigFile {
    /// The values for a stage, or without one those that all stages begin with.
    pub fn resolve(
        &self,
        stage: Option<&str>,
        overrides: &Overrides,
    ) -> Result<Settings, Problems> {
        let stage = stage.map(|name| self.stage(name)).transpose()?;
        let sets = self.sets(stage);
        let (environment, mut problems) = overrides::environment(overrides, &sets);
        let (arguments, more) = overrides::arguments(overrides, &sets);
        problems.extend(more);
        let below = [Some(&self.base), stage.map(|stage| &stage.layer)].into_iter().flatten();
        let layers = Layers { below: below.collect(), above: [&environment, &arguments], stage };
        problems.extend(layers.common_sources(&sets));
        let settings = layers.settings(&sets, &mut problems);
        let (warnings, errors): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|one| one.problem.severity() == Severity::Warning);
        if !errors.is_empty() {
            return Err(Problems(errors));
        }
        let stages = self.stages().map(str::to_owned).collect();
        let home = overrides.environment.iter().find(|(name, _)| name == "HOME");
        let home = home.map(|(_, home)| home.clone());
        Ok(Settings { home, stages, warnings, ..settings })
    }

    fn stage(&self, name: &str) -> Result<&Stage, Problems> {
        self.stages.iter().find(|stage| stage.name == name).ok_or_else(|| {
            let known: Vec<String> = self.stages().map(str::to_owned).collect();
            let problem = match known.is_empty() {
                true => Problem::NoStages,
                false => Problem::UnknownStage { stage: name.to_owned(), known },
            };
            Problems(vec![Diagnostic::nowhere(problem)])
        })
    }

    /// The names of the sets of assets, in the file's order; none if `[assets]` is the only one.
    fn sets(&self, stage: Option<&Stage>) -> Vec<String> {
        let mut sets: Vec<String> = Vec::new();
        let layers = [Some(&self.base), stage.map(|stage| &stage.layer)];
        for entry in layers.into_iter().flatten().flat_map(|layer| &layer.0) {
            sets.extend(
                entry.key.set.iter().filter(|set| !sets.contains(set)).cloned().collect::<Vec<_>>(),
            );
        }
        sets
    }
}

/// All layers but the hosts' own, which lie between `below` and `above`.
struct Layers<'a> {
    below: Vec<&'a Layer>,
    above: [&'a Layer; 2],
    stage: Option<&'a Stage>,
}

impl Layers<'_> {
    fn all<'a>(&'a self, host: Option<&'a Layer>) -> impl Iterator<Item = &'a Layer> {
        self.below.iter().copied().chain(host).chain(self.above)
    }

    /// With sets of assets, a source for all of them makes no sense.
    fn common_sources(&self, sets: &[String]) -> Vec<Diagnostic> {
        const HINT: &str =
            "give each set its own in its table, or move these into one, as [assets.main]";
        let names = ["assets.source", "assets.destination"];
        let Some(set) = sets.first() else { return Vec::new() };
        let entries = self
            .all(None)
            .flat_map(|layer| &layer.0)
            .filter(|entry| entry.key.set.is_none() && names.contains(&entry.key.setting.name));
        let problem = |entry: &SettingChange| {
            let (first, second) = (entry.key.to_string(), format!("assets.{set}"));
            Diagnostic::at(Problem::Conflict { first, second, hint: HINT }, entry.span.clone())
        };
        entries.map(problem).collect()
    }

    fn settings(&self, sets: &[String], problems: &mut Vec<Diagnostic>) -> Settings {
        let mut values = Values::default();
        for key in self.keys(sets, None) {
            self.resolve(key, None, &mut values, problems);
        }
        let hosts = self.stage.iter().flat_map(|stage| &stage.hosts);
        let hosts = hosts.map(|host| self.host(host, &values, problems)).collect();
        let stage = self.stage.map(|stage| (stage.name.clone(), stage.span.clone()));
        let buckets = self.stage.map(|stage| stage.buckets.clone()).unwrap_or_default();
        let sets = sets.to_vec();
        Settings {
            home: None,
            stages: Vec::new(),
            stage,
            sets,
            values,
            hosts,
            buckets,
            warnings: Vec::new(),
        }
    }

    fn host(
        &self,
        host: &FileHost,
        common: &Values,
        problems: &mut Vec<Diagnostic>,
    ) -> HostSettings {
        let mut values = common.clone();
        let keys = self.keys(&[], Some(&host.layer));
        for key in keys.into_iter().filter(|key| key.setting.scope == Scope::Host) {
            self.resolve(key, Some(&host.layer), &mut values, problems);
        }
        let roles = host.roles.clone().unwrap_or_else(built_in_roles);
        HostSettings { address: host.address.clone(), span: host.span.clone(), roles, values }
    }

    /// The keys that have or may have a value, in the order of the table.
    fn keys(&self, sets: &[String], host: Option<&Layer>) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for setting in SETTINGS {
            let key = Key::new(setting, setting.name);
            if setting.name.ends_with('*') {
                self.wild_keys(setting, host, &mut keys);
            } else if key.is_of_assets() && !sets.is_empty() {
                keys.extend(sets.iter().map(|set| key.clone().of_set(set)));
            } else {
                keys.push(key);
            }
        }
        keys
    }

    fn wild_keys(&self, setting: &Setting, host: Option<&Layer>, keys: &mut Vec<Key>) {
        for entry in self.all(host).flat_map(|layer| &layer.0) {
            if entry.key.setting == setting && !keys.contains(&entry.key) {
                keys.push(entry.key.clone());
            }
        }
    }

    fn resolve(
        &self,
        key: Key,
        host: Option<&Layer>,
        values: &mut Values,
        problems: &mut Vec<Diagnostic>,
    ) {
        let mut value = built_in(&key, self.stage, values);
        for entry in self.all(host).flat_map(|layer| layer.changes(&key)) {
            let (next, warning) = apply(value, entry);
            value = Some(next);
            problems.extend(warning.filter(|warning| !problems.contains(warning)));
        }
        values.set(key, value);
    }
}

/// The roles of a host for which none are given.
fn built_in_roles() -> Vec<Item> {
    let role = |name: &str| Item {
        setting_value: SettingValue::Text(name.into()),
        origin: Origin::BuiltIn(None),
    };
    ["app", "web"].map(role).to_vec()
}

/// The default of a setting; one that is made of values which are not set is none.
fn built_in(key: &Key, stage: Option<&Stage>, values: &Values) -> Option<Value> {
    let (text, origin) = match key.setting.default {
        Default::None => return None,
        Default::Value(text) => (text.to_owned(), Origin::BuiltIn(None)),
        // Its items are below.
        Default::Items(_) => (String::new(), Origin::BuiltIn(None)),
        Default::Template(template) => {
            (filled(template, key, stage, values)?, Origin::BuiltIn(Some(template)))
        }
    };
    let texts: Vec<&str> = match key.setting.default {
        Default::Items(items) => items.to_vec(),
        _ => vec![text.as_str()],
    };
    let item = |text: &str| {
        // A default that is made of checked values can still be none: `/x/..` is no directory.
        let setting_value = key.setting.kind.check_word(&key.to_string(), text).ok()?;
        Some(Item { setting_value, origin: origin.clone() })
    };
    let items: Vec<Item> = texts.into_iter().map(item).collect::<Option<_>>()?;
    Some(Value { items, origin })
}

/// A template with the values of the settings it names.
fn filled(template: &str, key: &Key, stage: Option<&Stage>, values: &Values) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        text.push_str(before);
        match name {
            "stage" => text.push_str(&stage?.name),
            name => {
                text.push_str(values.text_of_set(name, key.set.as_deref())?.trim_end_matches('/'))
            }
        }
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

/// Applies a change to a value; with a warning if a list lost items.
fn apply(before: Option<Value>, entry: &SettingChange) -> (Value, Option<Diagnostic>) {
    let origin = Origin::Given(entry.span.clone());
    match &entry.change {
        Change::Assign(items) => {
            let warning = before.and_then(|before| dropped(before, items, entry));
            (Value { items: unique(items), origin }, warning)
        }
        Change::Amend { append, remove } => {
            let mut items = before.map(|before| before.items).unwrap_or_default();
            items.retain(|item| !remove.iter().any(|gone| is_same(gone, item)));
            items.extend(append.iter().cloned());
            (Value { items: unique(&items), origin }, None)
        }
    }
}

/// A hook is named by what it runs.
fn is_same(one: &Item, other: &Item) -> bool {
    match (&one.setting_value, &other.setting_value) {
        (SettingValue::Hook(Hook { run, .. }), SettingValue::Hook(other)) => *run == other.run,
        (one, other) => one == other,
    }
}

fn unique(items: &[Item]) -> Vec<Item> {
    let mut unique: Vec<Item> = Vec::new();
    for item in items {
        if !unique.iter().any(|other| other.setting_value == item.setting_value) {
            unique.push(item.clone());
        }
    }
    unique
}

/// The warning about what an assignment drops from a list.
fn dropped(before: Value, items: &[Item], entry: &SettingChange) -> Option<Diagnostic> {
    let setting = entry.key.setting;
    let is_missed = |item: &&Item| setting.is_guarded || item.origin.span().is_some();
    let is_in = |list: &[Item], item: &Item| list.iter().any(|other| is_same(other, item));
    let lost: Vec<&Item> =
        before.items.iter().filter(|item| !is_in(items, item)).filter(is_missed).collect();
    if !setting.is_list || lost.is_empty() {
        return None;
    }
    let texts = |items: Vec<&Item>| -> Vec<String> {
        items.into_iter().map(|item| item.setting_value.plain()).collect()
    };
    let added = items.iter().filter(|item| !is_in(&before.items, item)).collect();
    let (dropped, added) = (texts(lost.clone()), texts(added));
    let problem = Problem::ListReplaced { key: entry.key.to_string(), dropped, added };
    Some(with_origins(Diagnostic::at(problem, entry.span.clone()), &lost))
}

/// The warning with the spans of the dropped items.
fn with_origins(warning: Diagnostic, lost: &[&Item]) -> Diagnostic {
    let mut warning = warning;
    let built_in: Vec<String> = lost
        .iter()
        .filter(|item| item.origin.span().is_none())
        .map(|item| item.setting_value.plain())
        .collect();
    if !built_in.is_empty() {
        let are = if built_in.len() == 1 { "is" } else { "are" };
        warning.note = Some(format!("{} {are} built in", super::escape::enumerated(&built_in)));
    }
    for item in lost {
        let label =
            format!("{} comes from here", assetsync_core::text::name(item.setting_value.plain()));
        warning = warning.with(item.origin.span().cloned(), label);
    }
    warning
}
