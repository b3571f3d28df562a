//! Reads configurations where no Capistrano is there to ask: statements of known form, one below
//! the other. Whatever else is there is noted, and what it may set is not known.

use std::collections::BTreeMap;

use super::literals::{Cursor, Scope};
use super::server::Server;
use super::stage::{CapistranoStage, ListHistory};
use super::value::Value;
use super::{Files, RubyFile};
use crate::command::{Bundler, Chruby, Pumactl, Rbenv, Rvm};

/// The longest file that is read.
const MAX_FILE: usize = 1 << 20;

/// The most parts that a value has.
const MAX_PARTS: usize = 1000;

/// How often files are read: a lambda may name another one.
const PASSES: usize = 3;

/// Verbs that set a variable.
const SETTERS: [&str; 5] = ["set", "set_if_empty", "append", "remove", "ask"];

/// Verbs that are carried out.
const VERBS: [&str; 13] = [
    "set",
    "set_if_empty",
    "append",
    "remove",
    "ask",
    "server",
    "role",
    "require",
    "install_plugin",
    "lock",
    "load",
    "import",
    "require_relative",
];

/// Words that begin what `end` ends, where they begin a line.
const OPENERS: [&str; 10] =
    ["if", "unless", "case", "while", "until", "for", "begin", "def", "class", "module"];

/// Blocks that are run later.
const DEFERRED: [&str; 4] = ["task", "after", "before", "def"];

/// Reads one stage; `file` is its own.
pub(super) fn read(files: &Files, name: &str, file: Option<&RubyFile>) -> CapistranoStage {
    let all = files.capfile.iter().chain(&files.deploy).chain(file);
    let all: Vec<&RubyFile> = all.filter(|file| file.text.len() <= MAX_FILE).collect();
    let mut late = BTreeMap::new();
    let mut stage = CapistranoStage::default();
    for _ in 0..PASSES {
        let mut reader = Reader::new(files, name, &late);
        all.iter().for_each(|file| reader.file(file));
        stage = reader.stage;
        late = stage.variables.clone();
    }
    stage
}

/// The text that a Capfile sets a variable to; for those that say where files are.
pub(super) fn capfile_text(capfile: &RubyFile, variable: &str) -> Option<String> {
    let files = Files { capfile: Some(capfile.clone()), ..Files::default() };
    read(&files, "", None).text(variable)
}

struct Reader<'a> {
    stage: CapistranoStage,
    files: &'a Files,
    late: &'a BTreeMap<String, Value>,
}

/// A verb and what it is given.
struct Call {
    verb: String,
    arguments: Vec<Value>,
}

