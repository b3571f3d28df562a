//! Staging everywhere, publishing later, pruning last.

use std::fs;
use std::time::{Duration, Instant};

use assetsync_core::protocol::FailureCode;
use assetsync_sync::{
    ConnectOptions, Decision, DeleteAt, Deletes, Filter, PushContext, PushError, Refusal, Rule,
    SourceEntry, Staged, Survey, stage,
};

use crate::support::{TestHost, WAIT_LIMIT, deleting, files};

const OLD: [(&str, &str); 3] = [("a.txt", "old a"), ("d/b.txt", "old b"), ("gone.txt", "gone")];
const NEW: [(&str, &str); 3] = [("a.txt", "new a"), ("c.txt", "new c"), ("d/b.txt", "old b")];

#[test]
fn what_is_staged_but_not_published_changes_nothing_and_serves_the_next_push() {
    let reference = TestHost::new();
    let old = reference.write("old", &OLD);
    let hosts = ["one", "two"];
    hosts.iter().for_each(|host| drop(reference.push(&old, host, None)));
    let before = hosts.map(|host| reference.stamps(host));
    let new = reference.write("new", &NEW);
    let decision = || deleting(&[("gone.txt", DeleteAt::Publishing)]);
    let staged = hosts.map(|host| reference.stage(&new, host, None, decision()));
    assert_eq!(hosts.map(|host| reference.stamps(host)), before);
    for staged in staged {
        assert_eq!((staged.report().files_sent, staged.report().deleted), (2, 1));
        staged.abandon();
    }
    assert_eq!(hosts.map(|host| reference.stamps(host)), before);
    for host in hosts {
        // The lock is free at once, and nothing has to travel again.
        let report = reference.push(&new, host, None);
        assert_eq!(report.files_sent, 0, "{:?}", report.recipes);
        assert_eq!(report.recipes["copy"].files, 2);
    }
}

#[test]
fn nothing_is_published_before_the_publish_message() {
    let reference = TestHost::new();
    let old = reference.write("old", &OLD);
    let hosts = ["one", "two"];
    hosts.iter().for_each(|host| drop(reference.push(&old, host, None)));
    let new = reference.write("new", &NEW);
    let decision = || deleting(&[("gone.txt", DeleteAt::Publishing)]);
    let staged = hosts.map(|host| reference.stage(&new, host, None, decision()));
    let live = staged.map(|staged| staged.publish().unwrap());
    assert_eq!(hosts.map(|host| reference.files(host)), [files(&NEW), files(&NEW)]);
    live.into_iter().for_each(|live| drop(live.end(false).unwrap()));
    // Finishing has freed the locks.
    hosts.iter().for_each(|host| assert!(reference.push(&new, host, None).plan.actions.is_empty()));
}

#[test]
fn a_deploy_holds_the_lock_from_staging_to_its_end() {
    let reference = TestHost::new();
    let new = reference.write("new", &NEW);
    let locked = || {
        let tried =
            reference.try_stage(&new, "host", &reference.connection(None), Decision::default());
        matches!(tried, Err(PushError::Agent(failure)) if failure.code == FailureCode::Locked)
    };
    let staged = reference.stage(&new, "host", None, Decision::default());
    assert!(locked());
    let live = staged.publish().unwrap();
    assert!(locked());
    live.end(true).unwrap();
    assert!(!locked());
}

