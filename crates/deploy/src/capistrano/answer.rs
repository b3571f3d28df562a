//! What Capistrano itself says of a configuration; `variables.rb` asks it.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use super::known_variables::KNOWN_VARIABLES;
use super::reader::filled_lists;
use super::server::Server;
use super::stage::{CapistranoStage, ListHistory};
use super::value::Value;

/// Loads the configuration as `cap` does, and prints it.
const SCRIPT: &str = include_str!("variables.rb");

/// The answer to a question about a project.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The stages that Capistrano could load.
    pub(super) stages: Vec<CapistranoStage>,
    /// Why it could not load something.
    pub(super) failures: Vec<String>,
}

/// Asks Capistrano, which loads the project's Ruby code; None if there is no Ruby, or none that has
/// Capistrano.
pub fn ask(folder: &Path) -> io::Result<Option<Answer>> {
    let mut ruby = Command::new("ruby");
    ruby.args(["-e", SCRIPT, "--"]).args(KNOWN_VARIABLES).current_dir(folder);
    let ran = match ruby.stdin(Stdio::null()).stderr(Stdio::null()).output() {
        Ok(ran) => ran,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io::Error::new(error.kind(), format!("what ruby says: {error}"))),
    };
    Ok(read(&String::from_utf8_lossy(&ran.stdout)))
}

/// Reads what the script prints.
pub(super) fn read(text: &str) -> Option<Answer> {
    let json: Json = serde_json::from_str(text).ok()?;
    let mut answer = Answer::default();
    if json.get("missing").is_some() {
        return None;
    }
    answer.failures.extend(json["error"].as_str().map(|error| format!("Capfile: {error}")));
    for stage in items(&json["stages"]) {
        let name = stage["name"].as_str().unwrap_or_default();
        match stage["error"].as_str() {
            Some(error) => answer.failures.push(format!("stage {name}: {error}")),
            None => answer.stages.push(stage_of(name, stage)),
        }
    }
    Some(answer)
}

fn stage_of(name: &str, json: &Json) -> CapistranoStage {
    let mut stage = CapistranoStage { name: name.to_owned(), ..CapistranoStage::default() };
    for (name, json) in json["variables"].as_object().into_iter().flatten() {
        if let Some(reason) = json["unknown"].as_str() {
            stage.notes.push((name.clone(), reason.to_owned()));
        }
        stage.variables.insert(name.clone(), value(json));
    }
    stage.plugins = texts(&json["plugins"]);
    for absent in texts(&json["absent"]) {
        let about = "is not installed here; what it sets is not known".to_owned();
        stage.notes.push((absent, about));
    }
    for json in items(&json["servers"]) {
        let Some(mut server) = json["address"].as_str().and_then(Server::parse) else { continue };
        for key in ["ssh_options", "user", "port", "roles", "no_release"] {
            server.set(key, value(&json[key]));
        }
        stage.add(server);
    }
    for (name, items) in filled_lists(&stage.plugins) {
        let initial = &json["initial"][name];
        let history = ListHistory {
            initial: if initial.is_null() { items } else { texts(initial) },
            removed: texts(&json["removed"][name]),
            set_at: json["set_at"][name].as_str().map(str::to_owned),
        };
        stage.lists.insert(name.to_owned(), history);
    }
    stage
}

fn items(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn texts(json: &Json) -> Vec<String> {
    items(json).filter_map(Json::as_str).map(str::to_owned).collect()
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => number.as_i64().map_or(Value::Unknown, Value::Number),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(_) if json["pairs"].is_array() => {
            let pairs = items(&json["pairs"]);
            let pair = |pair: &Json| Some((pair[0].as_str()?.to_owned(), value(&pair[1])));
            Value::Hash(pairs.filter_map(pair).collect())
        }
        Json::Object(_) => Value::Unknown,
    }
}
