//! Promise: the README's table of the small server is true. Everything is measured again and
//! compared with it: whether compiling is killed, bytes, memory of the server's sessions; but no
//! seconds, which depend on the machine.

use std::path::Path;

use assetsync_testbed::Error as TestbedError;
use xtask::Error;
use xtask::story::{Measurements, Transfer, measure, read, table};

use crate::support::{OrFail, scratch_on_disk, tell};

/// What memory may differ by, besides a quarter: what else the kernel counts at the moment.
const SLACK: u64 = 2 << 20;

#[test]
fn the_table_in_the_readme_is_true() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).or_fail();
    let first_screen: String = page.lines().take(60).flat_map(|line| [line, "\n"]).collect();
    let published = read().or_fail();
    assert!(first_screen.contains(&table(&published)), "the README shows docs/story.json");

    let scratch = scratch_on_disk();
    let assetsync = Path::new(env!("CARGO_BIN_EXE_assetsync"));
    let Some(found) = measure_again(assetsync, scratch.path()) else { return };
    tell(&table(&found));

    assert!(published.compile.killed && found.compile.killed, "compiling is killed on the server");
    for (name, published, found) in [
        ("rsync's first deploy", published.rsync[0], found.rsync[0]),
        ("rsync's second", published.rsync[1], found.rsync[1]),
        ("assetsync's first deploy", published.assetsync[0], found.assetsync[0]),
        ("assetsync's second", published.assetsync[1], found.assetsync[1]),
    ] {
        assert_alike(name, published, found);
    }
    for (rsync, deploy) in found.rsync.iter().zip(found.assetsync) {
        assert!(deploy.bytes < rsync.bytes, "a deploy sends less than rsync");
        assert!(deploy.peak < found.compile.peak / 10, "and needs little memory on the server");
    }
}

/// Measures again. Where memory cannot be limited that fails, unless an environment variable allows
/// it.
fn measure_again(assetsync: &Path, scratch: &Path) -> Option<Measurements> {
    const KNOWN: &str = "ASSETSYNC_TESTS_WITHOUT_CGROUP";
    match measure(assetsync, scratch, &mut tell) {
        Ok(measurements) => Some(measurements),
        Err(Error::Testbed(error @ TestbedError::NoCgroup { .. })) => {
            let known = std::env::var_os(KNOWN).is_some();
            assert!(known, "{error}; run as root, or set {KNOWN}=1 to go without this story");
            tell(&format!("SKIPPED, as {KNOWN} is set: the story ({error})"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn assert_alike(name: &str, published: Transfer, found: Transfer) {
    // The README has whole kilobytes.
    let bytes = found.bytes.abs_diff(published.bytes) <= published.bytes / 10 + 1_000;
    assert!(bytes, "{name}: {} bytes, and {} in the README", found.bytes, published.bytes);
    let memory = found.peak <= published.peak + published.peak / 4 + SLACK;
    assert!(memory, "{name}: {} bytes of memory, and {} in the README", found.peak, published.peak);
}