#[test]
fn pruning_deletes_exactly_what_waited_for_it_and_then_nothing_is_left_to_do() {
    let reference = TestHost::new();
    let store = reference.store();
    let many = [
        ("a.txt", "old a"),
        ("d/b.txt", "old b"),
        ("gone.txt", "gone"),
        ("late/1.txt", "one"),
        ("late/2.txt", "two"),
        ("stays.txt", "stays"),
    ];
    reference.push(&reference.write("old", &many), "host", Some(&store));
    let new = reference.write("new", &NEW);
    let (now, later) = (DeleteAt::Publishing, DeleteAt::Pruning);
    let decision = || {
        // In no order; what does not stand, or is wanted, is passed over.
        deleting(&[
            ("late/2.txt", later),
            ("gone.txt", now),
            ("late", later),
            ("a.txt", now),
            ("never.txt", later),
            ("late/1.txt", later),
        ])
    };
    let staged = reference.stage(&new, "host", Some(&store), decision());
    assert_eq!((staged.report().deleted, staged.report().pruned), (1, 3));
    let live = staged.publish().unwrap();
    let mut expected = files(&NEW);
    expected.extend(files(&many[3..]));
    assert_eq!(reference.files("host"), expected);
    live.end(true).unwrap();
    expected.retain(|path, _| !path.starts_with("late"));
    assert_eq!(reference.files("host"), expected);
    assert!(!reference.at("host/late").exists());
    let again = reference.deploy(&new, "host", Some(&store), decision());
    assert_eq!((again.round_trips, again.plan.actions.len()), (1, 0));
    assert!(again.bytes_received < 250, "told anew: {} bytes", again.bytes_received);
    assert_eq!(again.agent_files_read, 0);
    assert_eq!(reference.notices.take(), Vec::<String>::new());
}

#[test]
fn without_pruning_what_waited_for_it_stays_and_is_remembered() {
    let reference = TestHost::new();
    let store = reference.store();
    reference.push(&reference.write("old", &OLD), "host", Some(&store));
    let new = reference.write("new", &NEW);
    let decision = deleting(&[("gone.txt", DeleteAt::Pruning)]);
    let staged = reference.stage(&new, "host", Some(&store), decision);
    staged.publish().unwrap().end(false).unwrap();
    assert_eq!(reference.files("host")["gone.txt"], "gone");
    let again = reference.deploy(&new, "host", Some(&store), Decision::default());
    assert_eq!((again.round_trips, again.plan.actions.len()), (1, 0));
    assert!(again.bytes_received < 250, "told anew: {} bytes", again.bytes_received);
}

#[test]
fn what_a_filter_protects_is_never_deleted() {
    let mut reference = TestHost::new();
    reference.push(&reference.write("old", &OLD), "host", None);
    reference.options.policy.filter = Filter::parse([(Rule::Exclude, &b"gone.txt"[..])]).unwrap();
    let new = reference.write("new", &NEW);
    reference.deploy(&new, "host", None, deleting(&[("gone.txt", DeleteAt::Pruning)]));
    let extraneous = Decision { deletes: Deletes::Extraneous, ..Decision::default() };
    reference.deploy(&new, "host", None, extraneous);
    assert_eq!(reference.files("host")["gone.txt"], "gone");
}

