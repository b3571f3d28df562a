//! What the places on the command line are taken for, and what is refused because it is hardly
//! meant: exit 2, nothing changed, and the message says what to type.

use std::fs;
use std::path::{Path, PathBuf};

use assetsync_testbed::tree::snapshot;
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, assert_equal, assert_untouched, scratch, text};

/// A folder to type commands in.
struct Folder {
    machine: Machine,
    room: TempDir,
}

impl Folder {
    /// `public` holds two directories and a page; `other` holds a file.
    fn new() -> Folder {
        let folder = Folder { machine: Machine::new(), room: scratch() };
        for file in ["public/assets/app.js", "public/images/logo.png", "public/index.html"] {
            folder.write(file);
        }
        folder.write("other/precious.txt");
        folder
    }

    fn path(&self) -> &Path {
        self.room.path()
    }

    fn write(&self, name: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(self.path())).or_fail();
        fs::write(path, name).or_fail();
    }

    /// Runs `assetsync push` here, with what a shell makes of the words.
    fn push<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> Ran {
        let mut command = self.machine.command(["push"].into_iter().chain(words));
        Ran(command.current_dir(self.path()).output().or_fail())
    }

    /// Each line is refused, with all of these parts of its message, and changes nothing.
    #[track_caller]
    fn refuses(&self, rows: &[(&str, &[&str])]) {
        let before = snapshot(self.path()).or_fail();
        for (line, parts) in rows {
            let ran = self.push(line.split_whitespace());
            let said = ran.stderr();
            assert_eq!((ran.code(), ran.stdout().as_str()), (Some(2), ""), "{line}: {said}");
            for part in *parts {
                assert!(said.contains(part), "{line}: {part:?} is not in\n{said}");
            }
            assert_untouched(&before, self.path());
        }
    }

    #[track_caller]
    fn pushes(&self, line: &str) {
        let ran = self.push(line.split_whitespace());
        assert_eq!(ran.code(), Some(0), "{line}: {}", ran.stderr());
    }
}

#[test]
fn several_sources_as_rsync_takes_them_are_refused() {
    Folder::new().refuses(&[
        (
            "-av --delete public/assets public/images public/index.html far:/srv/x",
            &[
                "Only one SRC is allowed, here public/assets",
                "public/images and public/index.html are read as DEST",
                "assetsync push -n --delete public far:/srv/x",
                "assetsync push public/assets far:/srv/x/assets",
            ],
        ),
        ("public/assets other far:x", &["other is read as DEST", "far:x/assets"]),
        ("public/ other/ web1:/x web2:/x", &["here public/;", "other/ is read as DEST"]),
        (
            "public/assets other new",
            &["assetsync push public/assets other, and so on", "push public/assets new/assets"],
        ),
        ("public far:/srv ./other", &["./other is read", "assetsync push public ./other"]),
        ("public other far:/srv new", &["other and new are read", "one after the other"]),
        ("public public far:/srv", &["public is read"]),
        ("public/assets other other", &["other and other are read"]),
    ]);
}

#[test]
fn the_words_of_a_commands_advice_survive_a_shell() {
    let folder = Folder::new();
    folder.write("a b/c/d.js");
    let ran = folder.push(["a b/c", "a b/e", "far:/srv/x y"]);
    assert_eq!(ran.code(), Some(2));
    let said = ran.stderr();
    assert!(said.contains("assetsync push -n 'a b' 'far:/srv/x y'"), "{said}");
    assert!(said.contains("assetsync push 'a b/c' 'far:/srv/x y/c'"), "{said}");
}

#[test]
fn a_pattern_that_a_shell_expands_to_hundreds_is_told_briefly() {
    let folder = Folder::new();
    let names: Vec<String> = (0..400).map(|number| format!("public/{number:03}")).collect();
    let words = names.iter().map(String::as_str).chain(["--delete", "far:/srv/x"]);
    let ran = folder.push(words);
    assert_eq!(ran.code(), Some(2));
    let said = ran.stderr();
    assert!(said.contains("public/001, public/002, public/003 and 396 more are read"), "{said}");
    assert!(said.len() < 600, "{said}");
}

#[test]
fn options_for_hosts_tell_of_a_forgotten_colon() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("there")).or_fail();
    for option in [
        "-F cfg",
        "-i key",
        "-p 22",
        "-e ssh",
        "--transport openssh",
        "--timeout 30",
        "--bwlimit 1M",
    ] {
        folder.refuses(&[
            (&format!("{option} public web1"), &["is for hosts", "web1:PATH", "no colon"]),
            (&format!("{option} public web1/srv/www"), &["to push to a host: web1:/srv/www"]),
            (&format!("{option} public there"), &["there:PATH", "omit --"]),
            (&format!("{option} public ../x"), &["a host is written [user@]host:path"]),
        ]);
    }
}

