//! The directories that are pushed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use assetsync_testbed::tree::{Kind, snapshot};
use flate2::{Compression, GzBuilder};

use crate::error::{ErrorContext, Result};

/// The extensions of texts, which build tools compress.
const TEXTS: [&str; 7] = ["css", "html", "js", "json", "map", "svg", "txt"];

/// Writes all files of a build afresh, as a compile does; `compressed`, with a `.gz` beside each
/// text, as Rails and plugins of Vite write them.
pub(super) fn compile(build: &Path, source: &Path, compressed: bool) -> Result<()> {
    if source.exists() {
        fs::remove_dir_all(source).doing("empty", source)?;
    }
    for path in files(build)? {
        let to = source.join(&path);
        let folder = to.parent().unwrap_or(source);
        fs::create_dir_all(folder).doing("make", folder)?;
        let content = fs::read(build.join(&path)).doing("read", &path)?;
        fs::write(&to, &content).doing("write", &to)?;
        let extension = to.extension().and_then(|extension| extension.to_str());
        if compressed && extension.is_some_and(|extension| TEXTS.contains(&extension)) {
            let to = source.join(format!("{path}.gz"));
            fs::write(&to, gzip(&content).doing("compress", &path)?).doing("write", &to)?;
        }
    }
    Ok(())
}

/// The best that gzip does, without name and time: equal for equal contents.
fn gzip(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

/// The paths of all files below a directory.
pub(super) fn files(directory: &Path) -> Result<BTreeSet<String>> {
    let found = snapshot(directory)?.into_iter().filter(|(_, node)| node.kind == Kind::File);
    Ok(found.map(|(path, _)| String::from_utf8_lossy(&path).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_build_is_the_same_each_time() {
        let room = tempfile::tempdir().unwrap();
        let (build, source) = (room.path().join("build"), room.path().join("source"));
        fs::create_dir_all(build.join("a")).unwrap();
        fs::write(build.join("a/b.js"), "text".repeat(100)).unwrap();
        fs::write(build.join("c.png"), "picture").unwrap();
        compile(&build, &source, false).unwrap();
        assert_eq!(files(&source).unwrap(), files(&build).unwrap());
        let compressed = || {
            compile(&build, &source, true).unwrap();
            fs::read(source.join("a/b.js.gz")).unwrap()
        };
        assert_eq!(compressed(), compressed());
        let expected = ["a/b.js", "a/b.js.gz", "c.png"].map(str::to_owned);
        assert_eq!(files(&source).unwrap(), expected.into());
    }
}
