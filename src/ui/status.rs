//! The status of a stage's targets, as text or JSON.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use assetsync_core::text;
use assetsync_deploy::{Deploy, Drift, KeptDeploy, TargetState, TargetStatus};
use assetsync_units::{bytes, number, plural};
use serde::Serialize;

/// At most this many changed paths are listed; the rest is counted.
const SHOWN: usize = 5;

/// The status of one target as text, ending in a newline.
pub fn text(status: &TargetStatus) -> String {
    let mut text = format!("{}\n", status.label);
    match &status.state {
        Ok(state) => describe(&mut text, state),
        Err(error) => row(&mut text, "error", &error.to_string()),
    }
    text
}

fn describe(text: &mut String, state: &TargetState) {
    match &state.live {
        None => row(text, "live", "no deploy yet"),
        Some(live) => {
            row(text, "live", &format!("{}, {}", live.id, by(live, state.clock)));
            if let Some(restored) = live.restores {
                row(text, "", &format!("restores {restored}"));
            }
        }
    }
    for kept in state.kept.iter().rev().skip(1) {
        row(text, "kept", &earlier(kept, state.clock));
    }
    if state.kept.len() > 1 {
        row(text, "", "to bring one of these back: assetsync rollback STAGE ID");
    }
    let (files, size) = state.retained;
    row(text, "retained", &format!("{}, {}", plural(files, "old file"), bytes(size)));
    if state.prunable_files > 0 {
        let count = plural(state.prunable_files, "file");
        row(text, "prunable", &format!("{count}, deleted by: assetsync prune"));
    }
    if state.unmanaged_files > 0 {
        let count = plural(state.unmanaged_files, "file");
        row(text, "unmanaged", &format!("{count} not from a deploy"));
    }
    drift(text, state);
    for manifest in &state.stale_manifests {
        row(text, "manifest", &format!("{manifest} conflicts with the live manifest"));
    }
    if let Some(free) = state.free_bytes {
        row(text, "free", &bytes(free));
    }
    if let Some(damage) = &state.damage {
        row(text, "history", damage);
    }
    if let Some(holder) = &state.running {
        row(text, "running", &format!("another push: {holder}"));
    }
}

fn drift(text: &mut String, state: &TargetState) {
    if state.live.is_none() {
        return;
    }
    if state.drift.is_empty() {
        return row(text, "drift", "none");
    }
    for (path, how) in state.drift.iter().take(SHOWN) {
        row(text, "drift", &format!("{path} {}", changed(*how)));
    }
    let more = state.drift.len().saturating_sub(SHOWN);
    if more > 0 {
        row(text, "", &format!("and {} more", number(more as u64)));
    }
}

fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<9} {}", text::line(value));
}

fn changed(drift: Drift) -> &'static str {
    match drift {
        Drift::Missing => "is missing",
        Drift::Changed => "was changed",
        Drift::Mode => "has different permissions",
    }
}

/// `2 h ago by deploy@ci`.
fn by(deploy: &Deploy, clock: i64) -> String {
    let ago = age(clock.saturating_sub(deploy.published));
    format!("{ago} by {}@{}{}", deploy.origin.user, deploy.origin.host, revision(deploy))
}

/// `, revision 3f2a91c0b7aa`, if it is known.
fn revision(deploy: &Deploy) -> String {
    match deploy.origin.revision.as_str() {
        "" => String::new(),
        revision => format!(", revision {revision}"),
    }
}

/// What came back by a rollback: the deploy, when it was published, by whom, of which revision.
pub fn restored(kept: &KeptDeploy) -> String {
    let Deploy { id, published, origin, .. } = &kept.deploy;
    let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs((*published).max(0) as u64));
    let when = since.map(|since| format!(" of {}", humantime::format_rfc3339_seconds(since)));
    let (when, files) = (when.unwrap_or_default(), plural(kept.files as u64, "file"));
    format!("{id}{when} by {}@{}{}, {files}", origin.user, origin.host, revision(&kept.deploy))
}

/// A warning if different deploys of the same assets are live.
pub fn different(statuses: &[TargetStatus]) -> Option<String> {
    let live = statuses.iter().filter_map(|status| {
        let live = status.state.as_ref().ok()?.live.as_ref()?;
        Some((status, live.restores.unwrap_or(live.id)))
    });
    let live: Vec<_> = live.collect();
    let differ = live.iter().any(|(one, id)| {
        live.iter().any(|(other, other_id)| one.set == other.set && id != other_id)
    });
    let told: Vec<String> =
        live.iter().map(|(status, id)| format!("{} {id}", status.label)).collect();
    differ.then(|| format!("different deploys are live: {}", told.join(", ")))
}