#[test]
fn what_looks_like_a_host_without_a_colon_is_no_new_directory() {
    let folder = Folder::new();
    folder.refuses(&[
        ("public deploy@web1", &["to push to a host: deploy@web1:PATH", "./deploy@web1"]),
        ("public deploy@web1/srv/www", &["deploy@web1:/srv/www"]),
        ("public 10.0.0.7/srv", &["10.0.0.7:/srv"]),
    ]);
    folder.pushes("public ./deploy@web1");
    folder.pushes("public deploy@web1");
    assert_equal(&folder.path().join("public"), &folder.path().join("deploy@web1"));
}

#[test]
fn a_source_on_a_host_is_refused() {
    let folder = Folder::new();
    folder.refuses(&[
        (
            "far:/srv/x public/assets",
            &[
                "SRC far:/srv/x is on the host far",
                "assetsync push public/assets far:/srv/x",
                "use rsync",
            ],
        ),
        ("ssh://me@far/srv public", &["the host far;", "never pulls"]),
        ("far:srv", &["DEST is missing, and far:srv is not a stage"]),
    ]);
    // A directory that is here is one, whatever its name.
    folder.write("rel:1/app.js");
    folder.pushes("rel:1 out");
    assert_equal(&folder.path().join("rel:1"), &folder.path().join("out"));
}

#[test]
fn paths_of_windows_are_no_hosts() {
    Folder::new().refuses(&[
        (r"C:\build\assets web1:/srv", &["never pulls", "/mnt/c in WSL"]),
        ("C:buildassets web1:/srv", &["/mnt/c in WSL"]),
        (r"public C:\www", &[r"DEST C:\\www is a Windows path", "/mnt/c in WSL"]),
    ]);
}

#[test]
fn a_destination_that_is_or_is_in_the_source_is_refused() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("public", folder.path().join("link")).or_fail();
    folder.refuses(&[
        ("public public", &["are the same directory"]),
        ("public/ ./public", &["are the same directory"]),
        ("public link", &["are the same directory"]),
        ("public public/out/here", &["is inside SRC public", "--exclude /out/here"]),
        (". out", &["is inside SRC .", "--exclude /out"]),
        ("--delete public/assets public", &["--delete would delete the source"]),
    ]);
    folder.pushes("--exclude /out . out");
    assert!(!folder.path().join("out/out").exists());
    folder.pushes("public/assets .");
    assert!(folder.path().join("app.js").exists());
}

/// The settings need not be complete: it is only about names.
const STAGES: &str = "[stages.production]\nhosts = [\"web1\"]\n";

#[test]
fn names_of_stages_are_no_directories() {
    let folder = Folder::new();
    fs::write(folder.path().join("assetsync.toml"), STAGES).or_fail();
    folder.refuses(&[
        ("production public/assets", &["production is a stage", "assetsync push production"]),
        ("production web1:/srv", &["production is a stage", "DEST can't be given"]),
        ("public production", &["there is no directory production", "./production"]),
        ("public", &["DEST is missing, and public is not a stage"]),
        ("--delete production", &["--delete can't be used with a stage"]),
    ]);
    fs::create_dir(folder.path().join("production")).or_fail();
    folder.pushes("public production");
    assert_equal(&folder.path().join("public"), &folder.path().join("production"));
}

/// rsync's `-i` takes no value; here the word after it would be a key.
#[test]
fn a_directory_is_no_private_key() {
    Folder::new().refuses(&[(
        "-avi public other far:/srv",
        &["-i takes a file, but public is a directory", "--itemize-changes"],
    )]);
}

#[test]
fn races_take_options_for_hosts_only_with_a_host() {
    let folder = Folder::new();
    for option in [["-i", "key"], ["-p", "22"], ["-F", "config"]] {
        let (old, new): (PathBuf, PathBuf) = (folder.path().join("public"), "other".into());
        let line = ["bench", option[0], option[1], &text(&old), &text(&new)];
        let ran = folder.machine.run(line);
        assert_eq!(ran.code(), Some(2), "{option:?}: {}", ran.stderr());
        assert!(ran.stderr().contains("--to <DEST>"), "{option:?}: {}", ran.stderr());
    }
}
