//! The output of `assetsync uninstall`.

use std::fmt::Write;

use assetsync_ssh::Uninstalled;

/// What was removed from a destination, or would be, and what stays.
pub fn text(label: &str, found: &Uninstalled, dry_run: bool) -> String {
    let mut text = format!("{label}\n");
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<12}  {value}");
    };
    let removed = if dry_run { "would remove" } else { "removed" };
    for path in &found.work {
        row(removed, format!("{path} (index, history of deploys, contents for rollbacks)"));
    }
    for path in &found.agents {
        row(removed, format!("the agents in {path}"));
    }
    if found.work.is_empty() && found.agents.is_empty() && found.left.is_empty() {
        row(removed, "nothing: there is no work directory and no agent".into());
    }
    for path in &found.left {
        let said = if found.said.is_empty() { String::new() } else { format!(": {}", found.said) };
        row("not removed", format!("{path}{said}"));
    }
    match &found.live {
        Some(live) => row("stays", format!("{live} and all that is served")),
        None => row("stays", "nothing: the destination itself does not exist".into()),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_removed_and_what_stays() {
        let found = Uninstalled {
            live: Some("/srv/assets".into()),
            work: vec!["/srv/.assetsync-assets".into()],
            agents: vec!["/root/.cache/assetsync".into()],
            left: vec!["/srv/assets/.assetsync".into()],
            said: "mv: Permission denied".into(),
        };
        let expected = "\
web1:/srv/assets
  removed       /srv/.assetsync-assets (index, history of deploys, contents for rollbacks)
  removed       the agents in /root/.cache/assetsync
  not removed   /srv/assets/.assetsync: mv: Permission denied
  stays         /srv/assets and all that is served
";
        assert_eq!(text("web1:/srv/assets", &found, false), expected);
        let nothing = text("web1:/srv", &Uninstalled::default(), true);
        assert!(
            nothing.contains("  would remove  nothing: there is no work directory"),
            "{nothing}"
        );
    }
}
