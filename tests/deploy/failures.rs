//! What a deploy says when a build, a hook or a host fails, when it is interrupted, and while it
//! waits.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use crate::fleet::{Fleet, Host};
use crate::interruptions::faults::until;
use crate::support::{OrFail, Ran, scratch, text};

/// A deploy that is running.
fn start(fleet: &Fleet) -> Child {
    let mut command = fleet.command("deploy production");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().or_fail()
}

fn interrupt(child: Child) -> Output {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().or_fail().success());
    child.wait_with_output().or_fail()
}

/// The deploy's id, which ends the line.
fn without_id(line: &str) -> String {
    let is_id = |word: &&str| word.len() > 12 && word.bytes().any(|byte| byte.is_ascii_digit());
    let words: Vec<&str> =
        line.split(' ').map(|word| if is_id(&word) { "ID" } else { word }).collect();
    words.join(" ")
}

#[test]
fn a_failed_command_on_this_machine_is_named_with_its_status() {
    let fleet = Fleet::of(1);
    fleet.build(&[("app.js", "app")]);
    for (settings, expected) in [
        (
            "build.command = \"echo why >&2; exit 7\"\n",
            "| why\nerror: The build 'echo why >&2; exit 7' failed: exit status 7: why\nhint: no host \
             was changed\n",
        ),
        (
            "hooks.before_publish = [\"echo why >&2; exit 2\"]\n",
            "| why\nerror: Hook before_publish 'echo why >&2; exit 2' failed: exit status 2: why\n",
        ),
    ] {
        fleet.configure(settings);
        let ran = fleet.run("deploy production");
        assert!(ran.stderr().contains(expected), "{}", ran.stderr());
        let end = "note: every host serves what it served before\n";
        assert!(ran.stderr().ends_with(end), "{}", ran.stderr());
    }
}

#[test]
fn a_missing_current_is_found_before_the_build() {
    for later in [
        "restart.command = \"true\"\n",
        "hooks.after_publish = [{ run = \"true\", roles = [\"web\"] }]\n",
    ] {
        let fleet = Fleet::of(2);
        let current = fleet.hosts[1].deploy_to().join("current");
        fs::remove_dir(&current).or_fail();
        fleet.configure(&format!("build.command = \"touch built\"\n{later}"));
        let ran = fleet.run("deploy production");
        assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
        let expected = format!(
            "error: web2: {} does not exist there, or can't be entered, and hooks or the \
             restart run in it; create it (the first deploy of the application does), or correct \
             hosts.current_path\n",
            text(&current)
        );
        assert!(ran.stderr().contains(&expected), "{}", ran.stderr());
        assert!(!fleet.project().join("built").exists(), "nothing was built");
    }
}

#[test]
fn a_release_that_does_not_show_the_deployed_assets_is_warned_of() {
    let fleet = Fleet::of(2);
    let settings = "build.command = \"mkdir -p public/assets; echo 1 > public/assets/a.js\"\n";
    fleet.configure(&format!("{settings}restart.command = \"true\"\n"));
    let (first, second) = (&fleet.hosts[0], &fleet.hosts[1]);
    let link = |host: &Host, to: &str| {
        let public = host.deploy_to().join("current/public");
        fs::create_dir_all(&public).or_fail();
        symlink(to, public.join("assets")).or_fail();
    };
    link(first, "../../shared/public/assets");
    link(second, "../../elsewhere");
    // Before the first deploy there is nothing that a link could lead to.
    let ran = fleet.run("deploy production");
    assert_eq!(
        (ran.code(), ran.stderr().contains("warning")),
        (Some(0), false),
        "{}",
        ran.stderr()
    );
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let (current, shared) =
        (text(&second.deploy_to().join("current")), text(&second.deploy_to().join("shared")));
    let expected = format!(
        "warning: web2: public/assets of {current} does not lead to {shared}, so visitors may not get \
         what is deployed; add it to Capistrano's linked_dirs, or correct current_path\n"
    );
    assert!(ran.stderr().contains(&expected), "{}", ran.stderr());
    assert_eq!(ran.stderr().matches("warning").count(), 1, "{}", ran.stderr());
}

