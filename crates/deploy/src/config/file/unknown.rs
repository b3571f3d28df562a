//! Keys that name nothing, and what was probably meant.

use super::reader::{HOST_KEYS, Reader, TableContext};
use crate::config::escape::key_part;
use crate::config::problem::Problem;
use crate::config::schema::{children, names};
use crate::config::suggest::nearest;
use crate::config::toml_tree::TomlEntry;

impl Reader {
    /// Notes a key that names no setting.
    pub(super) fn unknown(&mut self, group: &str, spot: TableContext<'_>, entry: &TomlEntry) {
        let mut known = children(group);
        if group.is_empty() {
            known.extend(own_keys(spot));
        }
        let nearest = nearest(&entry.key, &known)
            .or_else(|| hosts_of_a_stage(group, spot, &entry.key))
            .or_else(|| elsewhere(group, &entry.key));
        let (key, table) = (entry.key.clone(), table_of(group, spot));
        self.problem(&entry.key_span, Problem::UnknownKey { key, table, nearest, known });
    }

    /// Notes a key that is none of `known`.
    pub(super) fn unknown_of(&mut self, entry: &TomlEntry, table: &str, known: &[&str]) {
        let nearest = nearest(&entry.key, known);
        let known = known.iter().map(|&key| key.to_owned()).collect();
        let (key, table) = (entry.key.clone(), table.to_owned());
        self.problem(&entry.key_span, Problem::UnknownKey { key, table, nearest, known });
    }
}

/// The keys of a table besides settings.
fn own_keys(spot: TableContext<'_>) -> Vec<String> {
    let keys: Vec<&str> = match spot {
        TableContext { is_host: true, .. } => HOST_KEYS.to_vec(),
        TableContext { stage: Some(_), .. } => vec!["hosts"],
        _ => vec!["stages"],
    };
    let of_ssh = if spot.is_host { children("ssh") } else { Vec::new() };
    keys.into_iter().map(str::to_owned).chain(of_ssh).collect()
}

/// Hosts at the top of the file belong to a stage.
fn hosts_of_a_stage(group: &str, spot: TableContext<'_>, key: &str) -> Option<String> {
    let is_top = group.is_empty() && spot.stage.is_none();
    nearest(key, &["hosts", "servers"]).filter(|_| is_top).map(|_| "stages.NAME.hosts".to_owned())
}

/// A setting of another table: by its whole name, as Capistrano writes it (`rbenv_map_bins`), or by
/// its last part.
fn elsewhere(group: &str, key: &str) -> Option<String> {
    let names = names();
    let whole = if group.is_empty() { key.to_owned() } else { format!("{group}.{key}") };
    let of_other_table = || names.iter().find(|name| name.rsplit('.').next() == Some(key));
    nearest(&whole, &names).or_else(|| of_other_table().map(|name| (*name).to_owned()))
}

/// ` in [assets.vite]`, for messages.
fn table_of(group: &str, spot: TableContext<'_>) -> String {
    if spot.is_host {
        return match group {
            "" => " in a host".to_owned(),
            group => format!(" in a host's '{group}'"),
        };
    }
    let group = match (spot.set, group.strip_prefix("assets")) {
        (Some(set), Some(rest)) => format!("assets.{}{rest}", key_part(set)),
        _ => group.to_owned(),
    };
    let stage = spot.stage.map(|stage| format!("stages.{}", key_part(stage)));
    let parts: Vec<String> =
        stage.into_iter().chain([group]).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!(" in [{}]", parts.join(".")) }
}