impl<'a> Reader<'a> {
    fn new(files: &'a Files, name: &str, late: &'a BTreeMap<String, Value>) -> Reader<'a> {
        let mut stage = CapistranoStage { name: name.to_owned(), ..CapistranoStage::default() };
        stage.variables.insert("stage".to_owned(), Value::Text(name.to_owned()));
        Reader { stage, files, late }
    }

    fn file(&mut self, file: &RubyFile) {
        let mut rest = file.text.split("\n__END__").next().unwrap_or_default();
        let mut line = 1;
        while !rest.is_empty() {
            let code = rest.lines().next().unwrap_or_default().trim();
            let end = rest.find('\n').map_or(rest.len(), |at| at + 1);
            let next = if code.is_empty() || code.starts_with('#') {
                &rest[end..]
            } else if code.starts_with("=begin") {
                let comment = rest.find("\n=end").map_or("", |at| &rest[at + 1..]);
                comment.split_once('\n').map_or("", |(_, rest)| rest)
            } else {
                self.statement(&format!("{}:{line}", file.name), rest)
            };
            line += rest[..rest.len() - next.len()].matches('\n').count();
            rest = next;
        }
    }

    /// Carries out the statement that `rest` begins with; gives what comes after it.
    fn statement<'t>(&mut self, at: &str, rest: &'t str) -> &'t str {
        let scope = Scope {
            variables: &self.stage.variables,
            late: self.late,
            environment: &self.files.environment,
            ruby_version: self.files.ruby_version.as_deref(),
        };
        let read = call(Cursor::new(rest, &scope)).map(|(call, left)| (call, left.len()));
        if let Some((call, left)) = read {
            if !self.carry_out(call, at) {
                self.note(at, rest);
            }
            return &rest[rest.len() - left..];
        }
        let (block, after) = rest.split_at(block_end(rest));
        // What a Capfile loads, and variables of others, make no difference.
        let is_deploy = !at.starts_with("Capfile:") && !block.trim_start().starts_with("set");
        if self.forget(block) || is_deploy {
            self.note(at, rest);
        }
        after
    }

    fn note(&mut self, at: &str, text: &str) {
        let line = text.lines().next().unwrap_or_default().trim();
        self.stage.notes.push((at.to_owned(), line.to_owned()));
    }

    /// Variables that a block may set are not known any more; whether any of them matters.
    fn forget(&mut self, block: &str) -> bool {
        let first = block.trim_start().split([' ', '(']).next().unwrap_or_default();
        if DEFERRED.contains(&first) {
            return false;
        }
        let mut matters = false;
        for (at, verb) in SETTERS.iter().flat_map(|verb| block.match_indices(verb)) {
            let name = block[at + verb.len()..].trim_start_matches([' ', '(', ':', '"', '\'']);
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
            let name = &name[..end.unwrap_or(name.len())];
            matters |= is_known_variable(name);
            self.stage.variables.insert(name.to_owned(), Value::Unknown);
        }
        matters
    }

    /// Carries out a call; whether it was understood.
    fn carry_out(&mut self, call: Call, at: &str) -> bool {
        let mut arguments = call.arguments.into_iter();
        let Some(Value::Text(name)) = arguments.next() else { return false };
        let rest: Vec<Value> = arguments.collect();
        match call.verb.as_str() {
            "set" | "set_if_empty" if rest.len() == 1 => self.assign(&call.verb, name, rest, at),
            "append" | "remove" => self.amend(name, rest, call.verb == "append"),
            "ask" => {
                self.stage.variables.insert(name, Value::Unknown);
                false
            }
            "server" => self.server(&name, rest),
            "role" => self.role(&name, rest),
            "require" | "install_plugin" => {
                self.stage.plugins.push(name);
                self.fill_lists();
                true
            }
            "lock" | "load" | "import" | "require_relative" => true,
            _ => false,
        }
    }

    fn assign(&mut self, verb: &str, name: String, value: Vec<Value>, at: &str) -> bool {
        if verb == "set_if_empty" && self.stage.variables.contains_key(&name) {
            return true;
        }
        if let Some(history) = self.stage.lists.get_mut(&name) {
            history.set_at = Some(at.to_owned());
        }
        let value = value.into_iter().next().filter(|value| value.size() <= MAX_PARTS);
        let value = value.unwrap_or(Value::Unknown);
        let is_known = value != Value::Unknown || !is_known_variable(&name);
        self.stage.variables.insert(name, value);
        is_known
    }

    fn amend(&mut self, name: String, items: Vec<Value>, appends: bool) -> bool {
        let before = self.stage.get(&name).unwrap_or(Value::Nil).into_texts();
        let (Some(before), Some(items)) = (before, Value::List(items).into_texts()) else {
            let is_known = !is_known_variable(&name);
            self.stage.variables.insert(name, Value::Unknown);
            return is_known;
        };
        let after: Vec<String> = if appends {
            before.into_iter().chain(items).collect()
        } else {
            let removed = &mut self.stage.lists.entry(name.clone()).or_default().removed;
            removed.extend(items.iter().cloned());
            before.into_iter().filter(|item| !items.contains(item)).collect()
        };
        let after = after.into_iter().map(Value::Text).collect();
        self.stage.variables.insert(name, Value::List(after));
        true
    }

    fn server(&mut self, address: &str, options: Vec<Value>) -> bool {
        let Some(server) = Server::parse(address) else { return false };
        self.add(server, options)
    }

    fn role(&mut self, role: &str, mut arguments: Vec<Value>) -> bool {
        if arguments.is_empty() {
            return false;
        }
        let Some(addresses) = arguments.remove(0).into_texts() else { return false };
        addresses.iter().all(|address| {
            let Some(mut server) = Server::parse(address) else { return false };
            server.add_roles(vec![role.to_owned()]);
            self.add(server, arguments.clone())
        })
    }

    /// Adds a server; whether all its options were understood.
    fn add(&mut self, mut server: Server, options: Vec<Value>) -> bool {
        let mut is_known = true;
        for option in options {
            let Value::Hash(pairs) = option else { return false };
            for (name, value) in pairs {
                is_known &= !value.is_unknown();
                server.set(&name, value);
            }
        }
        self.stage.add(server);
        is_known
    }

    /// What plugins put into lists when they are loaded.
    fn fill_lists(&mut self) {
        for (name, items) in filled_lists(&self.stage.plugins) {
            let history = ListHistory { initial: items.clone(), ..ListHistory::default() };
            self.stage.lists.insert(name.to_owned(), history);
            let items = items.into_iter().map(Value::Text).collect();
            self.stage.variables.insert(name.to_owned(), Value::List(items));
        }
    }
}

fn is_known_variable(name: &str) -> bool {
    super::known_variables::KNOWN_VARIABLES.contains(&name)
}

