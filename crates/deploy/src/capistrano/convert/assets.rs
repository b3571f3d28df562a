//! The build and the asset sets.

use super::StageConversion;
use crate::capistrano::stage::CapistranoStage;
use crate::capistrano::value::Value;
use crate::config::is_set_name;
use crate::config::template::TemplateLine;

/// Directories below `public` that other bundlers build into, as `linked_dirs` names them.
const BUNDLERS: [&str; 7] = [
    "public/packs",
    "public/vite",
    "public/vite-production",
    "public/webpack",
    "public/webpacks",
    "public/build",
    "public/shakapacker",
];

impl StageConversion {
    pub(super) fn assets(&mut self, stage: &CapistranoStage) {
        self.line(TemplateLine::text("build.command", "rake assets:precompile"));
        self.build_environment(stage);
        self.sets(stage);
        let roles = stage.texts("assets_roles").or_else(|| stage.texts("assets_role"));
        if let Some(roles) = roles.filter(|roles| *roles != ["web"]) {
            self.list("assets.roles", roles.into_iter().flat_map(role).collect());
        }
        let keep = ["keep_assets", "keep_releases"].map(|name| stage.get(name));
        let keep = keep.into_iter().flatten().find(|value| *value != Value::Nil);
        let keep = keep.and_then(Value::into_text);
        if let Some(keep) = keep.filter(|keep| keep.parse::<u16>().is_ok_and(|keep| keep <= 10_000))
        {
            self.line(TemplateLine { key: "assets.retention.keep".into(), value: keep });
        }
        self.entry_points(stage);
    }

    /// `RAILS_ENV` is the stage's name, unless it is set; production is our default.
    fn build_environment(&mut self, stage: &CapistranoStage) {
        let set = stage.get("rails_env").or_else(|| stage.get("precompile_env"));
        let rails_env = match set {
            None | Some(Value::Nil) => Some(stage.name.clone()),
            Some(value) => value.into_text(),
        };
        if let Some(rails_env) = rails_env.filter(|rails_env| rails_env != "production") {
            self.variable("build.environment", "RAILS_ENV", &rails_env);
        }
        if let Some(groups) = stage.text("rails_assets_groups") {
            self.variable("build.environment", "RAILS_GROUPS", &groups);
        }
    }

    fn sets(&mut self, stage: &CapistranoStage) {
        let Some(prefix) = stage.text_or("assets_prefix", "assets") else { return };
        let Some(main) = stage.text_or("assets_dir", &format!("public/{prefix}")) else { return };
        let linked = stage.texts("linked_dirs").unwrap_or_default().into_iter();
        let mut others: Vec<String> =
            linked.filter(|dir| BUNDLERS.contains(&dir.trim_end_matches('/'))).collect();
        others.extend(stage.text("packs_dir"));
        others.sort();
        others.dedup();
        if others.is_empty() {
            return self.text("assets.source", &main);
        }
        self.text("assets.rails.source", &main);
        let mut names = vec!["rails".to_owned()];
        for other in others {
            names.push(set_name(&other, &names));
            self.text(&format!("assets.{}.source", names[names.len() - 1]), &other);
        }
    }

    /// Manifests that are not where manifests are anyway.
    fn entry_points(&mut self, stage: &CapistranoStage) {
        const KNOWN: [&str; 4] =
            [".sprockets-manifest*", "manifest*.*", ".manifest.json", "manifest*.json"];
        let manifests = stage.texts("assets_manifests").unwrap_or_default();
        let (served, other): (Vec<String>, Vec<String>) =
            manifests.into_iter().partition(|manifest| manifest.contains("public/"));
        let names = served.iter().filter_map(|path| path.rsplit('/').next());
        let names: Vec<String> =
            names.filter(|name| !KNOWN.contains(name)).map(str::to_owned).collect();
        self.list("assets.entry_points.append", names);
        if !other.is_empty() {
            let about = "assets_manifests names files that are not served; they need not be published last.";
            self.remarks.push(("assets", about.to_owned()));
        }
    }
}

/// The directory's own name, if a set can have it and none has; else another.
fn set_name(directory: &str, taken: &[String]) -> String {
    let own = directory.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    match is_set_name(&own) && !taken.contains(&own) {
        true => own,
        false => format!("set{}", taken.len() + 1),
    }
}

/// `:all` is every role of a Rails deploy.
fn role(role: String) -> Vec<String> {
    match role.as_str() {
        "all" => ["app", "db", "web"].map(str::to_owned).to_vec(),
        _ => vec![role],
    }
}
