use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

fn scan(dir: &Path) -> Source {
    Source::scan(dir, &Policy::default()).unwrap()
}

fn names(entries: &[SourceEntry]) -> Vec<String> {
    entries.iter().map(|local| local.entry.path.to_string()).collect()
}

fn digest_of<'e>(entries: &'e [SourceEntry], name: &str) -> Option<&'e Digest> {
    entries.iter().find(|local| local.entry.path.to_string() == name)?.digest.as_ref()
}

#[test]
fn a_source_that_changed_since_it_was_listed_is_listed_again() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(dir.path().join(name), content).unwrap();
    write("app-1.js", "one");
    write("manifest.json", "app-1.js");
    let source = scan(dir.path());
    // What a build does meanwhile.
    write("app-2.js", "two");
    write("manifest.json", "app-2.js");
    fs::remove_file(dir.path().join("app-1.js")).unwrap();
    let hashed = source.hashed().unwrap();
    assert_eq!(names(hashed), ["app-2.js", "manifest.json"]);
    assert_eq!(digest_of(hashed, "manifest.json"), Some(&Digest::of(b"app-2.js")));
}

#[test]
fn a_source_that_is_emptied_meanwhile_has_no_files() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("app.js"), "app").unwrap();
    let source = scan(dir.path());
    assert!(source.has_files());
    fs::remove_file(dir.path().join("app.js")).unwrap();
    assert_eq!(names(source.hashed().unwrap()), Vec::<String>::new());
    assert!(!source.has_files());
}

#[test]
fn a_source_whose_directory_is_replaced_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("build");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("app.js"), "old").unwrap();
    let source = scan(&path);
    fs::rename(&path, dir.path().join("old")).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("app.js"), "new").unwrap();
    assert!(matches!(*source.hashed().unwrap_err(), SourceError::Changing { .. }));
}

#[test]
fn what_names_a_file_is_never_read_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let version = |n: u32| {
        fs::write(dir.path().join(format!("app-{n}.js")), "app").unwrap();
        let next = dir.path().join("next");
        fs::write(&next, format!("app-{n}.js")).unwrap();
        fs::rename(next, dir.path().join("manifest.json")).unwrap();
        let _ = fs::remove_file(dir.path().join(format!("app-{}.js", n - 1)));
    };
    version(1);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| (2..).take_while(|_| !done.load(Ordering::Relaxed)).for_each(version));
        for _ in 0..100 {
            match scan_again(dir.path()) {
                Ok(source) => check(&source),
                Err(SourceError::Unreadable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn scan_again(dir: &Path) -> Result<Source, SourceError> {
    Source::scan(dir, &Policy::default())
}

fn check(source: &Source) {
    match source.hashed() {
        Ok(hashed) => {
            let named = digest_of(hashed, "manifest.json").expect("a manifest");
            let is_named = |name: &String| Digest::of(name.as_bytes()) == *named;
            assert!(names(hashed).iter().any(is_named), "{:?}", names(hashed));
        }
        Err(error) => assert!(matches!(*error, SourceError::Changing { .. }), "{error}"),
    }
}
