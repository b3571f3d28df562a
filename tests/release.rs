//! Promise: what scripts/release packs is whole, installs, and is the same each time.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{OrFail, scratch, text};

fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().or_fail();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Packs the program, without what a debugger needs, as the release's is.
fn pack(room: &Path, folder: &Path) {
    let program = text(&room.join("assetsync"));
    run("strip", &["-o", &program, env!("CARGO_BIN_EXE_assetsync")]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/release");
    let output = Command::new(script)
        .args(["--pack", &program, &text(folder)])
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .or_fail();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The only file with this ending.
fn find(folder: &Path, ending: &str) -> String {
    let names = fs::read_dir(folder).or_fail().map(|entry| entry.or_fail().path());
    let mut found: Vec<String> = names.map(|path| text(&path)).collect();
    found.retain(|path| path.ends_with(ending));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn the_tarball_and_the_package_are_equal_each_time_and_have_a_program_that_pushes() {
    let room = scratch();
    let dist = room.path().join("dist");
    pack(room.path(), &dist);
    let again = room.path().join("again");
    pack(room.path(), &again);
    for ending in [".tar.gz", ".deb", "SHA256SUMS"] {
        let read = |folder: &Path| fs::read(find(folder, ending)).or_fail();
        assert!(read(&dist) == read(&again), "{ending} is the same each time");
    }
    let (tarball, package) = (find(&dist, ".tar.gz"), find(&dist, ".deb"));
    let (unpacked, installed) = (room.path().join("unpacked"), room.path().join("installed"));
    fs::create_dir(&unpacked).or_fail();
    run("tar", &["-xzf", &tarball, "-C", &text(&unpacked), "--strip-components=1"]);
    run("dpkg-deb", &["-x", &package, &text(&installed)]);
    for tree in [&unpacked, &installed.join("usr")] {
        for path in [
            "share/man/man1/assetsync.1.gz",
            "share/man/man5/assetsync.toml.5.gz",
            "share/bash-completion/completions/assetsync",
            "share/zsh/site-functions/_assetsync",
            "share/fish/vendor_completions.d/assetsync.fish",
            "share/doc/assetsync/README.md",
        ] {
            let length = fs::metadata(tree.join(path)).or_fail().len();
            assert!(length > 0, "{path}");
        }
        let (source, dest) = (scratch(), scratch());
        fs::write(source.path().join("app.js"), "app").or_fail();
        let program = text(&tree.join("bin/assetsync"));
        let store = text(&room.path().join("store"));
        let (from, to) = (text(source.path()), text(dest.path()));
        run(&program, &["push", "--store", &store, &from, &to]);
        assert_eq!(fs::read_to_string(dest.path().join("app.js")).or_fail(), "app");
    }
    let fields = run("dpkg-deb", &["--field", &package]);
    let version = env!("CARGO_PKG_VERSION");
    assert!(fields.contains(&format!("Version: {version}\n")), "{fields}");
    assert!(fields.contains("Depends: libc6 (>= "), "{fields}");
}
