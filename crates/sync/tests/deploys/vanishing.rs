//! A store that loses what it had in the middle of a push.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use assetsync_sync::internals::push;
use assetsync_sync::{Event, Monitor};

use crate::support::TestHost;

/// Takes all packs of the store away once the plan is made of them, and hears what is said then.
struct Thief {
    packs: PathBuf,
    heard: Mutex<Vec<String>>,
}

impl Monitor for Thief {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Planned { .. } => {
                for pack in fs::read_dir(&self.packs).unwrap() {
                    fs::File::create(pack.unwrap().path()).unwrap();
                }
            }
            Event::Notice(text) => self.heard.lock().unwrap().push(text.to_owned()),
            _ => {}
        }
    }
}

#[test]
fn what_vanishes_from_the_store_costs_bytes_only() {
    let reference = TestHost::new();
    let store = reference.store();
    // What is new is compared with what stood near it: a patch with a prefix.
    let old: String = (0..20_000).map(|line| format!("line {line} of the old build\n")).collect();
    let new = (5_000..5_400).fold(old.clone(), |text, line| {
        text.replace(&format!("line {line} of the old"), &format!("line {line} of the newest"))
    });
    let source = reference.write("old", &[("app.js", &old)]);
    reference.push(&source, "host", Some(&store));
    let source = reference.write("new", &[("app.js", &new)]);
    let thief = Thief { packs: reference.at("store/packs"), heard: Mutex::default() };
    let connection = reference.connection(Some(&store));
    let pushed = push(&source, &reference.target("host"), &connection, &reference.options, &thief);
    let report = pushed.unwrap();
    assert_eq!(reference.files("host")["app.js"], new);
    let heard = thief.heard.into_inner().unwrap();
    assert_eq!(
        heard,
        [
            "Something that this push needs was removed from the store meanwhile; pushing again without the store"
        ]
    );
    assert!(!report.recipes.contains_key("patch"), "{:?}", report.recipes);
}
