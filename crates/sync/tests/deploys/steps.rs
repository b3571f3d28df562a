//! Staging everywhere, publishing later, pruning last.

use std::fs;
use std::time::{Duration, Instant};

use assetsync_sync::compare::SourceEntry;
use assetsync_sync::filter::{Filter, Rule};
use assetsync_sync::proto::FailureCode;
use assetsync_sync::sender::{
    Connection, Decide, Decision, Deletes, PushError, Refusal, Staged, Survey, When, stage,
};

use crate::support::{Ground, PATIENCE, deleting, files};

const OLD: [(&str, &str); 3] = [("a.txt", "old a"), ("d/b.txt", "old b"), ("gone.txt", "gone")];
const NEW: [(&str, &str); 3] = [("a.txt", "new a"), ("c.txt", "new c"), ("d/b.txt", "old b")];

#[test]
fn what_is_staged_but_not_published_changes_nothing_and_serves_the_next_push() {
    let ground = Ground::new();
    let old = ground.write("old", &OLD);
    let hosts = ["one", "two"];
    hosts.iter().for_each(|host| drop(ground.push(&old, host, None)));
    let before = hosts.map(|host| ground.stamps(host));
    let new = ground.write("new", &NEW);
    let decision = || deleting(&[("gone.txt", When::Publishing)]);
    let staged = hosts.map(|host| ground.stage(&new, host, None, decision()));
    assert_eq!(hosts.map(|host| ground.stamps(host)), before);
    for staged in staged {
        assert_eq!((staged.report().files_sent, staged.report().deleted), (2, 1));
        staged.abandon();
    }
    assert_eq!(hosts.map(|host| ground.stamps(host)), before);
    for host in hosts {
        // The lock is free at once, and nothing has to travel again.
        let report = ground.push(&new, host, None);
        assert_eq!(report.files_sent, 0, "{:?}", report.recipes);
        assert_eq!(report.recipes["copy"].files, 2);
    }
}

#[test]
fn publishing_comes_when_it_is_said() {
    let ground = Ground::new();
    let old = ground.write("old", &OLD);
    let hosts = ["one", "two"];
    hosts.iter().for_each(|host| drop(ground.push(&old, host, None)));
    let new = ground.write("new", &NEW);
    let decision = || deleting(&[("gone.txt", When::Publishing)]);
    let staged = hosts.map(|host| ground.stage(&new, host, None, decision()));
    let live = staged.map(|staged| staged.publish().unwrap());
    assert_eq!(hosts.map(|host| ground.files(host)), [files(&NEW), files(&NEW)]);
    live.into_iter().for_each(|live| drop(live.finish().unwrap()));
    // Finishing has freed the locks.
    hosts.iter().for_each(|host| assert!(ground.push(&new, host, None).plan.actions.is_empty()));
}

#[test]
fn a_deploy_holds_the_lock_from_staging_to_its_end() {
    let ground = Ground::new();
    let new = ground.write("new", &NEW);
    let locked = || {
        let tried = ground.try_stage(&new, "host", &ground.connection(None), Decision::default());
        matches!(tried, Err(PushError::Agent(failure)) if failure.code == FailureCode::Locked)
    };
    let staged = ground.stage(&new, "host", None, Decision::default());
    assert!(locked());
    let live = staged.publish().unwrap();
    assert!(locked());
    live.prune().unwrap();
    assert!(!locked());
}

#[test]
fn pruning_deletes_exactly_what_waited_for_it_and_then_nothing_is_left_to_do() {
    let ground = Ground::new();
    let store = ground.store();
    let many = [
        ("a.txt", "old a"),
        ("d/b.txt", "old b"),
        ("gone.txt", "gone"),
        ("late/1.txt", "one"),
        ("late/2.txt", "two"),
        ("stays.txt", "stays"),
    ];
    ground.push(&ground.write("old", &many), "host", Some(&store));
    let new = ground.write("new", &NEW);
    let (now, later) = (When::Publishing, When::Pruning);
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
    let live = ground.stage(&new, "host", Some(&store), decision()).publish().unwrap();
    assert_eq!((live.report().deleted, live.report().pruned), (1, 3));
    let mut expected = files(&NEW);
    expected.extend(files(&many[3..]));
    assert_eq!(ground.files("host"), expected);
    live.prune().unwrap();
    expected.retain(|path, _| !path.starts_with("late"));
    assert_eq!(ground.files("host"), expected);
    assert!(!ground.at("host/late").exists());
    let again = ground.deploy(&new, "host", Some(&store), decision());
    assert_eq!((again.round_trips, again.plan.actions.len()), (1, 0));
    assert!(again.bytes_received < 250, "told anew: {} bytes", again.bytes_received);
    assert_eq!(again.agent_files_read, 0);
    assert_eq!(ground.notices.take(), Vec::<String>::new());
}

#[test]
fn without_pruning_what_waited_for_it_stays_and_is_remembered() {
    let ground = Ground::new();
    let store = ground.store();
    ground.push(&ground.write("old", &OLD), "host", Some(&store));
    let new = ground.write("new", &NEW);
    let decision = deleting(&[("gone.txt", When::Pruning)]);
    let staged = ground.stage(&new, "host", Some(&store), decision);
    staged.publish().unwrap().finish().unwrap();
    assert_eq!(ground.files("host")["gone.txt"], "gone");
    let again = ground.deploy(&new, "host", Some(&store), Decision::default());
    assert_eq!((again.round_trips, again.plan.actions.len()), (1, 0));
    assert!(again.bytes_received < 250, "told anew: {} bytes", again.bytes_received);
}

