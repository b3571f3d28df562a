//! The page on reliability names tests that exist.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

const ROWS: usize = 83;

/// The names of all tests below a directory.
fn collect_tests(dir: &Path, found: &mut HashSet<String>) {
    for item in fs::read_dir(dir).expect("a directory") {
        let path = item.expect("an entry").path();
        if path.is_dir() {
            collect_tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            add_tests(&fs::read_to_string(&path).expect("source code"), found);
        }
    }
}

/// In `proptest!` and out of it, a test is a function after its attribute.
fn add_tests(source: &str, found: &mut HashSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        if let Some(name) = line.strip_prefix("fn ").filter(|_| is_test) {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            found.insert(name[..end].to_owned());
        }
        is_test =
            line == "#[test]" || is_test && (line.starts_with("#[") || line.starts_with("//"));
    }
}

/// The last cell of each row, by its number.
fn cells(page: &str) -> Vec<(usize, &str)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.filter_map(|row| Some((row.split(" | ").next()?.parse().ok()?, row)));
    cells.filter_map(|(number, row)| Some((number, row.split(" | ").nth(3)?))).collect()
}

#[test]
fn every_row_of_the_page_on_reliability_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let page = fs::read_to_string(root.join("docs/reliability.md")).expect("the page");
    let mut tests = HashSet::new();
    for folder in ["src", "tests", "crates", "xtask"] {
        collect_tests(&root.join(folder), &mut tests);
    }
    let cells = cells(&page);
    let numbers: Vec<usize> = cells.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=ROWS).collect::<Vec<_>>());
    let mut wrong = Vec::new();
    for (number, cell) in cells {
        let (named, reason) = cell.split_once("no test: ").unwrap_or((cell, ""));
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && reason.is_empty() {
            wrong.push(format!("row {number} names no test, and no reason"));
        }
        let missing = named.into_iter().filter(|name| !tests.contains(*name));
        wrong.extend(missing.map(|name| format!("row {number}: there is no test {name}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