#[test]
fn a_locked_host_is_found_before_the_build_and_says_by_whom() {
    let fleet = Fleet::of(1);
    fleet.build(&[("app.js", "app")]);
    let pause =
        "hooks.before_publish = [\"touch paused; while [ ! -e go ]; do sleep 0.1; done\"]\n";
    fleet.configure(pause);
    let mut command = fleet.command("deploy production");
    command.env("USER", "ada").stdout(Stdio::piped()).stderr(Stdio::piped());
    let first = command.spawn().or_fail();
    until("the first deploy has the lock", || {
        fleet.project().join("paused").exists().then_some(())
    });
    // From another checkout: one checkout has a lock of its own.
    let other = scratch();
    fleet.configure("build.command = \"touch built\"\n");
    fs::copy(fleet.project().join("assetsync.toml"), other.path().join("assetsync.toml")).or_fail();
    let run = |words: &str| Ran(fleet.command(words).current_dir(other.path()).output().or_fail());
    let ran = run("deploy production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    let line = ran.stderr();
    let line = line.lines().find(|line| line.starts_with("error: web1:")).unwrap_or_default();
    let words = [
        "Another push to this destination is running (deploy 20",
        " by ada@",
        "process ",
        "started ",
        " ago",
    ];
    for word in words {
        assert!(line.contains(word), "{word:?}: {line}");
    }
    assert!(!other.path().join("built").exists(), "nothing was built");
    let status = run("status production");
    assert!(status.stdout().contains("another push: deploy 20"), "{}", status.stdout());
    fs::write(fleet.project().join("go"), "").or_fail();
    assert!(first.wait_with_output().or_fail().status.success());
    assert_eq!(run("deploy production").code(), Some(1), "the build leaves nothing");
    assert!(other.path().join("built").exists(), "the lock is free again");
}

#[test]
fn ctrl_c_in_a_restart_stops_it_and_says_what_is_live_and_what_is_not_done() {
    let fleet = Fleet::of(2);
    fleet.build(&[("app.js", "app")]);
    fleet.configure("restart.command = \"touch restarting; sleep 600\"\n");
    let child = start(&fleet);
    for host in &fleet.hosts {
        let begun = host.deploy_to().join("current/restarting");
        until("the restart has begun", || begun.exists().then_some(()));
    }
    let output = interrupt(child);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), Some(2), "{stderr}");
    let lines: Vec<String> = stderr.lines().map(without_id).collect();
    let end = lines.iter().skip_while(|line| !line.contains("stopping")).cloned();
    let mut end: Vec<String> = end.collect();
    end.retain(|line| !line.starts_with("error: web"));
    let expected = [
        "note: stopping; press Ctrl-C again to quit immediately",
        "error: restart failed on web1: cancelled; it may still be running there; web2: \
         cancelled; it may still be running there",
        "hint: the new assets are live; restart the application, or run: assetsync rollback",
        "note: deploy ID is live on web1, web2",
        "note: not done: restart, prune",
    ];
    assert_eq!(end, expected, "{stderr}");
    // A shell sees 130.
    fleet.configure("hooks.before_publish = [\"kill -INT $PPID; sleep 600\"]\n");
    let assetsync = env!("CARGO_BIN_EXE_assetsync");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{assetsync} deploy production; exit $?")]);
    let inner = fleet.command("deploy production");
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let ran = Ran(shell.current_dir(fleet.project()).output().or_fail());
    assert_eq!(ran.code(), Some(130), "{}", ran.stderr());
    assert!(ran.stderr().contains("every host serves what it served before"), "{}", ran.stderr());
}

#[test]
fn ctrl_c_in_a_build_ends_it_and_changes_no_host() {
    let fleet = Fleet::of(1);
    fleet.configure("build.command = \"touch building; sleep 600\"\n");
    let child = start(&fleet);
    until("it builds", || fleet.project().join("building").exists().then_some(()));
    let output = interrupt(child);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(2), "{stderr}");
    assert!(stderr.ends_with("note: every host serves what it served before\n"), "{stderr}");
}

/// What is shown of a build that fails: standard error first, at most thirty lines.
#[test]
fn a_build_that_fails_shows_why() {
    let fleet = Fleet::of(1);
    let build = "for n in $(seq 100); do echo made $n; done; \
                 for n in $(seq 5); do echo wrong $n >&2; done; exit 7";
    fleet.configure(&format!("build.command = '{build}'\n"));
    let ran = fleet.run("deploy production");
    let stderr = ran.stderr();
    let shown: Vec<&str> =
        stderr.lines().filter_map(|line| line.split_once("| ")).map(|it| it.1).collect();
    let errors = (1..=5).map(|n| format!("wrong {n}"));
    let expected: Vec<String> = errors.chain((76..=100).map(|n| format!("made {n}"))).collect();
    assert_eq!(shown, expected, "{stderr}");
    assert!(stderr.contains("failed: exit status 7"), "{stderr}");
}
