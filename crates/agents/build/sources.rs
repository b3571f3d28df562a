//! What the agent is made of, and a hash of it: the key of the cache of built agents.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The workspace's packages that the agent consists of; a test compares them with what cargo knows.
pub const PACKAGES: &[&str] = &["agent", "core", "receiver", "regzip", "rewrite", "tree"];

/// Parts of a package that only its tests use.
const TESTS: &[&str] = &["tests", "benches", "examples"];

/// Parts of the workspace's `Cargo.toml` that have a say in how the agent is built.
const SECTIONS: &[&str] = &["[workspace", "[profile.agent", "[profile.release"];

/// The files and directories that are watched and hashed whole.
pub fn parts(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut parts = vec![root.join("Cargo.lock")];
    for package in PACKAGES {
        for entry in fs::read_dir(root.join("crates").join(package))? {
            let entry = entry?;
            if TESTS.iter().all(|name| entry.file_name() != *name) {
                parts.push(entry.path());
            }
        }
    }
    parts.sort();
    Ok(parts)
}

/// The hash of all sources of the agent and of `settings`, as a word.
pub fn key(root: &Path, settings: &[String]) -> io::Result<String> {
    let mut hasher = DefaultHasher::new();
    settings.hash(&mut hasher);
    sections(&fs::read_to_string(root.join("Cargo.toml"))?).hash(&mut hasher);
    for part in parts(root)? {
        hash_all(root, &part, &mut hasher)?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Names are hashed, too, relative to the root: another checkout has the same key.
fn hash_all(root: &Path, path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    if !path.is_dir() {
        path.strip_prefix(root).map_err(io::Error::other)?.hash(hasher);
        fs::read(path)?.hash(hasher);
        return Ok(());
    }
    let inside = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
    let mut inside = inside.collect::<io::Result<Vec<PathBuf>>>()?;
    inside.sort();
    inside.iter().try_for_each(|path| hash_all(root, path, hasher))
}

/// The lines of [`SECTIONS`].
fn sections(manifest: &str) -> Vec<&str> {
    let mut is_wanted = false;
    let wanted = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            is_wanted = SECTIONS.iter().any(|section| line.starts_with(section));
        }
        is_wanted && !line.trim().is_empty() && !line.starts_with('#')
    });
    wanted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace.dependencies]\nzstd = \"1\"\n\n[profile.release]\nlto = true\n\
                            [profile.agent]\nopt-level = 3\n[profile.dev]\nopt-level = 1\n\
                            [package]\nname = \"tool\"\n[dependencies]\nclap = \"4\"\n";

    fn workspace() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for package in PACKAGES.iter().copied().chain(["sync"]) {
            write(dir.path(), &format!("crates/{package}/Cargo.toml"), package);
            write(dir.path(), &format!("crates/{package}/src/deep/lib.rs"), package);
            write(dir.path(), &format!("crates/{package}/tests/all.rs"), package);
        }
        write(dir.path(), "Cargo.toml", MANIFEST);
        write(dir.path(), "Cargo.lock", "lock");
        write(dir.path(), "src/main.rs", "main");
        dir
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn editing_what_the_agent_is_made_of_changes_the_key() {
        let dir = workspace();
        let settings = ["flags".to_owned()];
        let mut keys = vec![key(dir.path(), &settings).unwrap(), key(dir.path(), &[]).unwrap()];
        let mut edit = |path: &str, text: &str| {
            write(dir.path(), path, text);
            keys.push(key(dir.path(), &settings).unwrap());
        };
        for package in PACKAGES {
            edit(&format!("crates/{package}/src/deep/lib.rs"), "edited");
            edit(&format!("crates/{package}/Cargo.toml"), "edited");
        }
        edit("crates/core/src/new.rs", "");
        edit("crates/agent/build.rs", "");
        edit("Cargo.lock", "edited");
        for (old, new) in
            [("zstd = \"1\"", "zstd = \"2\""), ("lto = true", ""), ("level = 3", "level = 2")]
        {
            edit("Cargo.toml", &MANIFEST.replace(old, new));
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn editing_the_sender_or_the_command_or_a_test_does_not_change_the_key() {
        let (dir, same) = (workspace(), workspace());
        let settings = ["flags".to_owned()];
        write(dir.path(), "crates/sync/src/deep/lib.rs", "edited");
        write(dir.path(), "crates/receiver/tests/all.rs", "edited");
        write(dir.path(), "src/main.rs", "edited");
        let manifest =
            MANIFEST.replace("clap = \"4\"", "clap = \"5\"").replace("level = 1", "level = 2");
        write(dir.path(), "Cargo.toml", &manifest);
        assert_eq!(key(dir.path(), &settings).unwrap(), key(same.path(), &settings).unwrap());
    }
}
