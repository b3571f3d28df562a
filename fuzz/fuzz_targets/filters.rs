//! Filter rules, and paths that they decide about.

#![no_main]

use assetsync_sync::internals::{is_covered, is_included};
use assetsync_sync::{Filter, Rule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<(bool, &[u8])>, &[u8])| {
    let (rules, path) = input;
    let rules = rules
        .into_iter()
        .map(|(includes, text)| (if includes { Rule::Include } else { Rule::Exclude }, text));
    let Ok(filter) = Filter::parse(rules) else { return };
    for is_dir in [false, true] {
        is_included(&filter, path, is_dir);
    }
    is_covered(&filter, path);
});
