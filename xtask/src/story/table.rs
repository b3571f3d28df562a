//! The table in the README.

use super::measurements::{LINK, Measurements, SERVER_MEMORY, SYSTEM_MEMORY, Transfer};
use crate::section::Section;

/// Where the table is.
pub(super) const SECTION: Section =
    Section { page: "README.md", name: "story", script: "scripts/story --write" };

const MIB: f64 = 1024.0 * 1024.0;

/// The table with its caption, without the lines around it.
#[must_use]
pub fn table(measurements: &Measurements) -> String {
    let Measurements { compile, unlimited_compile_peak, puma_peak, rsync, assetsync } =
        measurements;
    let ending = if compile.killed { "**killed**" } else { "done" };
    let compiled = format!("{ending} after {:.0} s", compile.seconds);
    let server = format!("all {}", megabytes(compile.peak));
    let [rsync_first, rsync_later] = rsync.map(|copied| transfer(&copied));
    let [rsync_peak, rsync_later_peak] = rsync.map(|copied| megabytes(copied.peak));
    let [first, later] = assetsync.map(|copied| transfer(&copied));
    let [peak, later_peak] = assetsync.map(|copied| megabytes(copied.peak));
    format!(
        "Of this server's {} MB Linux is taken to have {} MB; puma with two workers has {}. Compiling the Rails shop\n\
         that it serves takes {} where there is room. Over a link of {LINK}, server memory with the page cache:\n\n\
         | | `assets:precompile` there | compile here, `rsync -av --delete` | compile here, `assetsync deploy` |\n\
         |---|---|---|---|\n\
         | first deploy | {compiled} | {rsync_first} | {first} |\n\
         | a stylesheet, a script, an image later | - | {rsync_later} | {later} |\n\
         | server memory, first deploy | {server} | {rsync_peak} | {peak} |\n\
         | server memory, later | - | {rsync_later_peak} | {later_peak} |\n",
        SERVER_MEMORY >> 20,
        SYSTEM_MEMORY >> 20,
        megabytes(*puma_peak),
        megabytes(*unlimited_compile_peak),
    )
}

fn transfer(copied: &Transfer) -> String {
    format!("{:.1} s, {} kB", copied.seconds, copied.bytes.div_ceil(1000))
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown to a person")]
    let megabytes = bytes as f64 / MIB;
    if megabytes < 100.0 { format!("{megabytes:.1} MB") } else { format!("{megabytes:.0} MB") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story;

    #[test]
    fn the_readme_shows_the_measurements() {
        assert!(SECTION.is_written(&table(&story::read().unwrap())));
    }
}
