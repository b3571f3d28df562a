//! The outcome as the README shows it.

use crate::error::StoryError;
use crate::telling::{Copying, Outcome, Story};
use crate::{LINK, MACHINE, SYSTEM};

/// The line before the table.
pub const BEGIN: &str = "<!-- story: begin; scripts/story --write writes this -->";

/// The line after it.
pub const END: &str = "<!-- story: end -->";

const HEAD: &str = "| | `assets:precompile` there | compile here, `rsync -av --delete` | compile here, `assetsync deploy` |";

const MIB: f64 = 1024.0 * 1024.0;

/// The table with its caption, without the lines around it.
#[must_use]
pub fn table(story: &Story) -> String {
    let Story { compiling, wanted, puma, recipe, deploys } = story;
    let ending = if compiling.killed { "**killed**" } else { "done" };
    let mut text = format!(
        "Of this server's {} MB Linux is taken to have {} MB; puma with two workers has {}. Compiling the Rails shop\n\
         that it serves takes {} where there is room. Over a link of {LINK}, server memory with the page cache:\n\n\
         {HEAD}\n|---|---|---|---|\n",
        MACHINE >> 20,
        SYSTEM >> 20,
        memory(*puma),
        memory(*wanted),
    );
    let rows = [
        (
            "first deploy",
            format!("{ending} after {:.0} s", compiling.seconds),
            travel(&recipe[0]),
            travel(&deploys[0]),
        ),
        (
            "a stylesheet, a script, an image later",
            "-".to_owned(),
            travel(&recipe[1]),
            travel(&deploys[1]),
        ),
        (
            "server memory, first deploy",
            format!("all {}", memory(compiling.peak)),
            memory(recipe[0].peak),
            memory(deploys[0].peak),
        ),
        ("server memory, later", "-".to_owned(), memory(recipe[1].peak), memory(deploys[1].peak)),
    ];
    for (name, there, rsync, ours) in rows {
        text += &format!("| {name} | {there} | {rsync} | {ours} |\n");
    }
    text
}

/// The story that a page tells between the two lines: numbers as they are rounded there.
pub fn read(page: &str) -> Result<Story, StoryError> {
    let part = between(page).ok_or_else(|| missing("no such lines"))?;
    let caption: Vec<f64> =
        part.lines().take_while(|line| !line.starts_with('|')).flat_map(megabytes).collect();
    let [machine, system, puma, wanted] = caption[..] else {
        return Err(missing("the caption has four sizes"));
    };
    if [bytes(machine), bytes(system)] != [MACHINE, SYSTEM] {
        return Err(missing("the caption is of another server"));
    }
    if !part.lines().any(|line| line == HEAD) {
        return Err(missing("its head is another"));
    }
    let rows: Vec<Vec<&str>> =
        part.lines().filter(|line| line.starts_with("| ")).skip(1).map(cells).collect();
    let [first, later, memory, memory_later] = &rows[..] else {
        return Err(missing("it has four rows"));
    };
    let copying = |row: &[&str], peaks: &[&str], column: usize| {
        let (seconds, sent) = row.get(column)?.split_once(", ")?;
        Some(Copying {
            seconds: seconds.strip_suffix(" s")?.parse().ok()?,
            bytes: kilobytes(sent)?,
            peak: bytes(*megabytes(peaks.get(column)?).first()?),
        })
    };
    let both =
        |column| Some([copying(first, memory, column)?, copying(later, memory_later, column)?]);
    let story = || {
        let (ending, seconds) = first.get(1)?.split_once(" after ")?;
        let compiling = Outcome {
            killed: ending == "**killed**",
            seconds: seconds.strip_suffix(" s")?.parse().ok()?,
            peak: bytes(*megabytes(memory.get(1)?).first()?),
        };
        Some(Story {
            compiling,
            wanted: bytes(wanted),
            puma: bytes(puma),
            recipe: both(2)?,
            deploys: both(3)?,
        })
    };
    story().ok_or_else(|| missing("a cell is not as it is written"))
}

/// The page with this table in place of the one that is there.
pub fn replace(page: &str, story: &Story) -> Result<String, StoryError> {
    let old = between(page).ok_or_else(|| missing("no such lines"))?;
    let new = format!("\n\n{}\n", table(story));
    Ok(page.replacen(&format!("{BEGIN}{old}{END}"), &format!("{BEGIN}{new}{END}"), 1))
}

fn between(page: &str) -> Option<&str> {
    page.split_once(BEGIN)?.1.split_once(END).map(|(part, _)| part)
}

fn missing(why: &str) -> StoryError {
    StoryError::NoTable(why.to_owned())
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

fn travel(copying: &Copying) -> String {
    format!("{:.1} s, {} kB", copying.seconds, copying.bytes.div_ceil(1000))
}

fn memory(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown to a person")]
    let megabytes = bytes as f64 / MIB;
    if megabytes < 100.0 { format!("{megabytes:.1} MB") } else { format!("{megabytes:.0} MB") }
}

/// All numbers before ` MB`.
fn megabytes(text: &str) -> Vec<f64> {
    let parts = text.split(" MB");
    let last = |part: &str| part.rsplit(char::is_whitespace).next()?.parse().ok();
    parts.filter_map(last).collect()
}

fn kilobytes(text: &str) -> Option<u64> {
    text.strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1000)
}

fn bytes(megabytes: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a saturating size"
    )]
    let bytes = (megabytes * MIB).round() as u64;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story() -> Story {
        let copying = |seconds, bytes, peak| Copying { seconds, bytes, peak };
        Story {
            compiling: Outcome { killed: true, seconds: 12.0, peak: 416 << 20 },
            wanted: 541 << 20,
            puma: 120 << 20,
            recipe: [copying(2.0, 1_000_000, 7 << 20), copying(1.5, 300_000, 6 << 20)],
            deploys: [copying(1.5, 900_000, 5 << 20), copying(0.5, 20_000, 4 << 20)],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let page = format!("# A\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let written = replace(&page, &story()).unwrap();
        assert!(written.starts_with("# A\n\n<!--") && written.ends_with("-->\n\nmore\n"));
        assert_eq!(read(&written).unwrap(), story());
        assert_eq!(replace(&written, &story()).unwrap(), written);
    }

    #[test]
    fn a_page_without_the_table_is_told_so() {
        for page in ["", &format!("{BEGIN}\n{END}"), &format!("{BEGIN}\n{HEAD}\n{END}")] {
            assert!(matches!(read(page), Err(StoryError::NoTable(_))), "{page}");
        }
    }
}
