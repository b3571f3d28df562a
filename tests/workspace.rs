//! Promise: the workspace's packages depend on each other as the table in `docs/architecture.md`
//! says, and the command contains no test fixtures.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::support::OrFail;

#[allow(dead_code)]
#[path = "../crates/agents/build/sources.rs"]
mod sources;

/// The root package, whose folder is `src`.
const COMMAND: &str = "assetsync";

/// For each package, the packages of the workspace that it depends on.
type Edges = BTreeMap<String, BTreeSet<String>>;

/// What cargo prints.
fn cargo(args: &[&str]) -> Vec<u8> {
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().or_fail();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What cargo knows of the workspace's packages.
fn metadata() -> Value {
    let metadata = cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    serde_json::from_slice(&metadata).or_fail()
}

/// All packages that a package is built with, itself included, with their versions.
fn built_with(package: &str) -> BTreeSet<String> {
    let args = ["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none"];
    let tree = cargo(&[&args[..], &["--format", "{p}", "--package", package]].concat());
    let tree = String::from_utf8(tree).or_fail();
    let package = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    tree.lines().filter(|line| !line.is_empty()).map(package).collect()
}

/// The dependencies on packages of the workspace that are for development only, or those that are
/// not.
fn edges(metadata: &Value, dev: bool) -> Edges {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let of = |package: &Value| {
        let all = list(&package["dependencies"]).into_iter();
        let wanted = all.filter(|one| one["path"].is_string() && (one["kind"] == "dev") == dev);
        wanted.map(|one| name(&one)).collect()
    };
    list(&metadata["packages"]).iter().map(|package| (name(package), of(package))).collect()
}

/// The name of the package in `folder`.
fn package(folder: &str) -> String {
    match folder.strip_prefix("crates/").unwrap_or(folder) {
        "src" | "tests" => COMMAND.to_owned(),
        "xtask" => "xtask".to_owned(),
        name => format!("{COMMAND}-{name}"),
    }
}

/// The words of `text` in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The row of the table for each folder of this workspace: the packages it depends on.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/architecture.md");
    let text = std::fs::read_to_string(path).or_fail();
    let rows = text.lines().skip_while(|line| !line.starts_with("| folder |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let parsed = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let folder = quoted(cells[0]).next().expect("a folder").to_owned();
        (folder, quoted(cells[2]).map(package).collect())
    });
    parsed.filter(|(folder, _)| !folder.starts_with("integrations/")).collect()
}

#[test]
fn packages_depend_on_each_other_as_documented() {
    let metadata = metadata();
    let mut documented = documented();
    let tests = documented.remove("tests").expect("a row for tests");
    assert_eq!(edges(&metadata, true)[COMMAND], tests, "what the tests depend on");
    let documented: Edges =
        documented.into_iter().map(|(folder, edges)| (package(&folder), edges)).collect();
    assert_eq!(edges(&metadata, false), documented);
}

/// A package and all packages of the workspace that are linked into it.
fn contained(edges: &Edges, package: &str) -> BTreeSet<String> {
    let mut contained = BTreeSet::from([package.to_owned()]);
    loop {
        let next: BTreeSet<String> =
            contained.iter().flat_map(|name| edges[name].clone()).collect();
        if next.is_subset(&contained) {
            return contained;
        }
        contained.extend(next);
    }
}

#[test]
fn the_command_contains_no_test_fixtures() {
    let edges = edges(&metadata(), false);
    let contained = contained(&edges, COMMAND);
    assert!(contained.contains("assetsync-bench"), "{contained:?}");
    for fixtures in ["assetsync-testbed", "xtask"] {
        assert!(!contained.contains(fixtures), "{contained:?}");
    }
    let users = edges.iter().filter(|(_, used)| used.contains("assetsync-testbed"));
    assert_eq!(users.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["xtask"]);
}

/// So an edit of any of them gives another agent.
#[test]
fn the_cache_of_agents_knows_every_package_the_agent_is_made_of() {
    let ours = built_with("assetsync-agent").into_iter();
    let ours = ours.filter_map(|package| Some(package.split(' ').next()?.to_owned()));
    let ours: BTreeSet<String> = ours.filter(|name| name.starts_with("assetsync-")).collect();
    let hashed = sources::PACKAGES.iter().map(|folder| package(folder));
    assert_eq!(hashed.collect::<BTreeSet<_>>(), ours);
}

/// So whoever builds the command with `--offline` has what building the agent takes.
#[test]
fn building_the_agent_takes_nothing_that_building_the_sender_does_not() {
    let is_ours = |package: &String| package.starts_with("assetsync-");
    let agent = built_with("assetsync-agent").into_iter().filter(|package| !is_ours(package));
    let sender = built_with("assetsync-sync");
    let missing: Vec<String> = agent.filter(|package| !sender.contains(package)).collect();
    assert_eq!(missing, [""; 0], "fetched for the agent only");
}

#[test]
fn the_agent_contains_neither_the_sender_nor_ssh() {
    let edges = edges(&metadata(), false);
    let contained = contained(&edges, "assetsync-agent");
    let expected = ["agent", "core", "receiver", "regzip", "rewrite", "tree"];
    assert_eq!(contained, expected.iter().map(|name| format!("{COMMAND}-{name}")).collect());
}
