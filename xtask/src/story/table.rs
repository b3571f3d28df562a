//! The table in the README.

use super::measurements::{LINK, Measurements, SERVER_MEMORY, SYSTEM_MEMORY, Transfer};
use crate::error::{Error, Result};

/// The line before the table.
const BEGIN: &str = "<!-- story: begin; scripts/story --write writes this -->";

/// The line after it.
const END: &str = "<!-- story: end -->";

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

/// `page` with this table between the two lines.
pub(super) fn replace(page: &str, measurements: &Measurements) -> Result<String> {
    let lacks = || Error::NoTable("README.md", "scripts/story --write");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(lacks)?;
    let (_, after) = rest.split_once(END).ok_or_else(lacks)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n{END}{after}", table(measurements)))
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
    use crate::repository::root;
    use crate::story;

    #[test]
    fn the_table_replaces_the_one_on_the_page() {
        let measurements = story::read().unwrap();
        let page = format!("# A\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let written = replace(&page, &measurements).unwrap();
        let expected = format!("# A\n\n{BEGIN}\n\n{}\n{END}\n\nmore\n", table(&measurements));
        assert_eq!(written, expected);
        assert_eq!(replace(&written, &measurements).unwrap(), written);
    }

    #[test]
    fn the_readme_shows_the_measurements() {
        let page = std::fs::read_to_string(root().join("README.md")).unwrap();
        assert_eq!(replace(&page, &story::read().unwrap()).unwrap(), page);
    }

    #[test]
    fn a_page_without_the_lines_is_refused() {
        let measurements = story::read().unwrap();
        for page in ["", BEGIN, &format!("{END}\n{BEGIN}")] {
            assert!(matches!(replace(page, &measurements), Err(Error::NoTable(..))), "{page}");
        }
    }
}
