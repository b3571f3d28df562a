//! Checks what `docs/architecture.md` says of the engine's modules: core is pure, the agent's half knows nothing
//! of the sender's, and the library never prints.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that touch no file, socket, clock or process.
const PURE: [&str; 30] = [
    "path.rs",
    "entry.rs",
    "digest.rs",
    "../../core/src",
    "limits.rs",
    "state.rs",
    "compare.rs",
    "plan.rs",
    "protected.rs",
    "recipe",
    "delta",
    "proto",
    "filter.rs",
    "filter",
    "logical_name.rs",
    "logical_name",
    "compressed_names.rs",
    "entry_points.rs",
    "renaming.rs",
    "../../regzip/src",
    "../../rewrite/src",
    "sketch.rs",
    "sender/comparison.rs",
    "sender/planner.rs",
    "sender/renames.rs",
    "sender/renames",
    "sender/groups.rs",
    "sender/outcome.rs",
    "sender/distance.rs",
    "sender/effort.rs",
];

/// What a pure module may not name.
const EFFECTS: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "Instant",
    "SystemTime",
    "rustix",
    "crate::fs::",
];

/// Modules the agent is built from.
const AGENT: [&str; 2] = ["agent", "fs"];

fn sources(part: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(part);
    if path.is_file() {
        return vec![path];
    }
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.flat_map(|name| sources(&format!("{part}/{name}"))).collect()
}

/// The code of a file: no comments, no tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn assert_without(parts: &[&str], words: &[&str]) {
    let mut files = 0;
    for path in parts.iter().flat_map(|part| sources(part)) {
        files += 1;
        let code = code(&path);
        for word in words {
            assert!(!code.contains(word), "{} names {word}", path.display());
        }
    }
    assert!(files >= parts.len());
}

#[test]
fn core_is_pure() {
    assert_without(&PURE, &EFFECTS);
}

#[test]
fn the_agent_knows_nothing_of_the_sender() {
    assert_without(&AGENT, &["crate::sender", "crate::compare", "assetsync_ssh"]);
}

#[test]
fn the_library_never_prints() {
    assert_without(&["."], &["println!", "eprintln!", "print!(", "dbg!"]);
}
