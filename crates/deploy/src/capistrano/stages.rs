//! Files to what each stage comes to: every stage reads `deploy.rb` first, then its own file, as
//! Capistrano does.

use std::collections::BTreeMap;

use super::expr::Expr;
use super::lexer::lex;
use super::literals::{Scope, Stored, Value};
use super::parser::{Call, call};
use super::server::Server;
use super::statement::{Statement, statements};
use super::{Files, RubyFile};

/// The largest file that is read, in bytes.
const MAX_FILE: usize = 1 << 20;

/// The stage of a configuration that has none.
const ONLY_STAGE: &str = "production";

/// A Capistrano configuration.
#[derive(Debug, Clone, Default)]
pub struct CapistranoConfig {
    /// The plugins that the `Capfile` loads.
    pub plugins: Plugins,
    /// The stages, in the order of their names.
    pub stages: Vec<CapistranoStage>,
    /// The lines that were not understood, in order.
    pub notes: Vec<Note>,
}

/// The files and plugins a `Capfile` loads, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plugins(Vec<String>);

/// The variables of one stage.
#[derive(Debug, Clone)]
pub struct CapistranoStage {
    /// Its name.
    pub name: String,
    /// Its servers, in order.
    pub servers: Vec<Server>,
    variables: BTreeMap<String, Stored>,
    ruby_version: Option<String>,
    /// For each list: its items before the configuration, removed ones, and the last assignment.
    lists: BTreeMap<String, ListHistory>,
}

/// Changes to a list that plugins had filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListHistory {
    /// The items before the change.
    pub initial: Vec<String>,
    /// The items that `remove` removed.
    pub removed: Vec<String>,
    /// The line of a plain `set`, as in `config/deploy.rb:12`.
    pub set_at: Option<String>,
}

/// A statement that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The line's text.
    pub text: String,
}

impl Plugins {
    /// Whether something is loaded, by its exact name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|plugin| plugin == name)
    }
}

/// Reads a configuration.
pub fn read(files: &Files) -> CapistranoConfig {
    let plugins = plugins(files.capfile.as_ref());
    let mut recipe = CapistranoConfig { plugins, ..CapistranoConfig::default() };
    let deploy = files.deploy.as_ref().map(Parsed::of);
    let mut stages: Vec<(&str, Option<Parsed<'_>>)> =
        files.stages.iter().map(|(name, file)| (name.as_str(), Some(Parsed::of(file)))).collect();
    if stages.is_empty() {
        stages.push((ONLY_STAGE, None));
    }
    for (name, file) in stages {
        let mut run = StageReader::new(name, &recipe.plugins, files.ruby_version.clone());
        deploy.iter().chain(&file).for_each(|parsed| run.file(parsed));
        recipe.stages.push(run.stage);
        for note in run.notes {
            if !recipe.notes.contains(&note) {
                recipe.notes.push(note);
            }
        }
    }
    recipe.notes.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    recipe
}

/// A file and its statements.
struct Parsed<'a> {
    file: &'a RubyFile,
    statements: Vec<Statement>,
}

impl Parsed<'_> {
    fn of(file: &RubyFile) -> Parsed<'_> {
        let text = if file.text.len() > MAX_FILE { "" } else { &file.text };
        Parsed { file, statements: statements(lex(text)) }
    }
}

/// Reads what a `Capfile` requires and installs.
fn plugins(capfile: Option<&RubyFile>) -> Plugins {
    let parsed = capfile.map(Parsed::of);
    let calls = parsed.iter().flat_map(|parsed| &parsed.statements).filter_map(call);
    let names = calls.filter_map(|call| match (call.verb.as_str(), call.args.as_slice()) {
        ("require" | "install_plugin", [name, ..]) => match name {
            Expr::Call(name, _) => Some(name.clone()),
            name => literal(name),
        },
        _ => None,
    });
    Plugins(names.collect())
}

