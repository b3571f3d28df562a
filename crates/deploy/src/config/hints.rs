//! Hints for problems.

use assetsync_core::text::{line, name};

use super::escape::{enumerated, quoted};
use super::layer::{APPEND, REMOVE};
use super::origin::ConfigTextKind;
use super::problem::{Diagnostic, Problem};
use super::suggest::nearest;

impl Diagnostic {
    /// A sentence about what to write instead, if there is one.
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::UnknownKey { nearest, known, .. } => Some(match nearest {
                Some(nearest) => format!("the nearest key is '{nearest}'"),
                None if known.is_empty() => "a name has letters, digits and '_'".to_owned(),
                None => format!("keys here are {}", enumerated(known)),
            }),
            Problem::WrongType { expected, .. } => Some(format!("write {}", expected.example)),
            Problem::DuplicateKey(_) => Some("keep one of them, or put them together".into()),
            Problem::DuplicateStage(_) => {
                Some("give one of them another name, or put their settings together".into())
            }
            Problem::Empty(_) => Some("write a value, or take the line out".into()),
            Problem::Refused { hint, .. } | Problem::Conflict { hint, .. } => {
                Some((*hint).to_owned())
            }
            Problem::NotOneOf { found, choices, .. } => Some(one_of(found, choices)),
            Problem::NotPerHost(_) => {
                Some("set it for the stage, or at the top for all stages".into())
            }
            Problem::NoAddress(_) => Some("add address = \"web1.example.com\"".into()),
            Problem::DuplicateHost { .. } => Some("give it all its roles in one place".into()),
            Problem::NoStages => {
                Some("add [stages.production] with hosts = [\"deploy@web1.example.com\"]".into())
            }
            Problem::StageNeeded { known } => Some(format!("it is one of {}", enumerated(known))),
            Problem::UnknownStage { stage, known } => Some(one_of(stage, known)),
            Problem::NoHosts(_) => Some("add hosts = [\"deploy@web1.example.com\"]".into()),
            Problem::Missing { example, .. } => Some(format!("add {example}")),
            Problem::RoleWithoutHosts { known, .. } => {
                Some(format!("the roles of its hosts are {}", line(enumerated(known))))
            }
            Problem::SharedDestination { .. } => {
                Some("give each a directory of its own below shared_path".into())
            }
            Problem::NotAssigned(_) => Some("write --set assets.retention.keep=5".into()),
            Problem::UnknownVariable { nearest, .. } => {
                nearest.as_ref().map(|nearest| format!("the nearest name is {nearest}"))
            }
            Problem::ListReplaced { key, dropped, added } => {
                let kind = self.span.as_ref().map(|span| span.text.kind);
                Some(instead(key, dropped, added, kind.unwrap_or(ConfigTextKind::File)))
            }
            Problem::Syntax(_) => None,
        }
    }
}

fn one_of(found: &str, choices: &[String]) -> String {
    match nearest(found, choices) {
        Some(nearest) => format!("the nearest is '{}'", name(nearest)),
        None => format!("it is one of {}", line(enumerated(choices))),
    }
}

/// How to write what was probably meant, and how to write what was done.
fn instead(key: &str, dropped: &[String], added: &[String], kind: ConfigTextKind) -> String {
    let keep = match added {
        [] => "to keep them, take that out".to_owned(),
        added => format!("to keep them, write {}", amendment(key, APPEND, added, kind)),
    };
    format!("{keep}\nto drop them, write {}", amendment(key, REMOVE, dropped, kind))
}

/// A change of a list, written for a file, a variable or an argument.
fn amendment(key: &str, manner: &str, items: &[String], kind: ConfigTextKind) -> String {
    match kind {
        ConfigTextKind::File => {
            let name = key.rsplit('.').next().unwrap_or(key);
            let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
            format!("{name}.{manner} = [{}]", items.join(", "))
        }
        ConfigTextKind::Variable => {
            let name = format!("{key}.{manner}").replace(['.', '-'], "_").to_ascii_uppercase();
            format!("ASSETSYNC_{name}={}", items.join(","))
        }
        ConfigTextKind::Argument => format!("--set {key}.{manner}={}", items.join(",")),
    }
}
