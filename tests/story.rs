//! Promise: the README's table of the small server is what happens. The whole story runs again and is compared with
//! it: who is killed, how many bytes travel, how much memory the server's sessions take; but no seconds, which are the
//! machine's.

use std::path::Path;

use assetsync_story::{Copying, Story, StoryError, read, table, tell};
use assetsync_testbed::Error;

use crate::support::{OrFail, scratch_on_disk, tell as show};

/// What memory may differ by, besides a quarter: what else the kernel counts at the moment.
const SLACK: u64 = 2 << 20;

#[test]
fn the_readme_tells_what_happens() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).or_fail();
    let first_screen: String = page.lines().take(60).flat_map(|line| [line, "\n"]).collect();
    let told = read(&first_screen).or_fail();

    let room = scratch_on_disk();
    let assetsync = Path::new(env!("CARGO_BIN_EXE_assetsync"));
    let Some(found) = again(assetsync, room.path()) else { return };
    show(&table(&found));

    assert!(told.compiling.killed && found.compiling.killed, "compiling is killed on the server");
    for (name, told, found) in [
        ("the recipe's first deploy", told.recipe[0], found.recipe[0]),
        ("the recipe's second", told.recipe[1], found.recipe[1]),
        ("the first deploy", told.deploys[0], found.deploys[0]),
        ("the second", told.deploys[1], found.deploys[1]),
    ] {
        assert_alike(name, told, found);
    }
    for (recipe, deploy) in found.recipe.iter().zip(found.deploys) {
        assert!(deploy.bytes < recipe.bytes, "a deploy sends less than the recipe");
        assert!(deploy.peak < found.compiling.peak / 10, "and needs next to no memory there");
    }
}

/// Tells the story; where no memory can be limited that fails, unless somebody said that this is known.
fn again(assetsync: &Path, room: &Path) -> Option<Story> {
    const KNOWN: &str = "ASSETSYNC_TESTS_WITHOUT_CGROUP";
    match tell(assetsync, room, &mut show) {
        Ok(story) => Some(story),
        Err(StoryError::Testbed(error @ Error::NoCgroup { .. })) => {
            let known = std::env::var_os(KNOWN).is_some();
            assert!(known, "{error}; run as root, or set {KNOWN}=1 to go without this story");
            show(&format!("SKIPPED, as {KNOWN} is set: the story ({error})"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn assert_alike(name: &str, told: Copying, found: Copying) {
    let within = |told: u64, found: u64, slack: u64| found.abs_diff(told) <= slack;
    // The README has whole kilobytes.
    let bytes = within(told.bytes, found.bytes, told.bytes / 10 + 1_000);
    assert!(bytes, "{name}: {} bytes, and {} in the README", found.bytes, told.bytes);
    assert_memory(name, told, found);
}

#[track_caller]
fn assert_memory(name: &str, told: Copying, found: Copying) {
    let memory = found.peak <= told.peak + told.peak / 4 + SLACK;
    assert!(memory, "{name}: {} bytes of memory, and {} in the README", found.peak, told.peak);
}
