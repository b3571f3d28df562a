//! Promise: doctor says how a push would go to each host, and why.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assetsync_testbed::Sshd;
use serde_json::Value;

use crate::fleet::Fleet;
use crate::support::{Machine, OrFail, Ran, Way, assert_equal, scratch, sshd, text};

fn doctor(machine: &Machine, way: &Way, options: &[&str]) -> Ran {
    let given = way.options.iter().map(String::as_str).chain(options.iter().copied());
    machine.run(["doctor"].into_iter().chain(given).chain([way.destination.as_str()]))
}

/// The only destination of a JSON output.
fn destination(ran: &Ran) -> Value {
    let said: Value = serde_json::from_str(&ran.stdout()).or_fail();
    assert_eq!(said["destinations"].as_array().map(Vec::len), Some(1), "{said}");
    said["destinations"][0].clone()
}

/// A server that says to be of a platform for which there is no agent.
fn odd_server(room: &Path) -> Sshd {
    let (machine, shell) = (room.join("machine"), room.join("shell"));
    fs::write(&machine, "riscv64\n").or_fail();
    let script = format!(
        "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind {} /proc/sys/kernel/arch && exec sh \"$@\"' sh \"$@\"\n",
        text(&machine)
    );
    fs::write(&shell, script).or_fail();
    fs::set_permissions(&shell, Permissions::from_mode(0o755)).or_fail();
    Sshd::builder().shell(shell).in_home().start().or_fail()
}

#[test]
fn a_host_that_runs_the_agent() {
    let (machine, sshd, dir) = (Machine::new(), sshd(), scratch());
    let way = Way::ssh(sshd.route(), dir.path().join("live"));
    let first = doctor(&machine, &way, &["--json"]);
    assert_eq!(first.code(), Some(0), "{}", first.stderr());
    let found = destination(&first);
    let platform = format!("Linux-{}", std::env::consts::ARCH);
    assert_eq!(
        (&found["platform"], &found["transport"]),
        (&platform.clone().into(), &"agent".into())
    );
    assert!(found["installed"].as_str().is_some_and(|path| path.contains(&platform)), "{found}");
    assert!(found["reached_by"].as_str().is_some_and(|how| how.starts_with("libssh2 ")), "{found}");
    let again = doctor(&machine, &way, &["--json", "--transport", "openssh"]);
    let found = destination(&again);
    assert_eq!((&found["installed"], &found["error"]), (&Value::Null, &Value::Null));
    assert!(found["reached_by"].as_str().is_some_and(|how| how.contains("--transport says so")));
    let words = doctor(&machine, &way, &[]).stdout();
    for line in ["  agents       Linux-", "  pushed by    an agent, which is there and runs\n"] {
        assert!(words.contains(line), "{words}");
    }
    assert!(!dir.path().join("live").exists(), "nothing is made at the destination");
}

#[test]
fn a_host_of_another_platform() {
    let (machine, dir) = (Machine::new(), scratch());
    let sshd = odd_server(dir.path());
    let (source, live) = (dir.path().join("source"), dir.path().join("live"));
    let way = Way::ssh(sshd.route(), &live);
    let ran = doctor(&machine, &way, &["--json"]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let found = destination(&ran);
    assert_eq!(
        (&found["platform"], &found["transport"]),
        (&"Linux-riscv64".into(), &"sftp".into())
    );
    let notes = found["notes"].to_string();
    for part in
        ["No agent build for Linux-riscv64", "ASSETSYNC_AGENTS", "a deploy keeps no history"]
    {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    // As it says, so it goes.
    fs::create_dir(&source).or_fail();
    fs::write(source.join("app.js"), "app()").or_fail();
    let pushed = machine.try_push(&way, &[], &source);
    assert_eq!(pushed.code(), Some(0), "{}", pushed.stderr());
    assert_eq!(fs::read_to_string(live.join("app.js")).or_fail(), "app()");
}

/// The agent is chosen by what the host says to be. (What it gets here runs all the same: the host
/// is this machine.)
#[test]
fn a_host_of_another_platform_gets_the_agent_for_it() {
    let (machine, dir) = (Machine::new(), scratch());
    let sshd = odd_server(dir.path());
    let (source, live, agents) =
        (dir.path().join("source"), dir.path().join("live"), dir.path().join("agents"));
    fs::create_dir(&source).or_fail();
    fs::write(source.join("app.js"), "app()").or_fail();
    fs::create_dir(&agents).or_fail();
    let is_own = |agent: &assetsync_ssh::Agent| agent.arch == std::env::consts::ARCH;
    let own = assetsync_agents::carried().into_iter().find(is_own).expect("this platform's agent");
    fs::write(agents.join("assetsync-agent-Linux-riscv64"), own.program().or_fail()).or_fail();
    let way = Way::ssh(sshd.route(), &live);
    let config = way.options[1].as_str();
    let ran = |words: &[&str]| {
        let mut command = machine.command(words.iter().copied().chain(["-F", config]));
        Ran(command.env("ASSETSYNC_AGENTS", &agents).output().or_fail())
    };
    let pushed = ran(&["push", "--json", &text(&source), &way.destination]);
    assert_eq!(pushed.code(), Some(0), "{}", pushed.stderr());
    assert_equal(&source, &live);
    let found = destination(&ran(&["doctor", "--json", &way.destination]));
    let expected: [Value; 3] = ["Linux-riscv64".into(), "agent".into(), Value::Null];
    assert_eq!(["platform", "transport", "installed"].map(|key| found[key].clone()), expected);
    let installed = fs::read_dir(sshd.home().join(".cache/assetsync")).or_fail();
    let names: Vec<String> =
        installed.map(|entry| text(Path::new(&entry.or_fail().file_name()))).collect();
    assert!(names.len() == 1 && names[0].starts_with("agent-Linux-riscv64-"), "{names:?}");
}

#[test]
fn a_deploy_to_a_host_of_another_platform_goes_over_sftp_and_says_so() {
    let dir = scratch();
    let fleet = Fleet::from([odd_server(dir.path())]);
    fleet.build(&[("app.js", "app()")]);
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    for part in ["No agent build for Linux-riscv64", "over SFTP", "a build of assetsync with"] {
        assert!(ran.stderr().contains(part), "{part}: {}", ran.stderr());
    }
    let live = fs::read_to_string(fleet.hosts[0].assets().join("app.js")).or_fail();
    assert_eq!(live, "app()");
}

#[test]
fn a_host_that_is_not_there_and_this_machine() {
    let (machine, dir) = (Machine::new(), scratch());
    let here = text(&dir.path().join("live"));
    let ran = machine.run(["doctor", "nowhere.invalid:/srv", &here]);
    assert_eq!(ran.code(), Some(3), "{}", ran.stderr());
    let said = ran.stdout();
    assert!(said.starts_with(&format!("assetsync {}\n", env!("CARGO_PKG_VERSION"))), "{said}");
    assert!(said.contains("nowhere.invalid:/srv\n  error        Cannot resolve"), "{said}");
    assert!(said.contains(&format!("\n{here}\n  platform     Linux-")), "{said}");
}

/// What is asked of no host is answered without a network.
#[test]
fn without_a_host() {
    let ran = Machine::new().run(["doctor", "--json"]);
    assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""));
    let said: Value = serde_json::from_str(&ran.stdout()).or_fail();
    assert!(said["agents"].as_array().is_some_and(|agents| !agents.is_empty()), "{said}");
    assert!(said["ssh"].as_str().is_some_and(|ssh| ssh.starts_with("OpenSSH")), "{said}");
}