/// The lists that plugins have filled before `deploy.rb` is read.
pub(super) fn filled_lists(plugins: &[String]) -> Vec<(&'static str, Vec<String>)> {
    let has = |name: &str| plugins.iter().any(|plugin| plugin == name);
    let lists: [(&str, &str, &[&str]); 4] = [
        ("capistrano/rbenv", "rbenv_map_bins", &Rbenv::MAP_BINS),
        ("capistrano/rvm", "rvm_map_bins", &Rvm::MAP_BINS),
        ("capistrano/chruby", "chruby_map_bins", &Chruby::MAP_BINS),
        ("capistrano/bundler", "bundle_bins", &Bundler::MAP_BINS),
    ];
    let puma: &[&str] = if has("capistrano/puma") { &Pumactl::BINS } else { &[] };
    let all = |items: &[&str]| items.iter().chain(puma).map(|item| (*item).to_owned()).collect();
    lists
        .into_iter()
        .filter(|(plugin, ..)| has(plugin))
        .map(|(_, name, items)| (name, all(items)))
        .collect()
}

/// A statement that is one call, and what comes after it.
fn call<'a>(mut cursor: Cursor<'a>) -> Option<(Call, &'a str)> {
    cursor.skip(false);
    let verb = cursor.name().filter(|verb| VERBS.contains(verb))?.to_owned();
    let arguments = if cursor.take("(") {
        cursor.values(")")?
    } else if verb == "install_plugin" {
        let end = cursor.rest.find('\n').unwrap_or(cursor.rest.len());
        let (name, rest) = cursor.rest.split_at(end);
        cursor.rest = rest;
        vec![Value::Text(name.trim().to_owned())]
    } else {
        bare_arguments(&mut cursor)?
    };
    cursor.skip(false);
    let is_end = cursor.rest.is_empty() || cursor.rest.starts_with(['\n', ';', '#']);
    let comment = cursor.rest.starts_with('#');
    let rest = if comment {
        cursor.rest.find('\n').map_or("", |at| &cursor.rest[at..])
    } else {
        cursor.rest
    };
    is_end.then(|| (Call { verb, arguments }, rest.strip_prefix(['\n', ';']).unwrap_or(rest)))
}

/// Arguments without parentheses, which end with the line unless a comma is last.
fn bare_arguments(cursor: &mut Cursor<'_>) -> Option<Vec<Value>> {
    let (mut values, mut pairs) = (Vec::new(), Vec::new());
    loop {
        cursor.skip(!values.is_empty());
        match cursor.pair() {
            Some((Some(key), value)) => pairs.push((key, value)),
            Some((None, value)) => values.push(value),
            None => return None,
        }
        cursor.skip(false);
        if !cursor.take(",") {
            break;
        }
    }
    if !pairs.is_empty() {
        values.push(Value::Hash(pairs));
    }
    Some(values)
}

/// Where the statement ends that begins here: with its line, or with the `end`, bracket or heredoc
/// that closes it.
fn block_end(text: &str) -> usize {
    let (mut depth, mut at, mut heredocs) = (0_i32, 0, Vec::<String>::new());
    for line in text.split_inclusive('\n') {
        at += line.len();
        if let Some(word) = heredocs.first() {
            if line.trim() == word {
                heredocs.remove(0);
            }
        } else {
            depth += opened(line);
            heredocs = heredoc_words(line);
        }
        if depth <= 0 && heredocs.is_empty() {
            return at;
        }
    }
    at
}

/// How many more blocks and brackets a line opens than it closes.
fn opened(line: &str) -> i32 {
    let code = without_texts(line);
    let brackets: i32 =
        code.chars().map(|c| i32::from("([{".contains(c)) - i32::from(")]}".contains(c))).sum();
    let words: Vec<&str> =
        code.split(|c: char| !c.is_alphanumeric() && !"_?!:.".contains(c)).collect();
    let first = words.iter().find(|word| !word.is_empty()).copied().unwrap_or_default();
    let assigned = code
        .split_once('=')
        .map_or("", |(_, value)| value.split_whitespace().next().unwrap_or_default());
    let is_loop = ["while", "until", "for"].contains(&first);
    let opens = OPENERS.iter().filter(|word| **word == first || **word == assigned).count();
    let dos = words.iter().filter(|word| **word == "do").count()
        - usize::from(is_loop).min(words.iter().filter(|word| **word == "do").count());
    let ends = words.iter().filter(|word| **word == "end").count();
    brackets + i32::try_from(opens + dos).unwrap_or(0) - i32::try_from(ends).unwrap_or(0)
}

/// A line without what stands in quotes, and without its comment.
fn without_texts(line: &str) -> String {
    let (mut code, mut quote) = (String::new(), None);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (_, '\\') => drop(characters.next()),
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '#') => break,
            (None, c) => code.push(c),
        }
    }
    code
}

/// The words that end the heredocs which begin in this line.
fn heredoc_words(line: &str) -> Vec<String> {
    let word = |after: &str| {
        let word = after.trim_start_matches(['~', '-', '"', '\'']);
        let end = word.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(word.len());
        word[..end].to_owned()
    };
    line.split("<<").skip(1).map(word).filter(|word| !word.is_empty()).collect()
}
