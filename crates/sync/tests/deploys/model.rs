//! Pushes, kills, other writers, earlier versions and options in any order, compared with a model:
//! a map of paths to contents.

use std::collections::BTreeMap;
use std::fs;

use assetsync_sync::internals::push;
use assetsync_sync::{ConnectOptions, PushError, Report};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::TestHost;

type Files = BTreeMap<String, String>;

const PATHS: [&str; 6] = ["a.js", "b.css", "d/a.js", "d/e/c.txt", "f.html", "g-3f2a91c0.js"];

/// System calls of an agent at which it is killed.
const CALLS: [&str; 8] =
    ["write", "openat", "mkdirat", "renameat2", "unlinkat", "utimensat", "fsync", "syncfs"];

/// The options of a push.
#[derive(Debug, Clone, Copy)]
struct Choice {
    delete: bool,
    whole_directory: bool,
    checksum: bool,
    has_store: bool,
}

#[derive(Debug, Clone)]
enum Step {
    /// A path of the source gets a content, or goes.
    Edit(usize, Option<u8>),
    /// The same at the destination, by somebody else.
    Other(usize, Option<u8>),
    Push(Choice),
    /// The agent is killed at its `nth` call of a kind, if it makes so many.
    Kill(Choice, usize, u32),
    /// The source is again as it was some pushes ago.
    Back(usize),
}

fn choice() -> impl Strategy<Value = Choice> {
    any::<[bool; 4]>().prop_map(|[delete, whole_directory, checksum, has_store]| Choice {
        delete,
        whole_directory,
        checksum,
        has_store,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let change = || (0..PATHS.len(), prop::option::weighted(0.8, any::<u8>()));
    prop_oneof![
        6 => change().prop_map(|(path, content)| Step::Edit(path, content)),
        2 => change().prop_map(|(path, content)| Step::Other(path, content)),
        4 => choice().prop_map(Step::Push),
        3 => (choice(), 0..CALLS.len(), 1..24_u32)
            .prop_map(|(choice, call, nth)| Step::Kill(choice, call, nth)),
        1 => (0..4_usize).prop_map(Step::Back),
    ]
}

/// Many have the same size.
fn content(number: u8) -> String {
    format!("{number:03} of many words; ").repeat(1 + usize::from(number % 4) * 300)
}

/// A destination, its source, and what they should be.
struct World {
    host: TestHost,
    source: Files,
    model: Files,
    pushed: Vec<Files>,
}

impl World {
    fn new() -> World {
        let host = TestHost::new();
        for dir in ["src", "host"] {
            fs::create_dir(host.at(dir)).unwrap();
        }
        World { host, source: Files::new(), model: Files::new(), pushed: Vec::new() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Edit(path, number) => self.edit(PATHS[path], number.map(content)),
            Step::Back(ago) => self.back(ago),
            Step::Other(path, number) => {
                let content = number.map(content);
                write(&self.host, "host", PATHS[path], content.as_deref());
                set(&mut self.model, PATHS[path], content);
            }
            Step::Push(choice) => {
                self.push(choice).unwrap();
                self.model = self.expected(choice.delete);
                self.pushed.push(self.source.clone());
            }
            Step::Kill(choice, call, nth) => self.kill(choice, CALLS[call], nth),
        }
        assert_eq!(self.host.files("host"), self.model);
    }

    fn edit(&mut self, path: &str, content: Option<String>) {
        write(&self.host, "src", path, content.as_deref());
        set(&mut self.source, path, content);
    }

    fn back(&mut self, ago: usize) {
        let Some(files) = self.pushed.iter().nth_back(ago).cloned() else { return };
        for path in PATHS {
            self.edit(path, files.get(path).cloned());
        }
    }

    fn push(&mut self, choice: Choice) -> Result<Report, PushError> {
        let Choice { delete, whole_directory, checksum, has_store } = choice;
        let host = &mut self.host;
        host.options.policy.delete = delete;
        host.options.whole_directory = whole_directory;
        (host.options.max_delete, host.options.allow_empty) = (Some(u64::MAX), true);
        let (source, store) = (host.scan("src"), has_store.then(|| host.store()));
        let connection = ConnectOptions { checksum, ..host.connection(store.as_ref()) };
        push(&source, &host.target("host"), &connection, &host.options, &host.notices)
    }

    /// What a push leads to.
    fn expected(&self, delete: bool) -> Files {
        let kept = if delete { Files::new() } else { self.model.clone() };
        kept.into_iter().chain(self.source.clone()).collect()
    }

    /// Whatever a killed agent did, every path is old or new, and of a whole directory all are.
    fn kill(&mut self, choice: Choice, call: &str, nth: u32) {
        let inject = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        let log = self.host.at("log");
        self.host.trace(&format!("strace -f -qq -o '{}' {inject}", log.display()));
        let pushed = self.push(choice);
        self.host.trace("");
        let (new, now) = (self.expected(choice.delete), self.host.files("host"));
        match pushed {
            Ok(_) => assert_eq!(now, new),
            Err(_) if choice.whole_directory => assert!(now == new || now == self.model, "{now:?}"),
            Err(_) => assert_mixed(&now, &self.model, &new),
        }
        self.model = now;
    }
}

fn assert_mixed(now: &Files, old: &Files, new: &Files) {
    for path in PATHS {
        let (now, old, new) = (now.get(path), old.get(path), new.get(path));
        assert!(now == old || now == new, "{path}: {now:?}, which was {old:?} and becomes {new:?}");
    }
}

fn set(files: &mut Files, path: &str, content: Option<String>) {
    match content {
        Some(content) => drop(files.insert(path.to_owned(), content)),
        None => drop(files.remove(path)),
    }
}

fn write(host: &TestHost, tree: &str, path: &str, content: Option<&str>) {
    let path = host.at(tree).join(path);
    match content {
        None => drop(fs::remove_file(path)),
        Some(content) => {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

proptest! {
    // The same courses in every run; those that failed once are in the file of regressions.
    #![proptest_config(ProptestConfig {
        cases: 40,
        max_shrink_iters: 200,
        rng_seed: RngSeed::Fixed(74),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_course_of_events_ends_as_the_model_does(steps in prop::collection::vec(step(), 4..24)) {
        let strace = std::process::Command::new("strace").arg("-V").output();
        assert!(strace.is_ok(), "this test needs strace; install the package strace");
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.take(step));
        let whole = Choice { delete: true, whole_directory: false, checksum: false, has_store: true };
        world.take(Step::Push(whole));
        assert_eq!(world.model, world.source);
    }
}
