//! The version manager, and the lists of programs that run through it and through bundler.

use super::StageConversion;
use crate::capistrano::stage::CapistranoStage;
use crate::command::{Rbenv, Rvm};
use crate::config::escape::enumerated;
use crate::config::schema::{Default, Lookup, find};

impl StageConversion {
    pub(super) fn ruby(&mut self, stage: &CapistranoStage) {
        let is_used = |plugin: &str, variable: &str| {
            stage.has(&format!("capistrano/{plugin}")) || stage.get(variable).is_some()
        };
        if is_used("rbenv", "rbenv_ruby") {
            self.rbenv(stage);
            self.manager("rbenv");
        } else if is_used("rvm", "rvm_ruby_version")
            || is_used("rvm1/capistrano3", "rvm1_ruby_version")
        {
            self.rvm(stage);
            self.manager("rvm");
        } else if is_used("chruby", "chruby_ruby") {
            self.maybe("chruby.ruby", stage.text("chruby_ruby"));
            self.maybe("chruby.exec", stage.text("chruby_exec"));
            self.bins(stage, "chruby_map_bins", "chruby", "chruby.map_bins");
            self.manager("chruby");
        }
        self.bins(stage, "bundle_bins", "bundler", "bundler.bins");
    }

    /// A version manager with any setting is used; others must be named.
    fn manager(&mut self, name: &str) {
        let group = format!("{name}.");
        if !self.lines.iter().any(|line| line.key.starts_with(&group)) {
            self.text("version_manager", name);
        }
    }

    fn rbenv(&mut self, stage: &CapistranoStage) {
        self.maybe("rbenv.ruby", stage.text("rbenv_ruby"));
        let path = stage.text("rbenv_custom_path").or_else(|| stage.text("rbenv_path"));
        let path = path.or_else(|| match stage.text("rbenv_type")?.as_str() {
            "system" => Some(Rbenv::SYSTEM_PATH.to_owned()),
            "fullstaq" => Some(Rbenv::FULLSTAQ_PATH.to_owned()),
            _ => None,
        });
        self.maybe("rbenv.path", path);
        self.maybe("rbenv.prefix", stage.text("rbenv_prefix"));
        self.bins(stage, "rbenv_map_bins", "rbenv", "rbenv.map_bins");
    }

    fn rvm(&mut self, stage: &CapistranoStage) {
        self.maybe("rvm.ruby", stage.text("rvm_ruby_version"));
        let path = stage.text("rvm_custom_path");
        let path = path.or_else(|| match stage.text("rvm_type")?.as_str() {
            "system" | "mixed" => Some(Rvm::PATHS[1].to_owned()),
            _ => None,
        });
        if path.is_none() && stage.text("rvm_type").is_none_or(|kind| kind == "auto") {
            let about = "Capistrano looks for ~/.rvm, then for /usr/local/rvm. If hosts have the second: path = \"/usr/local/rvm\".";
            self.remarks.push(("rvm", about.to_owned()));
        }
        self.maybe("rvm.path", path);
        self.bins(stage, "rvm_map_bins", "rvm", "rvm.map_bins");
    }

    /// Items that the configuration adds to a list and removes from it. Items that a plain `set`
    /// dropped are kept, with a comment: dropping them made restarts fail with `bundle: command not
    /// found`.
    fn bins(&mut self, stage: &CapistranoStage, variable: &str, section: &'static str, key: &str) {
        let history = stage.lists.get(variable).cloned().unwrap_or_default();
        let Some(list) = stage.texts(variable) else { return };
        let added = list.iter().filter(|item| !built_in(key).contains(&item.as_str()));
        self.list(&format!("{key}.append"), added.cloned().collect());
        let removed: Vec<String> =
            history.removed.iter().filter(|item| !list.contains(item)).cloned().collect();
        let dropped: Vec<String> = history
            .initial
            .into_iter()
            .filter(|item| !list.contains(item) && !removed.contains(item))
            .collect();
        self.list(&format!("{key}.remove"), removed);
        if let (Some(at), false) = (history.set_at, dropped.is_empty()) {
            let dropped = enumerated(&dropped);
            let about = format!(
                "{at} assigns {variable} and so drops {dropped}, which plugins need. Here nothing is dropped."
            );
            self.remarks.push((section, about));
        }
    }
}

/// Items of the built-in list.
fn built_in(key: &str) -> Vec<&'static str> {
    match find(key) {
        Lookup::Setting(setting) => match setting.default {
            Default::Items(items) => items.to_vec(),
            Default::None | Default::Value(_) | Default::Template(_) => Vec::new(),
        },
        Lookup::Group | Lookup::Nothing => Vec::new(),
    }
}