#[test]
fn ticks_keep_an_agent_waiting_beyond_its_timeout() {
    let reference = TestHost::new();
    let new = reference.write("new", &NEW);
    let timeout = Duration::from_secs(5);
    let connection = ConnectOptions { timeout, ..reference.connection(None) };
    let mut staged = reference.try_stage(&new, "host", &connection, Decision::default()).unwrap();
    let hold = |keep_alive: &mut dyn FnMut() -> Result<(), PushError>| {
        // The passing of time is what is tested.
        let until = Instant::now() + timeout + timeout / 2;
        while Instant::now() < until {
            keep_alive().unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    hold(&mut || staged.keep_alive());
    let mut live = staged.publish().unwrap();
    hold(&mut || live.keep_alive());
    live.end(true).unwrap();
    assert_eq!(reference.files("host"), files(&NEW));
}

#[test]
fn an_agent_without_keep_alive_ends_and_the_next_one_reports_it() {
    let reference = TestHost::new();
    let new = reference.write("new", &NEW);
    let connection =
        ConnectOptions { timeout: Duration::from_secs(5), ..reference.connection(None) };
    let mut staged = reference.try_stage(&new, "host", &connection, Decision::default()).unwrap();
    let until = Instant::now() + WAIT_LIMIT;
    // It has ended when its lock is free.
    while let Err(error) =
        reference.try_stage(&new, "host", &reference.connection(None), Decision::default())
    {
        assert!(Instant::now() < until, "{error}");
    }
    assert!(staged.keep_alive().is_err());
    assert!(staged.publish().is_err());
}

#[test]
fn a_killed_agent_is_noticed_by_a_tick() {
    let reference = TestHost::new();
    let new = reference.write("new", &NEW);
    let mut staged = reference.stage(&new, "host", None, Decision::default());
    staged.keep_alive().unwrap();
    let lock = fs::read_to_string(reference.at(".assetsync-host/lock")).unwrap();
    let (_, process) = lock.split_once("process ").unwrap();
    let killed = std::process::Command::new("kill").args(["-9", process]).status().unwrap();
    assert!(killed.success());
    let until = Instant::now() + WAIT_LIMIT;
    let error = loop {
        if let Err(error) = staged.keep_alive() {
            break error;
        }
        assert!(Instant::now() < until, "nobody notices");
    };
    assert!(matches!(error, PushError::Closed(_)), "{error:?}");
}

#[test]
fn a_dry_run_shows_the_plan_and_is_never_published() {
    let reference = TestHost::new();
    let new = reference.write("new", &NEW);
    let connection = ConnectOptions { dry_run: true, ..reference.connection(None) };
    let staged = reference.try_stage(&new, "host", &connection, Decision::default()).unwrap();
    assert_eq!(staged.report().plan.actions.len(), 4);
    assert!(matches!(staged.publish(), Err(PushError::DryRun)));
    assert!(!reference.at("host").exists() && !reference.at(".assetsync-host").exists());
}

#[test]
fn who_decides_can_refuse() {
    let reference = TestHost::new();
    reference.push(&reference.write("old", &OLD), "host", None);
    let before = reference.stamps("host");
    let new = reference.write("new", &NEW);
    let (target, connection) = (reference.target("host"), reference.connection(None));
    let decide = |survey: &Survey, wanted: &[SourceEntry]| {
        Err(format!("{} stand, {} wanted", survey.state.entries.len(), wanted.len()).into())
    };
    let refused = stage(&PushContext {
        source: &new,
        target: &target,
        connection: &connection,
        options: &reference.options,
        decide: Some(&decide),
        monitor: &reference.notices,
    });
    assert_eq!(refused.err().unwrap().to_string(), "4 stand, 4 wanted");
    assert_eq!(reference.stamps("host"), before);
}

#[test]
fn limits_on_deletes_hold_for_what_waits_for_pruning_too() {
    let mut reference = TestHost::new();
    reference.push(&reference.write("old", &OLD), "host", None);
    let late = || deleting(&[("a.txt", DeleteAt::Pruning), ("gone.txt", DeleteAt::Publishing)]);
    let empty = reference.write("empty", &[]);
    let connection = reference.connection(None);
    let refused = reference.try_stage(&empty, "host", &connection, late()).err().unwrap();
    assert!(matches!(refused, PushError::EmptySource(_)), "{refused}");
    reference.options.allow_empty = true;
    reference.options.max_delete = Some(1);
    let connection = reference.connection(None);
    let refused = reference.try_stage(&empty, "host", &connection, late()).err().unwrap();
    let limit = Refusal::TooMany { planned: 2, allowed: 1 };
    assert!(matches!(&refused, PushError::Refused(said) if *said == limit), "{refused}");
}

#[test]
fn hosts_can_be_held_in_threads() {
    fn is_send<T: Send>() {}
    is_send::<Staged<'_>>();
    is_send::<assetsync_sync::Live<'_>>();
    let reference = TestHost::new();
    let new = reference.write("new", &NEW);
    std::thread::scope(|scope| {
        for host in ["one", "two", "three"] {
            let staged = reference.stage(&new, host, None, Decision::default());
            scope.spawn(move || staged.publish().unwrap().end(true).unwrap());
        }
    });
    for host in ["one", "two", "three"] {
        assert_eq!(reference.files(host), files(&NEW));
    }
}
