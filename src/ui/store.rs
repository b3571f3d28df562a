//! The output of `assetsync store`: text of 80 columns (longer destination names excepted) or JSON.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use assetsync_core::text;
use assetsync_sync::{CachedDestination, Pruned, StoreStatus};
use assetsync_units::{bytes, number, plural};
use humantime::format_rfc3339_seconds;
use serde::Serialize;

/// The status of a store, as text.
pub fn status(status: &StoreStatus) -> String {
    let mut text = format!("{}\n", shown(&status.path));
    let size = format!("{} of at most {}", bytes(status.bytes), bytes(status.limit_bytes));
    let _ = writeln!(text, "  size         {size}");
    let packs = plural(status.packs, "pack");
    let (contents, of) = (number(status.contents), bytes(status.contents_bytes));
    let _ = writeln!(text, "  contents     {contents} ({of} unpacked) in {packs}");
    if status.damaged > 0 {
        let files = plural(status.damaged, "file");
        let _ = writeln!(text, "  damaged      {files}, deleted by: assetsync store prune");
    }
    if !status.destinations.is_empty() {
        text.push_str("\n  last pushed (UTC)     files       size  destination\n");
    }
    status.destinations.iter().for_each(|one| text.push_str(&row(one)));
    text
}

fn row(one: &CachedDestination) -> String {
    let time = time(one.pushed).replace('T', " ");
    let minutes = time.rsplit_once(':').map_or(time.as_str(), |(minutes, _)| minutes);
    let (files, size) = (number(one.files), bytes(one.bytes));
    format!("  {minutes:<16}  {files:>9}  {size:>9}  {}\n", text::line(&one.name))
}

/// The result of pruning, as text.
pub fn pruned(path: &Path, pruned: &Pruned) -> String {
    let path = shown(path);
    if *pruned == Pruned::default() {
        return format!("{path}\n  nothing to delete\n");
    }
    let contents = plural(pruned.contents, "content");
    let destinations = plural(pruned.destinations, "destination");
    let freed = bytes(pruned.freed_bytes);
    format!("{path}\n  freed {freed}: deleted {contents}, and the states of {destinations}\n")
}

/// The JSON object of `status`, a contract with scripts: fields are added, never renamed or
/// removed.
#[derive(Serialize)]
struct StatusLine<'a> {
    /// The directory; unprintable characters are escaped.
    store: String,
    /// Limit of its size on disk.
    limit_bytes: u64,
    /// Its size on disk.
    bytes: u64,
    /// Number of contents.
    contents: u64,
    /// Their uncompressed size.
    contents_bytes: u64,
    /// Number of packs that hold them.
    packs: u64,
    /// Damaged files.
    damaged: u64,
    /// Destinations, the latest push first.
    destinations: Vec<DestinationObject<'a>>,
}

/// One cached destination.
#[derive(Serialize)]
struct DestinationObject<'a> {
    /// As it was given on the command line.
    destination: &'a str,
    /// Time of the last push: UTC, RFC 3339.
    pushed: String,
    /// Regular files there.
    files: u64,
    /// Bytes of these files.
    bytes: u64,
}

