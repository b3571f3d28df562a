//! The public face of the two libraries that others call, `assetsync-sync` and `assetsync-deploy`:
//! few items, and each of them documented. Counted as rustdoc shows them: modules, types, traits,
//! functions, constants and methods that can be reached from the root of the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::{Attribute, Ident, ImplItem, Item, ItemImpl, TraitItem, Type, UseTree, Visibility};

/// Public items of both crates together, at most.
const LIMIT: usize = 150;

type ItemPath = Vec<String>;

struct Module {
    items: Vec<Item>,
    documented: bool,
}

/// The modules of a crate by their paths from its root, whose path is empty.
#[derive(Default)]
struct Modules(BTreeMap<ItemPath, Module>);

impl Modules {
    fn of(source: &Path) -> Modules {
        let mut modules = Modules::default();
        modules.read(&source.join("lib.rs"), source, &[], false);
        modules
    }

    /// Reads the file of a module, whose declaration may have the documentation.
    fn read(&mut self, file: &Path, folder: &Path, path: &[String], documented: bool) {
        let text = fs::read_to_string(file).expect("a source file");
        let parsed = syn::parse_file(&text).expect("source code");
        let documented = documented || is_documented(&parsed.attrs);
        self.add(Module { items: parsed.items, documented }, folder, path);
    }

    /// Adds a module and those in it; modules of tests do not count.
    fn add(&mut self, module: Module, folder: &Path, path: &[String]) {
        for item in &module.items {
            let Item::Mod(inner) = item else { continue };
            if is_test(&inner.attrs) {
                continue;
            }
            let name = inner.ident.to_string();
            let folder = folder.join(&name);
            let path = child(path, &name);
            let documented = is_documented(&inner.attrs);
            match &inner.content {
                Some((_, items)) => {
                    self.add(Module { items: items.clone(), documented }, &folder, &path);
                }
                None => {
                    let files = [folder.with_extension("rs"), folder.join("mod.rs")];
                    let file = files.iter().find(|file| file.exists()).expect("a module's file");
                    self.read(file, &folder, &path, documented);
                }
            }
        }
        self.0.insert(path.to_vec(), module);
    }

    /// What a name means in a module of this crate: an item, by its own path; or the path of
    /// something of another crate.
    fn meaning(&self, module: &[String], target: &[String]) -> (ItemPath, Option<&Item>) {
        let path = absolute(module, target);
        let Some((name, inside)) = path.split_last() else { return (path, None) };
        let Some(found) = self.0.get(inside) else { return (target.to_vec(), None) };
        let item = found.items.iter().find(|item| declared(item).is_some_and(|it| it.0 == name));
        if item.is_some() {
            return (path, item);
        }
        let uses = found.items.iter().filter_map(|item| match item {
            Item::Use(used) => Some(&used.tree),
            _ => None,
        });
        match uses.flat_map(names).find(|(exported, _)| exported == name) {
            Some((_, target)) => self.meaning(inside, &target),
            None => (target.to_vec(), None),
        }
    }

    /// The public methods and constants of a type, wherever in the crate they are.
    fn methods(&self, of: &[String]) -> Vec<(String, bool)> {
        let blocks = self.0.iter().flat_map(|(path, module)| {
            module.items.iter().filter_map(move |item| match item {
                Item::Impl(block) if self.is_of(block, path, of) => Some(block),
                _ => None,
            })
        });
        let items = blocks.flat_map(|block| &block.items);
        items.filter_map(public_method).collect()
    }

    fn is_of(&self, block: &ItemImpl, module: &[String], of: &[String]) -> bool {
        let Type::Path(named) = &*block.self_ty else { return false };
        let segments = named.path.segments.iter().map(|segment| segment.ident.to_string());
        block.trait_.is_none() && self.meaning(module, &segments.collect::<Vec<_>>()).0 == of
    }
}

fn child(path: &[String], name: &str) -> ItemPath {
    [path, &[name.to_owned()]].concat()
}

/// The path from the root of what a path in a module means.
fn absolute(module: &[String], target: &[String]) -> ItemPath {
    let mut base = module.to_vec();
    let mut rest = target;
    while let Some(first) = rest.first() {
        match first.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => drop(base.pop()),
            _ => break,
        }
        rest = &rest[1..];
    }
    [base.as_slice(), rest].concat()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Ident>().is_ok_and(|word| word == "test")
    })
}

fn is_documented(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("doc"))
}

/// Whether rustdoc leaves it out.
fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.parse_args::<Ident>().is_ok_and(|word| word == "hidden")
    })
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn public_method(item: &ImplItem) -> Option<(String, bool)> {
    let (name, visibility, attributes) = match item {
        ImplItem::Fn(method) => (&method.sig.ident, &method.vis, &method.attrs),
        ImplItem::Const(constant) => (&constant.ident, &constant.vis, &constant.attrs),
        _ => return None,
    };
    is_public(visibility).then(|| (name.to_string(), is_documented(attributes)))
}

/// The name, the visibility and the attributes of an item that can be public.
fn declared(item: &Item) -> Option<(&Ident, &Visibility, &[Attribute])> {
    match item {
        Item::Const(item) => Some((&item.ident, &item.vis, &item.attrs)),
        Item::Enum(item) => Some((&item.ident, &item.vis, &item.attrs)),
        Item::Fn(item) => Some((&item.sig.ident, &item.vis, &item.attrs)),
        Item::Mod(item) => Some((&item.ident, &item.vis, &item.attrs)),
        Item::Static(item) => Some((&item.ident, &item.vis, &item.attrs)),
        Item::Struct(item) => Some((&item.ident, &item.vis, &item.attrs)),
        Item::Trait(item) => Some((&item.ident, &item.vis, &item.attrs)),
        Item::Type(item) => Some((&item.ident, &item.vis, &item.attrs)),
        Item::Union(item) => Some((&item.ident, &item.vis, &item.attrs)),
        _ => None,
    }
}

