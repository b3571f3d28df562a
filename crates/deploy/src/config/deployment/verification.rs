//! Where visitors find what was published.

use super::build::DeploymentBuilder;
use super::{AssetSet, Host, Web};
use crate::config::settings::Values;

/// The directory that web servers serve, in applications of Rails and of most other frameworks.
const PUBLIC: &str = "public";

/// The web server of a host.
pub(super) fn web(values: &Values) -> Option<Web> {
    // The table of settings accepts only URLs that can be read.
    let site = values.text("verify.url")?.parse().ok()?;
    Some(Web { site, address: values.text("verify.address").map(str::to_owned) })
}

/// The path in URLs of what is at `destination`: the one that is `given`, or what is
/// below `public`.
pub(super) fn url_path(given: Option<&str>, destination: &str) -> Option<String> {
    let below = || match destination.strip_prefix(PUBLIC)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    };
    given.or_else(below).map(|path| path.trim_matches('/').to_owned())
}

impl DeploymentBuilder<'_> {
    /// Each set that goes to a host with a site has a path there.
    pub(super) fn require_url_paths(&mut self, hosts: &[Host], sets: &[AssetSet]) {
        for set in sets.iter().filter(|set| set.url_path.is_none()) {
            let has_role = |host: &&Host| host.roles.iter().any(|role| set.roles.contains(role));
            if !hosts.iter().filter(has_role).any(|host| host.web.is_some()) {
                continue;
            }
            let named = self.settings.sets.contains(&set.name).then_some(set.name.as_str());
            let key = match named {
                Some(name) => format!("assets.{name}.url_path"),
                None => "assets.url_path".to_owned(),
            };
            let value = self.settings.values.get("assets.destination", named);
            let span = value.and_then(|value| value.origin.span().cloned());
            let example = "url_path = \"assets\", the path of the destination below verify.url";
            self.missing(&key, String::new(), example, span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_urls() {
        for (given, destination, path) in [
            (None, "public/assets", Some("assets")),
            (None, "public", Some("")),
            (None, "public/a/b", Some("a/b")),
            (None, "publication", None),
            (None, "assets", None),
            (Some("/"), "assets", Some("")),
            (Some("/static/v1/"), "public/assets", Some("static/v1")),
        ] {
            assert_eq!(url_path(given, destination).as_deref(), path, "{given:?} {destination}");
        }
    }
}
