//! Tells the story and prints its table: `story ASSETSYNC ROOM [README]`.

use std::env::args_os;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use assetsync_story::{replace, table, tell};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = args_os().skip(1).map(PathBuf::from).collect();
    let (assetsync, room, page) = match &arguments[..] {
        [assetsync, room] => (assetsync, room, None),
        [assetsync, room, page] => (assetsync, room, Some(page)),
        _ => return Err("use: story ASSETSYNC ROOM [README]".into()),
    };
    let room = tempfile::Builder::new().prefix("story-").tempdir_in(room)?;
    let story = tell(assetsync, room.path(), &mut |step| eprintln!("story: {step}"))?;
    print!("{}", table(&story));
    page.map_or(Ok(()), |page| rewrite(page, |text| replace(text, &story)))
}

/// Writes a file anew, from what it was.
fn rewrite<E: Error + 'static>(
    path: &Path,
    change: impl FnOnce(&str) -> Result<String, E>,
) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    Ok(fs::write(path, change(&text)?)?)
}