impl<'a> DestinationObject<'a> {
    fn new(one: &'a CachedDestination) -> DestinationObject<'a> {
        let (files, bytes, pushed) = (one.files, one.bytes, time(one.pushed) + "Z");
        DestinationObject { destination: &one.name, pushed, files, bytes }
    }
}

/// The JSON object of `prune`, under the same contract.
#[derive(Serialize)]
struct PrunedLine {
    /// The directory; unprintable characters are escaped.
    store: String,
    /// Bytes that were freed.
    freed_bytes: u64,
    /// Number of deleted contents.
    contents: u64,
    /// Number of destinations whose states were deleted.
    destinations: u64,
}

/// The status of a store, as JSON.
pub fn status_json(status: &StoreStatus) -> String {
    line(&StatusLine {
        store: shown(&status.path),
        limit_bytes: status.limit_bytes,
        bytes: status.bytes,
        contents: status.contents,
        contents_bytes: status.contents_bytes,
        packs: status.packs,
        damaged: status.damaged,
        destinations: status.destinations.iter().map(DestinationObject::new).collect(),
    })
}

/// The result of pruning, as JSON.
pub fn pruned_json(path: &Path, pruned: &Pruned) -> String {
    line(&PrunedLine {
        store: shown(path),
        freed_bytes: pruned.freed_bytes,
        contents: pruned.contents,
        destinations: pruned.destinations,
    })
}

/// Serializing can't fail: all keys are texts.
fn line(object: &impl Serialize) -> String {
    serde_json::to_string(object).map(|line| line + "\n").unwrap_or_default()
}

fn shown(path: &Path) -> String {
    text::path(path)
}

/// `2026-11-22T02:27:05`, in UTC. Times outside of the calendar's range are shown as its end.
fn time(time: SystemTime) -> String {
    const YEAR_9999: Duration = Duration::from_secs(253_402_300_799);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(YEAR_9999);
    let text = format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string();
    text.trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> StoreStatus {
        let at = |secs| SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        let cached = |name: &str, secs, files, bytes| CachedDestination {
            name: name.into(),
            pushed: at(secs),
            files,
            bytes,
        };
        StoreStatus {
            path: "/home/me/.cache/assetsync/store".into(),
            limit_bytes: 2 << 30,
            bytes: 103_118_778,
            contents: 12_286,
            contents_bytes: 228_008_763,
            packs: 2,
            damaged: 1,
            destinations: vec![
                cached("deploy@web1:/srv/www/assets", 1_795_314_425, 11_648, 182_152_118),
                cached("odd\nname", u64::MAX / 4, 1_234_567, 0),
            ],
        }
    }

    #[test]
    fn a_status_fits_a_screen() {
        let expected = "\
/home/me/.cache/assetsync/store
  size         103 MB of at most 2.1 GB
  contents     12,286 (228 MB unpacked) in 2 packs
  damaged      1 file, deleted by: assetsync store prune

  last pushed (UTC)     files       size  destination
  2026-11-22 02:27     11,648     182 MB  deploy@web1:/srv/www/assets
  9999-12-31 23:59  1,234,567        0 B  odd\\nname
";
        assert_eq!(status(&example()), expected);
    }

    #[test]
    fn an_empty_store_needs_no_table() {
        let text = status(&StoreStatus { path: "s".into(), ..StoreStatus::default() });
        let expected =
            "s\n  size         0 B of at most 2.1 GB\n  contents     0 (0 B unpacked) in 0 packs\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn pruning_reports_its_counts() {
        let some = Pruned { destinations: 1, contents: 34, freed_bytes: 1_234_567 };
        let text = pruned(Path::new("s"), &some);
        assert_eq!(
            text,
            "s\n  freed 1.2 MB: deleted 34 contents, and the states of 1 destination\n"
        );
        assert_eq!(pruned(Path::new("s"), &Pruned::default()), "s\n  nothing to delete\n");
    }

    #[test]
    fn json_is_one_line() {
        let text = status_json(&example());
        let start = r#"{"store":"/home/me/.cache/assetsync/store","limit_bytes":2147483648,"bytes":103118778,"#;
        assert!(text.starts_with(start) && text.ends_with("}\n"), "{text}");
        assert!(text.contains(r#""pushed":"2026-11-22T02:27:05Z","files":11648"#), "{text}");
        assert!(text.contains(r#""destination":"odd\nname""#), "{text}");
        let text = pruned_json(Path::new("s"), &Pruned { contents: 3, ..Pruned::default() });
        assert_eq!(text, "{\"store\":\"s\",\"freed_bytes\":0,\"contents\":3,\"destinations\":0}\n");
    }
}