fn earlier(kept: &KeptDeploy, clock: i64) -> String {
    let missing = match kept.missing {
        0 => String::new(),
        missing => format!(", {} to send for a rollback", plural(missing as u64, "file")),
    };
    format!("{}, {}{missing}", kept.deploy.id, by(&kept.deploy, clock))
}

/// The time since then, in one unit.
fn age(seconds: i64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3600, "h"), (60, "min")];
    let Ok(seconds) = u64::try_from(seconds) else { return "in the future".to_owned() };
    let seconds = Duration::from_secs(seconds).as_secs();
    match UNITS.iter().find(|(unit, _)| seconds >= 2 * unit) {
        Some((unit, name)) => format!("{} {name} ago", number(seconds / unit)),
        None => format!("{seconds} s ago"),
    }
}

/// The line of `--json` for one target, ending in a newline.
pub fn json(status: &TargetStatus) -> String {
    let target = &status.label;
    let line = match &status.state {
        Ok(state) => serde_json::to_string(&Line::of(target, state)),
        Err(error) => serde_json::to_string(&Failed {
            event: "status",
            destination: target,
            ok: false,
            error: error.to_string(),
        }),
    };
    // Serializing can't fail: all keys are texts.
    format!("{}\n", line.unwrap_or_default())
}

#[derive(Serialize)]
struct Failed<'a> {
    event: &'static str,
    destination: &'a str,
    ok: bool,
    error: String,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    destination: &'a str,
    ok: bool,
    /// The deploy that is live.
    live: Option<DeployLine>,
    /// The kept deploys, oldest first, including the live one.
    kept: Vec<DeployLine>,
    /// Where the target differs from the live deploy.
    changed: Vec<ChangedLine>,
    retained_files: u64,
    retained_bytes: u64,
    foreign_files: u64,
    prunable_files: u64,
    stale_manifests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<&'a str>,
    /// Who has locked the target for a push that is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<&'a str>,
}

#[derive(Serialize)]
struct DeployLine {
    deploy: String,
    /// The host's clock when it was published: seconds since 1970, UTC.
    published: i64,
    user: String,
    host: String,
    tool: String,
    /// The git revision that was built.
    #[serde(skip_serializing_if = "String::is_empty")]
    revision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    restores: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<usize>,
}

#[derive(Serialize)]
struct ChangedLine {
    path: String,
    /// `missing`, `changed` or `mode`.
    how: &'static str,
}

impl<'a> Line<'a> {
    fn of(target: &'a str, state: &'a TargetState) -> Line<'a> {
        let changed = state.drift.iter().map(|(path, how)| ChangedLine {
            path: path.to_string(),
            how: match how {
                Drift::Missing => "missing",
                Drift::Changed => "changed",
                Drift::Mode => "mode",
            },
        });
        let kept = state.kept.iter().map(|kept| DeployLine {
            files: Some(kept.files),
            missing: Some(kept.missing),
            ..DeployLine::of(&kept.deploy)
        });
        Line {
            event: "status",
            destination: target,
            ok: true,
            live: state.live.as_ref().map(DeployLine::of),
            kept: kept.collect(),
            changed: changed.collect(),
            retained_files: state.retained.0,
            retained_bytes: state.retained.1,
            foreign_files: state.unmanaged_files,
            prunable_files: state.prunable_files,
            stale_manifests: state.stale_manifests.iter().map(ToString::to_string).collect(),
            free_bytes: state.free_bytes,
            damage: state.damage.as_deref(),
            running: state.running.as_deref(),
        }
    }
}

impl DeployLine {
    fn of(deploy: &Deploy) -> DeployLine {
        DeployLine {
            deploy: deploy.id.to_string(),
            published: deploy.published,
            user: deploy.origin.user.clone(),
            host: deploy.origin.host.clone(),
            tool: deploy.origin.tool.clone(),
            revision: deploy.origin.revision.clone(),
            restores: deploy.restores.map(|id| id.to_string()),
            files: None,
            missing: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_history_says_of_others_stays_in_its_line() {
        let mut text = String::new();
        row(&mut text, "live", "by eve\n  kept\u{202e}@\u{1b}[2Jhost");
        assert_eq!(text, "  live      by eve\\n  kept\\u{202e}@\\u{1b}[2Jhost\n");
    }

    #[test]
    fn ages() {
        let table = [
            (-5, "in the future"),
            (0, "0 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (200_000, "2 d ago"),
        ];
        for (seconds, expected) in table {
            assert_eq!(age(seconds), expected, "{seconds}");
        }
    }
}
