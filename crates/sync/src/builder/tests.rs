use std::fs;
use std::sync::Mutex;

use assetsync_ssh::Agents;

use super::*;
use crate::destination::Destination;
use crate::event::{Event, Monitor, NoMonitor};
use crate::placement::PlacementError;
use crate::scan::filter::{Filter, Rule};

/// A source, and a push of it to local destinations, where no agent can be started.
fn push(dir: &tempfile::TempDir, destinations: &[&str]) -> Push {
    let source = dir.path().join("source");
    fs::create_dir_all(source.join("inside")).unwrap();
    fs::write(source.join("app.js"), "app").unwrap();
    let push = Push::new(source).agents(Agents::default()).store(None);
    let at = |name: &&str| dir.path().join(name);
    destinations.iter().map(at).fold(push, |push, path| push.to(path).unwrap())
}

/// Panics at the first event of one destination, or before.
struct Panicking {
    destination: &'static str,
    finished: Mutex<Vec<String>>,
}

impl Interaction for Panicking {
    fn monitor<'i>(&'i self, destination: &'i Destination) -> Box<dyn Monitor + 'i> {
        assert!(!destination.label.ends_with(self.destination), "as the test wants it");
        Box::new(NoMonitor)
    }

    fn finished(&self, pushed: &Pushed) {
        self.finished.lock().unwrap().push(pushed.destination.label.clone());
    }
}

#[test]
fn a_panic_is_the_failure_of_its_destination_alone() {
    let dir = tempfile::tempdir().unwrap();
    let push = push(&dir, &["one", "two", "three"]);
    let interaction = Panicking { destination: "two", finished: Mutex::default() };
    let results = push.prepare().unwrap().run(&interaction);
    let labels: Vec<&str> = results.iter().map(|one| one.destination.label.as_str()).collect();
    assert!(labels.iter().zip(["one", "two", "three"]).all(|(label, end)| label.ends_with(end)));
    assert!(matches!(results[1].result, Err(PushError::Panicked)), "{results:?}");
    for other in [&results[0], &results[2]] {
        assert!(matches!(other.result, Err(PushError::Transport(_))), "{other:?}");
    }
    let mut finished = interaction.finished.into_inner().unwrap();
    finished.sort();
    let mut expected = labels;
    expected.sort_unstable();
    assert_eq!(finished, expected, "each destination is finished once");
}

/// Collects what is left out, by destination.
struct LeftOut(Mutex<Vec<String>>);

impl Monitor for &LeftOut {
    fn event(&self, event: Event<'_>) {
        if let Event::ScanNotice(left_out) = event {
            self.0.lock().unwrap().push(left_out.path.to_string());
        }
    }
}

impl Interaction for LeftOut {
    fn monitor<'i>(&'i self, _: &'i Destination) -> Box<dyn Monitor + 'i> {
        Box::new(self)
    }
}

#[test]
fn each_destination_is_told_what_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let push = push(&dir, &["one", "two"]);
    fs::create_dir(dir.path().join("source/.assetsync")).unwrap();
    let left_out = LeftOut(Mutex::default());
    push.prepare().unwrap().run(&left_out);
    assert_eq!(left_out.0.into_inner().unwrap(), [".assetsync", ".assetsync"]);
}

#[test]
fn destinations_that_would_harm_the_source_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let misplaced = |push: &Push| match push.prepare() {
        Err(PushError::Placement(error)) => Some(*error),
        _ => None,
    };
    let refused = |destinations: &[&str]| misplaced(&push(&dir, destinations));
    assert_eq!(refused(&["one", "two"]), None);
    assert!(matches!(refused(&["one", "two", "one"]), Some(PlacementError::Twice(_))));
    let same = refused(&["one", "source/inside/.."]);
    assert!(matches!(same, Some(PlacementError::IsSource(..))));
    let below = refused(&["source/inside/new"]);
    assert!(matches!(
        below,
        Some(PlacementError::InSource { inside, .. }) if inside.as_os_str() == "inside/new"
    ));
    assert_eq!(refused(&[""]), None, "nothing is deleted there");
    let above = push(&dir, &[""]).delete(true);
    assert!(matches!(misplaced(&above), Some(PlacementError::HoldsSource(..))));
    assert!(matches!(above.run(), Err(PushError::Placement(_))), "checked without being asked");
    let filter = Filter::parse([(Rule::Exclude, &b"/inside"[..])]).unwrap();
    let mut options = Options::default();
    options.policy.filter = filter;
    assert_eq!(misplaced(&push(&dir, &["source/inside/new"]).options(options)), None);
}

#[test]
fn the_same_host_and_directory_twice_is_refused_and_another_user_is_not() {
    let push = |second: &str| Push::new("x").to("web1:/srv/x").unwrap().to(second).unwrap();
    let is_twice = |second: &str| matches!(push(second).prepare(), Err(PushError::Placement(_)));
    assert!(is_twice("web1:/srv/x") && is_twice("web1:/srv/x/") && is_twice("web1:/srv//x"));
    assert!(
        !is_twice("deploy@web1:/srv/x") && !is_twice("web1:/srv/y") && !is_twice("web2:/srv/x")
    );
}

#[test]
fn a_store_that_cannot_be_opened_is_told_and_a_dry_run_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let dry = push(&dir, &["one"]).store(Some(path.clone())).dry_run(true);
    assert!(dry.prepare().unwrap().store.is_ok());
    assert!(!path.exists());
    fs::write(&path, "no directory").unwrap();
    let wet = push(&dir, &["one"]).store(Some(path));
    assert!(wet.prepare().unwrap().store.is_err());
}
