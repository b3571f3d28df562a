//! The summary of a push to one destination: at most one screen of 80 columns.

use std::fmt::Write;

use assetsync_core::entry::Kind;
use assetsync_ssh::bootstrap::Installed;
use assetsync_sync::{Count, Report, Source};
use assetsync_units::{bytes, number, percent, plural, seconds};

/// What recipes do with files, in the order of how little they send: done, and in a dry run.
const WORDS: [(&[&str], &str, &str); 8] = [
    (&["keep"], "unchanged", "unchanged"),
    (&["touch"], "times only", "would get new times"),
    (&["headers"], "headers only", "would get new headers"),
    (&["copy"], "copied there", "would be copied there"),
    (&["rewrite"], "rewritten there", "would be rewritten there"),
    (&["regzip"], "compressed there", "would be compressed there"),
    (&["patch", "delta"], "patched", "would be patched"),
    (&["whole"], "sent whole", "would be sent whole"),
];

/// The summary, ending in a newline.
pub fn summary(label: &str, is_host: bool, report: &Report, dry_run: bool) -> String {
    let mut text = format!("{label}\n");
    let named = |done: &'static str, would: &'static str| if dry_run { would } else { done };
    let mut rows = Vec::new();
    for (recipes, done, would) in WORDS {
        let count = sum(report, recipes);
        if count.files > 0 {
            let files = plural(count.files, "file");
            rows.push((named(done, would), files, bytes(count.bytes)));
        }
    }
    for (done, would, count, one) in [
        ("directories", "would be made or changed", report.directories, "directory"),
        ("links", "would be made or changed", report.symlinks, "link"),
        ("deleted", "would be deleted", report.deleted, "path"),
    ] {
        if count > 0 {
            rows.push((named(done, would), counted(count, one), String::new()));
        }
    }
    text.push_str(&table(&rows));
    text.push_str(&if dry_run { comparison(report) } else { traffic(report) });
    text.push_str(&cost(report));
    if dry_run {
        text.push_str(&dry_run_result(is_host, report));
    }
    text
}

/// The line about a destination that is the same directory as another one.
pub fn same_directory(label: &str, same_as: &str) -> String {
    format!("{label}: same directory as {same_as}; published once")
}

/// Whether a dry run installed the agent.
fn dry_run_result(is_host: bool, report: &Report) -> String {
    let Some(agent) = &report.agent_installed else {
        return "  dry run: nothing was changed\n".to_owned();
    };
    let mut text = format!("  dry run: the destination was not changed\n  {}\n", installed(agent));
    if is_host {
        text.push_str("  to install nothing: -n --transport sftp (it can't compare contents)\n");
    }
    text
}

/// The line about an installed agent.
pub fn installed(agent: &Installed) -> String {
    format!(
        "installed the agent, which the host did not have: {}, {}",
        agent.path,
        bytes(agent.bytes)
    )
}

/// The statistics of `--stats`.
pub fn stats(report: &Report, source: &Source) -> String {
    let of_kind = |wanted: fn(&Kind) -> bool| {
        source.entries.iter().filter(|entry| wanted(&entry.kind)).count() as u64
    };
    let rate = report.bytes_sent as f64 / report.elapsed.as_secs_f64().max(0.001);
    let rows = [
        ("source files", number(report.total.files)),
        ("source directories", number(of_kind(|kind| *kind == Kind::Dir))),
        ("source links", number(of_kind(|kind| matches!(kind, Kind::Symlink { .. })))),
        ("source bytes", number(report.total.bytes)),
        ("files sent", number(report.files_sent)),
        ("files sent again", number(report.retried)),
        ("directories changed", number(report.directories)),
        ("links changed", number(report.symlinks)),
        ("paths deleted", number(report.deleted)),
        ("bytes sent", number(report.bytes_sent)),
        ("bytes received", number(report.bytes_received)),
        ("average rate", format!("{}/s", bytes(rate as u64))),
    ];
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "  {name:<20} {value:>15}");
        text
    })
}

/// The files of these recipes.
fn sum(report: &Report, recipes: &[&str]) -> Count {
    let counts = recipes.iter().filter_map(|recipe| report.recipes.get(recipe));
    counts.fold(Count::default(), |sum, count| Count {
        files: sum.files + count.files,
        bytes: sum.bytes + count.bytes,
    })
}