/// The names that a `use` brings, each with the path that it is for.
fn names(tree: &UseTree) -> Vec<(String, ItemPath)> {
    fn add(tree: &UseTree, before: &[String], found: &mut Vec<(String, ItemPath)>) {
        let with = |name: &Ident| child(before, &name.to_string());
        match tree {
            UseTree::Path(path) => add(&path.tree, &with(&path.ident), found),
            UseTree::Name(name) => found.push((name.ident.to_string(), with(&name.ident))),
            UseTree::Rename(to) => found.push((to.rename.to_string(), with(&to.ident))),
            UseTree::Glob(_) => {}
            UseTree::Group(group) => group.items.iter().for_each(|tree| add(tree, before, found)),
        }
    }
    let mut found = Vec::new();
    add(tree, &[], &mut found);
    found
}

/// The public items that can be reached, by path, with whether they are documented.
struct Face<'a> {
    modules: &'a Modules,
    items: BTreeMap<String, bool>,
}

impl<'a> Face<'a> {
    fn of(modules: &'a Modules) -> Face<'a> {
        let mut face = Face { modules, items: BTreeMap::new() };
        face.module(&[]);
        face
    }

    fn count(&mut self, path: &[String], documented: bool) {
        self.items.insert(path.join("::"), documented);
    }

    fn module(&mut self, path: &[String]) {
        let modules = self.modules;
        for item in &modules.0[path].items {
            if let Item::Use(used) = item {
                if is_public(&used.vis) {
                    names(&used.tree).iter().for_each(|(_, target)| self.export(path, target));
                }
            } else if let Some((name, visibility, attributes)) = declared(item)
                && is_public(visibility)
                && !is_hidden(attributes)
            {
                self.item(&child(path, &name.to_string()), item);
            }
        }
    }

    fn export(&mut self, module: &[String], target: &[String]) {
        match self.modules.meaning(module, target) {
            (path, Some(item)) => self.item(&path, item),
            (elsewhere, None) => self.count(&elsewhere, true),
        }
    }

    fn item(&mut self, path: &[String], item: &Item) {
        let Some((_, _, attributes)) = declared(item) else { return };
        let documented = match item {
            Item::Mod(_) => self.modules.0[path].documented,
            _ => is_documented(attributes),
        };
        self.count(path, documented);
        match item {
            Item::Mod(_) => self.module(path),
            Item::Trait(declared) => self.trait_items(path, &declared.items),
            _ => {
                for (name, documented) in self.modules.methods(path) {
                    self.count(&child(path, &name), documented);
                }
            }
        }
    }

    fn trait_items(&mut self, path: &[String], items: &[TraitItem]) {
        for item in items {
            let (name, attributes) = match item {
                TraitItem::Fn(method) => (&method.sig.ident, &method.attrs),
                TraitItem::Const(constant) => (&constant.ident, &constant.attrs),
                TraitItem::Type(kind) => (&kind.ident, &kind.attrs),
                _ => continue,
            };
            self.count(&child(path, &name.to_string()), is_documented(attributes));
        }
    }
}

fn public_items(source: &Path) -> BTreeMap<String, bool> {
    Face::of(&Modules::of(source)).items
}

#[test]
fn the_public_face_is_small_and_documented() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let sync = public_items(&crates.join("sync/src"));
    let deploy = public_items(&crates.join("deploy/src"));
    let list = |name: &str, items: &BTreeMap<String, bool>| {
        items.keys().map(|item| format!("\n  {name}::{item}")).collect::<String>()
    };
    let count = sync.len() + deploy.len();
    assert!(
        count <= LIMIT,
        "{count} public items ({} and {}), the limit is {LIMIT}:{}{}",
        sync.len(),
        deploy.len(),
        list("sync", &sync),
        list("deploy", &deploy),
    );
    let all = sync.iter().chain(&deploy);
    let undocumented: BTreeSet<_> = all.filter(|item| !*item.1).map(|item| item.0).collect();
    assert!(undocumented.is_empty(), "without documentation: {undocumented:?}");
}

#[test]
fn what_can_be_reached_is_counted_once_with_its_methods() {
    let source = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(source.path().join(name), text).expect("a file");
    write(
        "lib.rs",
        "mod hidden; #[doc(hidden)] pub mod left_out { pub struct Four; } /// Open.\npub mod open; mod inner { pub use crate::hidden::Two as Zwei; }
         pub use hidden::{One, Two}; pub use inner::Zwei; pub use std::path::Path;",
    );
    write(
        "hidden.rs",
        "/// One.\npub struct One; pub struct Unreachable; pub enum Two {}
         impl One { /// A.\n pub fn a() {} pub(crate) fn b() {} fn c() {} }
         impl Clone for One { fn clone(&self) -> One { One } }
         impl Unreachable { pub fn d() {} }",
    );
    write("open.rs", "impl super::One { pub const E: u8 = 0; } pub trait Three { fn f(); }");
    let items = public_items(source.path());
    let expected = [
        ("hidden::One", true),
        ("hidden::One::E", false),
        ("hidden::One::a", true),
        ("hidden::Two", false),
        ("open", true),
        ("open::Three", false),
        ("open::Three::f", false),
        ("std::path::Path", true),
    ];
    let expected = expected.map(|(path, documented)| (path.to_owned(), documented));
    assert_eq!(items, BTreeMap::from(expected));
}