/// A value that needs nothing else.
fn literal(expr: &Expr) -> Option<String> {
    let scope = Scope { variables: &BTreeMap::new(), ruby_version: None };
    match scope.value(expr) {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// One stage being read.
struct StageReader {
    stage: CapistranoStage,
    notes: Vec<Note>,
}

impl StageReader {
    fn new(name: &str, plugins: &Plugins, ruby_version: Option<String>) -> StageReader {
        let stage = CapistranoStage {
            name: name.to_owned(),
            servers: Vec::new(),
            variables: BTreeMap::new(),
            ruby_version,
            lists: BTreeMap::new(),
        };
        let mut run = StageReader { stage, notes: Vec::new() };
        run.set("stage", Value::Text(name.to_owned()));
        for (list, items) in filled_lists(plugins) {
            let items: Vec<String> = items.into_iter().map(str::to_owned).collect();
            let history = ListHistory { initial: items.clone(), ..ListHistory::default() };
            run.stage.lists.insert(list.to_owned(), history);
            run.set(list, Value::List(items.into_iter().map(Value::Text).collect()));
        }
        run
    }

    fn set(&mut self, name: &str, value: Value) {
        self.stage.variables.insert(name.to_owned(), Stored::Value(value));
    }

    fn file(&mut self, parsed: &Parsed<'_>) {
        for statement in &parsed.statements {
            let understood =
                call(statement).is_some_and(|call| self.carry_out(call, parsed.file, statement));
            if !understood {
                self.note(parsed.file, statement.line);
            }
        }
    }

    fn note(&mut self, file: &RubyFile, line: usize) {
        let text = file.text.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
        self.notes.push(Note { file: file.name.clone(), line, text });
    }

    /// Carries out a call; whether it was understood.
    fn carry_out(&mut self, call: Call, file: &RubyFile, statement: &Statement) -> bool {
        let at = format!("{}:{}", file.name, statement.line);
        match (call.verb.as_str(), call.args.as_slice()) {
            ("lock" | "require" | "require_relative" | "load" | "import" | "install_plugin", _) => {
                true
            }
            ("set" | "set_if_empty", [name, value]) => self.assign(&call.verb, name, value, &at),
            ("append", [name, items @ ..]) => self.amend(name, items, true),
            ("remove", [name, items @ ..]) => self.amend(name, items, false),
            ("server", [address, options @ ..]) => self.server(address, options),
            ("role", [role, addresses, options @ ..]) => self.role(role, addresses, options),
            _ => false,
        }
    }

    fn assign(&mut self, verb: &str, name: &Expr, value: &Expr, at: &str) -> bool {
        let Value::Text(name) = self.stage.value(name) else { return false };
        if verb == "set_if_empty" && self.stage.variables.contains_key(&name) {
            return true;
        }
        if let Some(history) = self.stage.lists.get_mut(&name) {
            history.set_at = Some(at.to_owned());
        }
        let stored = match value {
            Expr::Lambda(inner) => Stored::Lazy((**inner).clone()),
            value => Stored::Value(self.stage.value(value)),
        };
        // The parts of a hash are interpreted where they are used.
        let is_unknown = match &stored {
            Stored::Value(Value::Hash(_)) | Stored::Lazy(_) => false,
            Stored::Value(value) => value.is_unknown(),
        };
        self.stage.variables.insert(name.clone(), stored);
        // Unused variables need not be understood.
        !is_unknown || !super::known_variables::KNOWN_VARIABLES.contains(&name.as_str())
    }

    fn amend(&mut self, name: &Expr, items: &[Expr], appends: bool) -> bool {
        let Value::Text(name) = self.stage.value(name) else { return false };
        let items = self.stage.value(&Expr::List(items.to_vec()));
        let (Some(before), Some(items)) =
            (self.stage.get(&name).unwrap_or(Value::Nil).into_texts(), items.into_texts())
        else {
            return !super::known_variables::KNOWN_VARIABLES.contains(&name.as_str());
        };
        let after: Vec<String> = match appends {
            true => before.into_iter().chain(items).collect(),
            false => {
                let history = self.stage.lists.entry(name.clone()).or_default();
                history.removed.extend(items.iter().cloned());
                before.into_iter().filter(|item| !items.contains(item)).collect()
            }
        };
        self.set(&name, Value::List(after.into_iter().map(Value::Text).collect()));
        true
    }

    fn server(&mut self, address: &Expr, options: &[Expr]) -> bool {
        let Value::Text(address) = self.stage.value(address) else { return false };
        let Some(mut server) = Server::parse(&address) else { return false };
        let is_known = self.set_options(&mut server, options);
        self.add(server);
        is_known
    }

    /// Applies options; returns whether all were understood.
    fn set_options(&mut self, server: &mut Server, options: &[Expr]) -> bool {
        let mut is_known = true;
        for option in options {
            let Value::Hash(pairs) = self.stage.value(option) else { return false };
            for (name, value) in pairs {
                is_known &= !value.is_unknown();
                server.set(&name, value);
            }
        }
        is_known
    }

    fn role(&mut self, role: &Expr, addresses: &Expr, options: &[Expr]) -> bool {
        let Value::Text(role) = self.stage.value(role) else { return false };
        let Some(addresses) = self.stage.value(addresses).into_texts() else { return false };
        let mut is_known = true;
        for address in addresses {
            let Some(mut server) = Server::parse(&address) else { return false };
            server.add_roles(vec![role.clone()]);
            is_known &= self.set_options(&mut server, options);
            self.add(server);
        }
        is_known
    }

    fn add(&mut self, server: Server) {
        match self.stage.servers.iter_mut().find(|known| known.is_same(&server)) {
            Some(known) => known.merge(server),
            None => self.stage.servers.push(server),
        }
    }
}

/// The lists that plugins have filled before the recipe is read.
fn filled_lists(plugins: &Plugins) -> Vec<(&'static str, Vec<&'static str>)> {
    use crate::command::{Bundler, Chruby, Pumactl, Rbenv, Rvm};
    let lists: [(&str, &str, &[&str]); 4] = [
        ("rbenv", "rbenv_map_bins", &Rbenv::MAP_BINS),
        ("rvm", "rvm_map_bins", &Rvm::MAP_BINS),
        ("chruby", "chruby_map_bins", &Chruby::MAP_BINS),
        ("bundler", "bundle_bins", &Bundler::MAP_BINS),
    ];
    let loaded = lists.iter().filter(|(plugin, ..)| plugins.has(&format!("capistrano/{plugin}")));
    let puma: &[&str] = if plugins.has("capistrano/puma") { &Pumactl::BINS } else { &[] };
    loaded.map(|(_, list, items)| (*list, items.iter().chain(puma).copied().collect())).collect()
}

impl CapistranoStage {
    fn scope(&self) -> Scope<'_> {
        Scope { variables: &self.variables, ruby_version: self.ruby_version.as_deref() }
    }

    fn value(&self, expr: &Expr) -> Value {
        self.scope().value(expr)
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        self.scope().fetch(name)
    }

    /// A variable's text, if it is one and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Text(text) => Some(text).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// A variable's texts, if it is a list of them.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.get(name)?.into_texts()
    }

    /// Changes to a list that plugins had filled.
    pub(crate) fn history(&self, list: &str) -> ListHistory {
        self.lists.get(list).cloned().unwrap_or_default()
    }
}
