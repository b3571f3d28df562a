//! Promise: the terminal in the README shows what the command prints, but for numbers.

use std::path::Path;

use xtask::recording::{read, record, svg, words, write};

use crate::support::{OrFail, scratch};

#[test]
fn the_terminal_of_the_readme_is_up_to_date() {
    let scratch = scratch();
    let lines = record(Path::new(env!("CARGO_BIN_EXE_assetsync")), scratch.path()).or_fail();
    if std::env::var_os("ASSETSYNC_UPDATE_DOCS").is_some() {
        write(&lines).or_fail();
    }
    let (shown, now) = (words(&read().or_fail()), words(&svg(&lines)));
    assert!(shown == now, "run scripts/record-terminal; now it shows:\n{}", lines.join("\n"));
    let leftovers = ["connecting", "surveying", "sending", "publishing", "of 2 done"];
    let left = lines.iter().find(|line| leftovers.iter().any(|phase| line.contains(phase)));
    assert_eq!(left, None, "progress that is over:\n{}", lines.join("\n"));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    assert!(std::fs::read_to_string(page).or_fail().contains("](docs/terminal.svg)"));
}