/// Rows of words, a count and a size, in columns.
fn table(rows: &[(&str, String, String)]) -> String {
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (name, count, size)| {
        let line = format!("  {name:<width$}{count:>16}{size:>11}");
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

fn counted(count: u64, one: &str) -> String {
    match (count, one.strip_suffix('y')) {
        (2.., Some(stem)) => format!("{} {stem}ies", number(count)),
        _ => plural(count, one),
    }
}

/// The bytes sent and received, and their part of the source.
fn traffic(report: &Report) -> String {
    let (sent, received, total) = (report.bytes_sent, report.bytes_received, report.total.bytes);
    let part = match percent(sent + received, total) {
        Some(part) => format!(": {part} of {}", bytes(total)),
        // Less content than protocol: a percentage would be over 100.
        None => String::new(),
    };
    format!("  sent {}, received {}{part}\n", bytes(sent), bytes(received))
}

/// The bytes that a dry run sent and received: a push would send more.
fn comparison(report: &Report) -> String {
    let (sent, received) = (bytes(report.bytes_sent), bytes(report.bytes_received));
    format!("  sent {sent}, received {received} to compare\n")
}

fn cost(report: &Report) -> String {
    let memory = match report.agent_peak_rss_bytes {
        0 => String::new(),
        peak => format!(", server memory peak {}", bytes(peak)),
    };
    format!("  took {}{memory}\n", seconds(report.elapsed))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn report() -> Report {
        let count = |files, bytes| Count { files, bytes };
        Report {
            total: count(1046, 33_512_000),
            files_sent: 197,
            deleted: 83,
            directories: 2,
            symlinks: 1,
            bytes_sent: 281_000,
            bytes_received: 92_000,
            elapsed: Duration::from_millis(1240),
            agent_peak_rss_bytes: 8_100_000,
            recipes: BTreeMap::from([
                ("whole", count(94, 211_000)),
                ("delta", count(103, 12_400_000)),
                ("patch", count(1, 900)),
                ("copy", count(1, 1_100_000)),
                ("keep", count(834, 19_800_000)),
            ]),
            ..Report::default()
        }
    }

    #[test]
    fn summary_of_a_push() {
        let expected = "\
web1:/srv/www/assets
  unchanged          834 files    19.8 MB
  copied there          1 file     1.1 MB
  patched            104 files    12.4 MB
  sent whole          94 files     211 kB
  directories    2 directories
  links                 1 link
  deleted             83 paths
  sent 281 kB, received 92.0 kB: 1.1 % of 33.5 MB
  took 1.24 s, server memory peak 8.1 MB
";
        assert_eq!(summary("web1:/srv/www/assets", true, &report(), false), expected);
    }

    #[test]
    fn a_dry_run_says_what_would_be_done() {
        let expected = "\
web1:/srv/www/assets
  unchanged                      834 files    19.8 MB
  would be copied there             1 file     1.1 MB
  would be patched               104 files    12.4 MB
  would be sent whole             94 files     211 kB
  would be made or changed   2 directories
  would be made or changed          1 link
  would be deleted                83 paths
  sent 281 kB, received 92.0 kB to compare
  took 1.24 s, server memory peak 8.1 MB
  dry run: nothing was changed
";
        assert_eq!(summary("web1:/srv/www/assets", true, &report(), true), expected);
    }

    #[test]
    fn a_dry_run_without_changes_has_no_rows() {
        let text = summary("x", false, &Report::default(), true);
        let expected = "x\n  sent 0 B, received 0 B to compare\n  took 0.00 s\n  dry run: nothing was changed\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_percentage_over_100() {
        let total = Count { files: 1, bytes: 3 };
        let report = Report { total, bytes_sent: 200, bytes_received: 59, ..Report::default() };
        let text = summary("x", false, &report, false);
        assert_eq!(text, "x\n  sent 200 B, received 59 B\n  took 0.00 s\n");
    }

    #[test]
    fn a_dry_run_reports_the_installed_agent_and_how_to_avoid_it() {
        let path = "/home/deploy/.cache/assetsync/agent-Linux-x86_64-1".to_owned();
        let agent_installed = Some(Installed { path, bytes: 1_200_000 });
        let report = Report { agent_installed, ..Report::default() };
        let expected = "  \
  dry run: the destination was not changed
  installed the agent, which the host did not have: /home/deploy/.cache/assetsync/agent-Linux-x86_64-1, 1.2 MB
";
        let here = summary("x", false, &report, true);
        assert!(here.ends_with(expected), "{here}");
        let there = summary("web1:x", true, &report, true);
        let offer = "  to install nothing: -n --transport sftp (it can't compare contents)\n";
        assert!(there.ends_with(&format!("{expected}{offer}")), "{there}");
    }
}
