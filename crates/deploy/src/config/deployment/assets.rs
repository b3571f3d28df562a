//! The sets of assets.

use std::time::Duration;

use super::build::DeploymentBuilder;
use super::verification::url_path;
use super::{AssetSet, Delete, Publish};
use crate::config::choice::DeleteMode;
use crate::config::path::overlap;
use crate::config::problem::{Diagnostic, Problem};
use crate::config::settings::Values;

/// The name of the set that has none.
const UNNAMED: &str = "assets";

impl DeploymentBuilder<'_> {
    pub(super) fn assets(&mut self) -> Vec<AssetSet> {
        let mut names: Vec<Option<&str>> =
            self.settings.sets.iter().map(|set| Some(set.as_str())).collect();
        if names.is_empty() {
            names.push(None);
        }
        for name in &names {
            self.require_roles("assets.roles", *name);
        }
        let sets: Vec<AssetSet> =
            names.into_iter().filter_map(|name| self.asset_set(name)).collect();
        self.refuse_shared(&sets);
        sets
    }

    fn asset_set(&mut self, name: Option<&str>) -> Option<AssetSet> {
        let values = &self.settings.values;
        let texts = |key| values.texts(key, name);
        let Some(destination) = values.text_of_set("assets.destination", name) else {
            self.no_destination(name);
            return None;
        };
        Some(AssetSet {
            name: name.unwrap_or(UNNAMED).to_owned(),
            source: self.local_path(values.text_of_set("assets.source", name)?),
            destination: destination.to_owned(),
            roles: texts("assets.roles"),
            entry_points: texts("assets.entry_points"),
            fingerprints: texts("assets.fingerprints"),
            exclude: texts("assets.exclude"),
            chmod: texts("assets.chmod"),
            delete: delete(values, name),
            publish: values.choice("assets.publish", name).unwrap_or(Publish::Files),
            url_path: url_path(values.text_of_set("assets.url_path", name), destination),
        })
    }

    /// A source outside of the project has no default destination.
    fn no_destination(&mut self, set: Option<&str>) {
        let source = self.settings.values.get("assets.source", set);
        let span = source.and_then(|value| value.origin.span().cloned());
        let example = "destination = \"public/assets\", as the source is no path below the project";
        let key = match set {
            Some(set) => format!("assets.{set}.destination"),
            None => "assets.destination".to_owned(),
        };
        self.missing(&key, String::new(), example, span);
    }

    /// One set must not delete the files of another.
    fn refuse_shared(&mut self, sets: &[AssetSet]) {
        for (at, set) in sets.iter().enumerate() {
            let same = |other: &&AssetSet| overlap(&other.destination, &set.destination);
            let Some(other) = sets[..at].iter().find(same) else { continue };
            let span = |set: &AssetSet| {
                let values = &self.settings.values;
                let value = |name| values.get(name, Some(&set.name))?.origin.span().cloned();
                value("assets.destination").or_else(|| value("assets.source"))
            };
            let (first, second) = (other.name.clone(), set.name.clone());
            let diagnostic = Diagnostic {
                span: span(set),
                ..Diagnostic::nowhere(Problem::SharedDestination { first, second })
            };
            let diagnostic = diagnostic.with(span(other), format!("'{}' is here", other.name));
            self.problems.push(diagnostic);
        }
    }
}

fn delete(values: &Values, set: Option<&str>) -> Delete {
    if values.choice("assets.delete", set) == Some(DeleteMode::Mirror) {
        return Delete::Mirror;
    }
    let keep = values.count("assets.retention.keep", set).unwrap_or_default();
    let max_age: Duration = values.age("assets.retention.max_age", set);
    // The table of settings bounds it far below.
    Delete::Retain { keep: u32::try_from(keep).unwrap_or(u32::MAX), max_age }
}
