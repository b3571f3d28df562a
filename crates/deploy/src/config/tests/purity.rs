//! Configuration is values in, values out: only the files that find and read others, or
//! ask Capistrano, touch the system.

use std::fs;
use std::path::Path;

/// Modules that no other file may name.
const EFFECTS: [&str; 7] =
    ["std::fs", "std::env", "std::net", "std::process", "std::thread", "Instant", "SystemTime"];

fn check(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "tests" {
            count += check(&path);
        } else if name.ends_with(".rs") && !matches!(name, "find.rs" | "answer.rs" | "tests.rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let found = EFFECTS.iter().find(|effect| code.contains(**effect));
            assert_eq!(found, None, "{}", path.display());
            count += 1;
        }
    }
    count
}

#[test]
fn no_effects() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(check(&sources.join("config")) + check(&sources.join("capistrano")) > 30);
}
