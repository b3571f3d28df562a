//! All dependencies keep to deny.toml: their licences, one version of each, and where they come
//! from. `cargo deny check` checks the same, and asks the database of vulnerabilities besides.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use toml::de::DeTable;

/// The texts of a list in deny.toml.
fn list(group: &str, key: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deny.toml");
    let text = fs::read_to_string(path).expect("deny.toml");
    let table = DeTable::parse(&text).expect("TOML");
    let group = table.get_ref().get(group).expect("the group is there").get_ref();
    let list = group.get(key).and_then(|list| list.get_ref().as_array()).expect("a list");
    list.iter().map(|text| text.get_ref().as_str().expect("a text").to_owned()).collect()
}

/// The packages that are built on this platform.
fn packages() -> Vec<Value> {
    packages_for(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
}

/// The packages that are built on a platform.
fn packages_for(platform: &str) -> Vec<Value> {
    let ran = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut metadata: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("no list of packages: {other}"),
    }
}

fn text<'v>(package: &'v Value, key: &str) -> &'v str {
    package[key].as_str().unwrap_or_default()
}

/// Whether an SPDX expression can be fulfilled with the allowed licences. `/` is an old `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (fulfilled, rest) = any(&words, allowed);
    assert!(rest.is_empty(), "can't read the licence {expression}");
    fulfilled
}

fn any<'w, 't>(words: &'w [&'t str], allowed: &BTreeSet<String>) -> (bool, &'w [&'t str]) {
    let (mut fulfilled, mut rest) = all(words, allowed);
    while let ["OR", after @ ..] = rest {
        let (other, after) = all(after, allowed);
        (fulfilled, rest) = (fulfilled | other, after);
    }
    (fulfilled, rest)
}

fn all<'w, 't>(words: &'w [&'t str], allowed: &BTreeSet<String>) -> (bool, &'w [&'t str]) {
    let (mut fulfilled, mut rest) = one(words, allowed);
    while let ["AND", after @ ..] = rest {
        let (other, after) = one(after, allowed);
        (fulfilled, rest) = (fulfilled & other, after);
    }
    (fulfilled, rest)
}

fn one<'w, 't>(words: &'w [&'t str], allowed: &BTreeSet<String>) -> (bool, &'w [&'t str]) {
    match words {
        ["(", inner @ ..] => match any(inner, allowed) {
            (fulfilled, [")", rest @ ..]) => (fulfilled, rest),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, rest @ ..] => {
            (allowed.contains(&format!("{licence} WITH {exception}")), rest)
        }
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => (false, words),
    }
}

#[test]
fn every_licence_is_allowed() {
    let allowed = list("licenses", "allow");
    let packages = packages();
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !is_allowed(text(package, "license"), &allowed))
        .map(|package| format!("{}: {}", text(package, "name"), package["license"]))
        .collect();
    assert!(refused.is_empty(), "licences that deny.toml does not allow: {refused:?}");
}

#[test]
fn licence_expressions() {
    let allowed = ["MIT", "Zlib"].map(str::to_owned).into();
    for fulfilled in ["MIT", "GPL-2.0/MIT", "MIT AND Zlib", "(GPL-2.0 OR MIT) AND (Zlib)"] {
        assert!(is_allowed(fulfilled, &allowed), "{fulfilled}");
    }
    for refused in ["", "GPL-2.0", "MIT AND GPL-2.0", "MIT WITH Odd", "(MIT OR Zlib) AND GPL-2.0"] {
        assert!(!is_allowed(refused, &allowed), "{refused}");
    }
}

#[test]
fn only_listed_crates_have_two_versions() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages() {
        let name = text(&package, "name").to_owned();
        versions.entry(name).or_default().push(text(&package, "version").to_owned());
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    let skipped = list("bans", "skip");
    for (name, versions) in several {
        let unlisted =
            versions.iter().filter(|version| !skipped.contains(&format!("{name}@{version}")));
        assert_eq!(unlisted.count(), 1, "{name} {versions:?}: name the older ones in deny.toml");
    }
}

#[test]
fn all_sources_are_allowed() {
    let allowed = list("sources", "allow-registry");
    for package in packages() {
        let Some(source) = package["source"].as_str() else { continue };
        let registry = source.strip_prefix("registry+").unwrap_or(source);
        assert!(allowed.contains(registry), "{} is from {source}", package["name"]);
    }
}

/// The packages, with their versions, of which the released command for a platform is made.
fn command_for(platform: &str) -> BTreeSet<String> {
    let ran = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--package", "assetsync", "--features", "vendored-openssl", "--target", platform])
        .args(["--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let tree = String::from_utf8(ran.stdout).expect("UTF-8");
    let package = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    tree.lines().filter(|line| !line.is_empty()).map(package).collect()
}

/// Whether Rust code below a folder has a framework linked: by an attribute, or in a build script.
fn links_framework(folder: &Path) -> bool {
    fs::read_dir(folder).expect("the package is there").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return links_framework(&path);
        }
        path.extension().is_some_and(|extension| extension == "rs") && {
            let text = fs::read(&path).expect("readable");
            let text = String::from_utf8_lossy(&text);
            text.contains(r#"kind = "framework""#) || text.contains("rustc-link-lib=framework")
        }
    })
}

/// So the command for macOS links with zig on Linux, without Apple's SDK. Our own crates declare
/// no foreign functions.
#[test]
fn the_command_for_macos_links_no_framework() {
    for platform in ["aarch64-apple-darwin", "x86_64-apple-darwin"] {
        let linked = command_for(platform);
        assert!(linked.iter().any(|package| package.starts_with("openssl-sys ")), "{linked:?}");
        let packages = packages_for(platform).into_iter().filter(|package| {
            let version = text(package, "version");
            !package["source"].is_null()
                && linked.contains(&format!("{} v{version}", text(package, "name")))
        });
        for package in packages {
            let folder = Path::new(text(&package, "manifest_path")).parent().expect("a folder");
            assert!(!links_framework(folder), "{} for {platform}", package["name"]);
        }
    }
}

/// Every crate can be packaged: what is published names the versions of the other crates.
#[test]
fn every_published_crate_packages() {
    let private = ["xtask", "assetsync-testbed"].map(|name| format!("--exclude={name}"));
    let ran = Command::new(env!("CARGO"))
        .args(["package", "--workspace", "--no-verify", "--offline", "--locked", "--allow-dirty"])
        .args(private)
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("package"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("cargo runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