#[test]
fn what_a_filter_protects_is_never_deleted() {
    let mut ground = Ground::new();
    ground.push(&ground.write("old", &OLD), "host", None);
    ground.options.policy.filter = Filter::parse([(Rule::Exclude, &b"gone.txt"[..])]).unwrap();
    let new = ground.write("new", &NEW);
    ground.deploy(&new, "host", None, deleting(&[("gone.txt", When::Pruning)]));
    let surplus = Decision { deletes: Deletes::Surplus, ..Decision::default() };
    ground.deploy(&new, "host", None, surplus);
    assert_eq!(ground.files("host")["gone.txt"], "gone");
}

#[test]
fn ticks_keep_an_agent_waiting_beyond_its_timeout() {
    let ground = Ground::new();
    let new = ground.write("new", &NEW);
    let timeout = Duration::from_secs(5);
    let connection = Connection { timeout, ..ground.connection(None) };
    let mut staged = ground.try_stage(&new, "host", &connection, Decision::default()).unwrap();
    let hold = |tick: &mut dyn FnMut() -> Result<(), PushError>| {
        // The passing of time is what is tested.
        let until = Instant::now() + timeout + timeout / 2;
        while Instant::now() < until {
            tick().unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    hold(&mut || staged.tick());
    let mut live = staged.publish().unwrap();
    hold(&mut || live.tick());
    live.prune().unwrap();
    assert_eq!(ground.files("host"), files(&NEW));
}

#[test]
fn an_agent_that_nobody_ticks_ends_and_the_next_tick_says_so() {
    let ground = Ground::new();
    let new = ground.write("new", &NEW);
    let connection = Connection { timeout: Duration::from_secs(5), ..ground.connection(None) };
    let mut staged = ground.try_stage(&new, "host", &connection, Decision::default()).unwrap();
    let until = Instant::now() + PATIENCE;
    // It has ended when its lock is free.
    while let Err(error) =
        ground.try_stage(&new, "host", &ground.connection(None), Decision::default())
    {
        assert!(Instant::now() < until, "{error}");
    }
    assert!(staged.tick().is_err());
    assert!(staged.publish().is_err());
}

#[test]
fn a_killed_agent_is_noticed_by_a_tick() {
    let ground = Ground::new();
    let new = ground.write("new", &NEW);
    let mut staged = ground.stage(&new, "host", None, Decision::default());
    staged.tick().unwrap();
    let lock = fs::read_to_string(ground.at(".assetsync-host/lock")).unwrap();
    let process = lock.strip_prefix("process ").unwrap();
    let killed = std::process::Command::new("kill").args(["-9", process]).status().unwrap();
    assert!(killed.success());
    let until = Instant::now() + PATIENCE;
    let error = loop {
        if let Err(error) = staged.tick() {
            break error;
        }
        assert!(Instant::now() < until, "nobody notices");
    };
    assert!(matches!(error, PushError::Closed(_)), "{error:?}");
}

#[test]
fn a_dry_run_shows_the_plan_and_is_never_published() {
    let ground = Ground::new();
    let new = ground.write("new", &NEW);
    let connection = Connection { dry_run: true, ..ground.connection(None) };
    let staged = ground.try_stage(&new, "host", &connection, Decision::default()).unwrap();
    assert_eq!(staged.report().plan.actions.len(), 4);
    assert!(matches!(staged.publish(), Err(PushError::DryRun)));
    assert!(!ground.at("host").exists() && !ground.at(".assetsync-host").exists());
}

/// Refuses to decide.
struct Refusing;

impl Decide for Refusing {
    fn decide(
        &self,
        survey: &Survey,
        wanted: &[SourceEntry],
    ) -> Result<Decision, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{} stand, {} wanted", survey.state.entries.len(), wanted.len()).into())
    }
}

#[test]
fn who_decides_can_refuse() {
    let ground = Ground::new();
    ground.push(&ground.write("old", &OLD), "host", None);
    let before = ground.stamps("host");
    let new = ground.write("new", &NEW);
    let (target, connection) = (ground.target("host"), ground.connection(None));
    let refused = stage(&new, &target, &connection, &ground.options, &Refusing, &ground.notices);
    assert_eq!(refused.err().unwrap().to_string(), "4 stand, 4 wanted");
    assert_eq!(ground.stamps("host"), before);
}

#[test]
fn limits_on_deletes_hold_for_what_waits_for_pruning_too() {
    let mut ground = Ground::new();
    ground.push(&ground.write("old", &OLD), "host", None);
    let late = || deleting(&[("a.txt", When::Pruning), ("gone.txt", When::Publishing)]);
    let empty = ground.write("empty", &[]);
    let connection = ground.connection(None);
    let refused = ground.try_stage(&empty, "host", &connection, late()).err().unwrap();
    assert!(matches!(refused, PushError::EmptySource(_)), "{refused}");
    ground.options.allow_empty = true;
    ground.options.max_delete = Some(1);
    let connection = ground.connection(None);
    let refused = ground.try_stage(&empty, "host", &connection, late()).err().unwrap();
    let limit = Refusal::TooMany { planned: 2, allowed: 1 };
    assert!(matches!(&refused, PushError::Refused(said) if *said == limit), "{refused}");
}

#[test]
fn hosts_can_be_held_in_threads() {
    fn is_send<T: Send>() {}
    is_send::<Staged<'_>>();
    is_send::<assetsync_sync::sender::Live<'_>>();
    let ground = Ground::new();
    let new = ground.write("new", &NEW);
    std::thread::scope(|scope| {
        for host in ["one", "two", "three"] {
            let staged = ground.stage(&new, host, None, Decision::default());
            scope.spawn(move || staged.publish().unwrap().prune().unwrap());
        }
    });
    for host in ["one", "two", "three"] {
        assert_eq!(ground.files(host), files(&NEW));
    }
}
