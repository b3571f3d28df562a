//! Promise: what scripts/pack packs is whole, installs with each system's own tool, pushes, and is
//! the same each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{OrFail, scratch, text};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn run(program: &str, words: &[&str]) -> String {
    run_in(Path::new("."), program, words)
}

fn run_in(folder: &Path, program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).current_dir(folder).output().or_fail();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Packs the program into each of these folders, without what a debugger needs, as the release's
/// is.
fn pack(room: &Path, folders: [&Path; 2]) {
    let program = text(&room.join("assetsync"));
    run("strip", &["-o", &program, env!("CARGO_BIN_EXE_assetsync")]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/pack");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let start = |folder: &Path| {
        let mut command = Command::new(script);
        command.args([&text(folder), &format!("{target}={program}")]);
        command.env("SOURCE_DATE_EPOCH", "1700000000").stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().or_fail()
    };
    for packing in folders.map(start) {
        let output = packing.wait_with_output().or_fail();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The names and contents of all files in a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths = fs::read_dir(folder).or_fail().map(|entry| entry.or_fail().path());
    paths
        .map(|path| (text(Path::new(path.file_name().expect("a name"))), fs::read(path).or_fail()))
        .collect()
}

/// The path of the only file whose name begins and ends so.
fn find(folder: &Path, begin: &str, end: &str) -> String {
    let mut found: Vec<String> = contents(folder).into_keys().collect();
    found.retain(|name| name.starts_with(begin) && name.ends_with(end));
    assert_eq!(found.len(), 1, "{begin}*{end}: {found:?}");
    text(&folder.join(&found[0]))
}

/// A first push of one file by an installed program.
fn assert_pushes(program: &Path) {
    let (source, dest, store) = (scratch(), scratch(), scratch());
    fs::write(source.path().join("app.js"), "app").or_fail();
    let [from, to, store] = [&source, &dest, &store].map(|folder| text(folder.path()));
    run(&text(program), &["push", "--store", &store, &from, &to]);
    assert_eq!(fs::read_to_string(dest.path().join("app.js")).or_fail(), "app");
}

/// What tarball and package have below their prefix.
fn assert_whole(tree: &Path, zsh: &str) {
    for path in [
        "share/man/man1/assetsync.1.gz",
        "share/man/man5/assetsync.toml.5.gz",
        "share/bash-completion/completions/assetsync",
        zsh,
        "share/fish/vendor_completions.d/assetsync.fish",
        "share/doc/assetsync/README.md",
    ] {
        let length = fs::metadata(tree.join(path)).or_fail().len();
        assert!(length > 0, "{path}");
    }
}

fn tarball(dist: &Path, room: &Path) -> PathBuf {
    let unpacked = room.join("unpacked");
    fs::create_dir(&unpacked).or_fail();
    let tarball = find(dist, "assetsync-", ".tar.gz");
    run("tar", &["-xzf", &tarball, "-C", &text(&unpacked), "--strip-components=1"]);
    assert_whole(&unpacked, "share/zsh/site-functions/_assetsync");
    let notices =
        fs::read_to_string(unpacked.join("share/doc/assetsync/THIRD-PARTY.txt")).or_fail();
    for named in ["openssl/LICENSE.txt", "libssh2/COPYING", "zstd/LICENSE", "serde ", "musl"] {
        assert!(notices.contains(named), "{named}");
    }
    unpacked.join("bin/assetsync")
}

fn package(dist: &Path, room: &Path) -> PathBuf {
    let (package, installed) = (find(dist, "assetsync_", ".deb"), room.join("installed"));
    run("dpkg-deb", &["-x", &package, &text(&installed)]);
    assert_whole(&installed.join("usr"), "share/zsh/vendor-completions/_assetsync");
    let fields = run("dpkg-deb", &["--field", &package]);
    assert!(fields.contains(&format!("Version: {VERSION}-1\n")), "{fields}");
    assert!(fields.contains("Depends: libc6 (>= "), "{fields}");
    let found = Command::new("lintian").arg(package).output().or_fail();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!(found, "", "lintian");
    installed.join("usr/bin/assetsync")
}

fn gem(dist: &Path, room: &Path) -> PathBuf {
    let gems = text(&room.join("gems"));
    let words = ["install", "--local", "--ignore-dependencies", "--no-document", "--install-dir"];
    run("gem", &[&words[..], &[&gems, &find(dist, "capistrano-", "-linux.gem")]].concat());
    let brought =
        "require 'capistrano/assetsync/program'; puts Capistrano::Assetsync::Program.default";
    let gem =
        format!("{gems}/gems/capistrano-assetsync-{VERSION}-{}-linux", std::env::consts::ARCH);
    let brought = run("ruby", &["-I", &format!("{gem}/lib"), "-e", brought]);
    assert!(brought.trim().ends_with("/libexec/assetsync"), "{brought}");
    assert_pushes(Path::new(brought.trim()));
    Path::new(&gem).join("exe/assetsync")
}

fn npm(dist: &Path, room: &Path) -> PathBuf {
    let project = room.join("npm");
    fs::create_dir(&project).or_fail();
    fs::write(project.join("package.json"), "{}").or_fail();
    let launcher = find(dist, &format!("assetsync-{VERSION}"), ".tgz");
    let platform = find(dist, "assetsync-linux-", ".tgz");
    run_in(&project, "npm", &["install", "--offline", "--no-audit", &platform, &launcher]);
    project.join("node_modules/.bin/assetsync")
}

fn wheel(dist: &Path, room: &Path) -> PathBuf {
    let environment = room.join("python");
    let wheel = find(dist, "assetsync-", ".whl");
    run("python3", &["-m", "venv", &text(&environment)]);
    run(&text(&environment.join("bin/pip")), &["install", "--no-index", &wheel]);
    environment.join("bin/assetsync")
}

#[test]
fn every_package_is_the_same_each_time_and_installs_a_program_that_pushes() {
    let room = scratch();
    let (dist, again) = (room.path().join("dist"), room.path().join("again"));
    pack(room.path(), [&dist, &again]);
    let (first, second) = (contents(&dist), contents(&again));
    assert!(first.keys().eq(second.keys()), "{:?} {:?}", first.keys(), second.keys());
    for (name, content) in &first {
        assert!(second[name] == *content, "{name} is the same each time");
    }
    run_in(&dist, "sha256sum", &["--check", "--strict", "SHA256SUMS"]);
    let sbom: serde_json::Value =
        serde_json::from_slice(&first[&format!("assetsync-{VERSION}.cdx.json")]).or_fail();
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    let purls =
        sbom["components"].as_array().expect("a list").iter().map(|part| part["purl"].to_string());
    assert!(purls.filter(|purl| purl.contains("cargo/openssl-src@")).count() == 1);
    for install in [tarball, package, gem, npm, wheel] {
        assert_pushes(&install(&dist, room.path()));
    }
}

/// The gem without a program runs the one on the PATH, and says what there is where there is none.
#[test]
fn the_gem_without_a_program_uses_the_one_on_the_path() {
    let lib = concat!(env!("CARGO_MANIFEST_DIR"), "/integrations/capistrano/lib");
    let default =
        "require 'capistrano/assetsync/program'; puts Capistrano::Assetsync::Program.default";
    assert_eq!(run("ruby", &["-I", lib, "-e", default]).trim(), "assetsync");
}

/// Programs are equal wherever they are built.
#[test]
fn a_program_with_a_path_of_the_machine_that_built_it_is_refused() {
    let room = scratch();
    let (program, target) = (room.path().join("program"), room.path().join("target"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/release");
    for (path, is_good) in [
        (text(&target.join("cross/openssl/lib/engines-3")), false),
        (concat!(env!("CARGO_MANIFEST_DIR"), "/src/main.rs").to_owned(), false),
        ("/usr/local/lib/engines-3".to_owned(), true),
        ("/assetsync/src/main.rs".to_owned(), true),
    ] {
        fs::write(&program, format!("\0{path}\0")).or_fail();
        let mut command = Command::new(script);
        command.arg("--no-paths").arg(&program).env("CARGO_TARGET_DIR", &target);
        let output = command.output().or_fail();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), is_good, "{path}: {stderr}");
        assert_eq!(stderr.contains("has a path of this machine in it"), !is_good, "{stderr}");
    }
}
