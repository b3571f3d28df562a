//! The rules of docs/architecture.md that the compiler does not check: files of a crate never
//! import each other in a circle, and pure code names no effect. Which crate may use which is
//! checked by `tests/workspace.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use syn::visit::{self, Visit};
use syn::{File, Item, UseTree};

/// Folders whose code is pure: bytes and values in, bytes and values out.
const PURE: [&str; 11] = [
    "crates/core/src",
    "crates/regzip/src",
    "crates/rewrite/src",
    "crates/units/src",
    "crates/bucket/src/plan",
    "crates/bucket/src/state",
    "crates/sync/src/compare",
    "crates/sync/src/cost",
    "crates/sync/src/plan",
    "crates/sync/src/encode/delta",
    "crates/deploy/src/history",
];

/// What pure code may not name.
const EFFECTS: [&str; 11] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "std::os::fd",
    "std::time::Instant",
    "std::time::SystemTime",
    "rustix",
    "tempfile",
    "rayon",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace").into()
}

/// The source folder of every package.
fn packages() -> Vec<PathBuf> {
    let crates = fs::read_dir(workspace().join("crates")).expect("the folder of crates");
    let crates = crates.map(|entry| entry.expect("an entry").path().join("src"));
    let others = ["src", "xtask/src"].map(|folder| workspace().join(folder));
    crates.chain(others).filter(|folder| folder.is_dir()).collect()
}

/// The source files below a folder, with the module each one is: `["proto", "inbox"]`.
fn modules(source: &Path) -> BTreeMap<Vec<String>, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![source.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(module(source, &path), path);
            }
        }
    }
    found
}

/// The module of a file: its path without what stands for its folder.
fn module(source: &Path, file: &Path) -> Vec<String> {
    let below = file.strip_prefix(source).expect("below the source folder").with_extension("");
    let mut parts: Vec<String> =
        below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// All paths that the code of a file names, outside of its tests; relative ones are resolved.
struct Named {
    module: Vec<String>,
    paths: BTreeSet<Vec<String>>,
}

impl Named {
    fn of(file: &Path, module: &[String]) -> Named {
        let text = fs::read_to_string(file).expect("a source file");
        let parsed: File = syn::parse_file(&text)
            .unwrap_or_else(|error| panic!("{} does not parse: {error}", file.display()));
        let mut named = Named { module: module.to_vec(), paths: BTreeSet::new() };
        named.visit_file(&parsed);
        named
    }

    fn add(&mut self, path: Vec<String>) {
        let mut base = self.module.clone();
        let mut rest = path.as_slice();
        match rest.first().map(String::as_str) {
            Some("crate") => (base, rest) = (Vec::new(), &rest[1..]),
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => {
                self.paths.insert(path);
                return;
            }
        }
        let whole = ["crate".to_owned()].into_iter().chain(base).chain(rest.iter().cloned());
        self.paths.insert(whole.collect());
    }

    fn add_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&path.tree, &with(path.ident.to_string())),
            UseTree::Name(name) if name.ident == "self" => self.add(before.to_vec()),
            UseTree::Name(name) => self.add(with(name.ident.to_string())),
            UseTree::Rename(rename) => self.add(with(rename.ident.to_string())),
            UseTree::Glob(_) => self.add(before.to_vec()),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(tree, before));
            }
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_test(&module.attrs) => {}
            Item::Use(used) if is_test(&used.attrs) => {}
            Item::Use(used) => self.add_tree(&used.tree, &[]),
            Item::Fn(function) if is_test(&function.attrs) => {}
            Item::Impl(implementation) if is_test(&implementation.attrs) => {}
            other => visit::visit_item(self, other),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

/// Whether a file is one of tests alone: its parent declares it under `#[cfg(test)]`.
fn is_of_tests(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests" || part == "testing")
}

/// For each file of a crate the files it imports from.
fn imports(source: &Path) -> BTreeSet<(String, String)> {
    let modules = modules(source);
    let mut edges = BTreeSet::new();
    for (module, file) in modules.iter().filter(|(module, _)| !is_of_tests(module)) {
        for path in &Named::of(file, module).paths {
            let Some(local) = path.strip_prefix(["crate".to_owned()].as_slice()) else { continue };
            let target = (0..=local.len()).rev().map(|end| local[..end].to_vec());
            let target = target.into_iter().find(|module| modules.contains_key(module));
            if let Some(target) = target.filter(|target| target != module) {
                edges.insert((module.join("::"), target.join("::")));
            }
        }
    }
    edges
}

#[test]
fn files_of_a_crate_do_not_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for source in packages() {
        let edges = imports(&source);
        let graph: DiGraphMap<&str, ()> =
            edges.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let found = tarjan_scc(&graph).into_iter().filter(|component| component.len() > 1);
        circles.extend(found.map(|component| format!("{}: {component:?}", source.display())));
    }
    assert!(circles.is_empty(), "files import each other in a circle:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_tests_do_not_count() {
    let source = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(source.path().join(name), text).expect("a file");
    write("lib.rs", "mod a; mod b; mod c;");
    write("a.rs", "use super::b::{self, Two}; pub struct One;");
    write("b.rs", "pub struct Two(crate::a::One);");
    write("c.rs", "use crate::a::One; #[cfg(test)] mod tests { use crate::b::Two; }");
    let edges = imports(source.path());
    let edge = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(edges, BTreeSet::from([edge("a", "b"), edge("b", "a"), edge("c", "a")]));
}

#[test]
fn pure_code_names_no_effect() {
    let mut found = Vec::new();
    for folder in PURE {
        let source = workspace().join(folder);
        for (module, file) in modules(&source) {
            if !is_of_tests(&module) {
                let paths = Named::of(&file, &module).paths;
                let named = paths.iter().map(|path| path.join("::")).filter(|path| is_effect(path));
                found.extend(named.map(|path| format!("{}: {path}", file.display())));
            }
        }
    }
    assert!(found.is_empty(), "pure code names effects:\n{}", found.join("\n"));
}

fn is_effect(path: &str) -> bool {
    EFFECTS.iter().any(|effect| {
        path.strip_prefix(effect).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}
