//! Hosts with a real agent behind a remote shell, and what is deployed to them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_ssh::{Agents, NoPrompt, SshOptions, Target};
use assetsync_sync::internals::push;
use assetsync_sync::{
    ConnectOptions, Decision, DeleteAt, Deletes, Event, HistoryEdit, Monitor, Options, Policy,
    PushContext, PushError, Report, Source, SourceEntry, Staged, Store, Survey, stage, survey,
};

/// After so long without an end, something hangs.
pub const WAIT_LIMIT: Duration = Duration::from_secs(300);

/// Agents, hosts and a sender, all on this machine.
pub struct TestHost {
    dir: tempfile::TempDir,
    agents: Agents,
    ssh: SshOptions,
    pub options: Options,
    pub notices: Notices,
}

impl TestHost {
    pub fn new() -> TestHost {
        // In memory if possible: every publishing syncs the file system.
        let shared = Path::new("/dev/shm");
        TestHost::new_in(
            if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() }.as_path(),
        )
    }

    pub fn new_in(place: &Path) -> TestHost {
        let dir = tempfile::tempdir_in(place).unwrap();
        let rsh = Some(dir.path().join("shell").display().to_string());
        let ssh = SshOptions { rsh, ..SshOptions::default() };
        let (agents, options) = (Agents::default(), Options::default());
        fs::create_dir(dir.path().join("nothing")).unwrap();
        let reference = TestHost { dir, agents, ssh, options, notices: Notices::default() };
        reference.trace("");
        reference
    }

    /// Has agents run by these words: a program that runs another, with its options, or nothing.
    pub fn trace(&self, words: &str) {
        let this = std::env::current_exe().unwrap();
        self.run(&format!(
            "export ASSETSYNC_TEST_NONCE=$1\n\
             exec {words} '{}' --exact agent_process --nocapture --quiet",
            this.display()
        ));
    }

    /// Has these lines of shell, for which `$1` is the nonce, run on every host.
    fn run(&self, lines: &str) {
        // Written beside and renamed: one that is open for writing can't be run.
        let new = self.at("shell.new");
        fs::write(&new, format!("#!/bin/sh\nset -- ${{2#*\"' sh \"}}\n{lines}\n")).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&new, self.at("shell")).unwrap();
    }

    /// Has all hosts say `script`, whatever they hear.
    pub fn pretend(&self, script: &[u8]) {
        let said = self.at("said");
        fs::write(&said, script).unwrap();
        let said = said.display();
        self.run(&format!("echo \"assetsync:$1:ready\"; cat '{said}'; cat > /dev/null"));
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn connection<'a>(&'a self, store: Option<&'a Store>) -> ConnectOptions<'a> {
        ConnectOptions {
            agents: &self.agents,
            ssh: &self.ssh,
            prompt: &NoPrompt,
            timeout: WAIT_LIMIT,
            bytes_per_second: None,
            dry_run: false,
            checksum: false,
            store,
            group: None,
            run: None,
        }
    }

    pub fn target(&self, host: &str) -> Target {
        Target::parse(format!("fake:{}", self.at(host).display()).as_ref()).unwrap()
    }

    pub fn store(&self) -> Store {
        Store::open(&self.at("store")).unwrap()
    }

    /// Writes a tree anew.
    pub fn write(&self, name: &str, files: &[(&str, &str)]) -> Source {
        let _ = fs::remove_dir_all(self.at(name));
        fs::create_dir(self.at(name)).unwrap();
        for (path, content) in files {
            let path = self.at(name).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        self.scan(name)
    }

    pub fn scan(&self, name: &str) -> Source {
        Source::scan(&self.at(name), &Policy::default()).unwrap()
    }

    pub fn push(&self, source: &Source, host: &str, store: Option<&Store>) -> Report {
        let connection = self.connection(store);
        push(source, &self.target(host), &connection, &self.options, &self.notices).unwrap()
    }

    pub fn stage<'a>(
        &'a self,
        source: &'a Source,
        host: &str,
        store: Option<&'a Store>,
        decision: Decision,
    ) -> Staged<'a> {
        self.try_stage(source, host, &self.connection(store), decision).unwrap()
    }

    pub fn try_stage<'a>(
        &'a self,
        source: &'a Source,
        host: &str,
        connection: &ConnectOptions<'a>,
        decision: Decision,
    ) -> Result<Staged<'a>, PushError> {
        let decide = |_: &Survey, _: &[SourceEntry]| Ok(decision.clone());
        stage(&PushContext {
            source,
            target: &self.target(host),
            connection,
            options: &self.options,
            decide: Some(&decide),
            monitor: &self.notices,
        })
    }

    /// Stages, publishes and prunes.
    pub fn deploy(
        &self,
        source: &Source,
        host: &str,
        store: Option<&Store>,
        decision: Decision,
    ) -> Report {
        self.stage(source, host, store, decision).publish().unwrap().end(true).unwrap()
    }

    pub fn survey(&self, host: &str, store: Option<&Store>) -> Survey {
        survey(&self.target(host), &self.connection(store), &self.notices).unwrap()
    }

    /// All files of a host, by path.
    pub fn files(&self, host: &str) -> BTreeMap<String, String> {
        let read = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        self.paths(host).iter().map(|(name, path)| (name.clone(), read(path))).collect()
    }

    /// What would show that a file of a host was touched: its inode, and times in nanoseconds.
    pub fn stamps(&self, host: &str) -> BTreeMap<String, (u64, i64, i64, i64)> {
        let stamp = |path: &PathBuf| {
            let meta = fs::symlink_metadata(path).unwrap();
            (meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.ctime_nsec())
        };
        self.paths(host).iter().map(|(name, path)| (name.clone(), stamp(path))).collect()
    }

    fn paths(&self, host: &str) -> BTreeMap<String, PathBuf> {
        let (root, mut found) = (self.at(host), BTreeMap::new());
        let mut left = vec![root.clone()];
        while let Some(dir) = left.pop() {
            for item in fs::read_dir(dir).unwrap() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, path);
                }
            }
        }
        found
    }

    /// The names in a directory, sorted; none if it is not there.
    pub fn names(&self, dir: &str) -> Vec<String> {
        let Ok(items) = fs::read_dir(self.at(dir)) else { return Vec::new() };
        let mut names: Vec<String> =
            items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Hears what users would.
#[derive(Default)]
pub struct Notices(Mutex<Vec<String>>);

impl Notices {
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Monitor for Notices {
    fn event(&self, event: Event<'_>) {
        if let Event::Notice(text) = event {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
}

pub fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).unwrap()
}

/// Deletes these paths, at their times.
pub fn deleting(paths: &[(&str, DeleteAt)]) -> Decision {
    let these = paths.iter().map(|(text, when)| (path(text), *when)).collect();
    Decision { deletes: Deletes::Listed(these), ..Decision::default() }
}

/// Sets aside what stands at a path.
pub fn setting_aside(text: &str, content: &str) -> Decision {
    let to_retain = vec![(path(text), Digest::of(content.as_bytes()))];
    Decision { to_retain, ..Decision::default() }
}

/// Goes on with a history.
pub fn writing(keep: u64, append: &[u8]) -> Decision {
    let edit = HistoryEdit { keep, append: append.to_vec() };
    Decision { history: Some(edit), ..Decision::default() }
}

/// Owned files, for comparing.
pub fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

/// Bytes that don't compress, the same in every run.
pub fn noise(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}
