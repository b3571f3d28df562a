//! Why a connection ended is said, on every transport; and what a login leaves running in the
//! background holds nothing up.

use std::fs;
use std::path::Path;
use std::process::Command;

use assetsync_testbed::{Route, Sshd};

use crate::fleet::Fleet;
use crate::interruptions::faults::Site;
use crate::interruptions::{trace, traced_agent};
use crate::support::{Machine, OrFail, Way, scratch};

#[test]
fn an_agent_that_is_killed_is_said_to_be_with_a_hint_at_memory() {
    let site = Site::new();
    let agent = traced_agent(&site.dir);
    site.push().run().assert_ok();
    site.reset();
    let fault = "-e trace=syncfs -e inject=syncfs:signal=SIGKILL:when=1";
    let outcome = trace(&site, &agent, fault);
    outcome.assert_failed(&["killed by SIGKILL", "memory", "dmesg"]);
}

#[test]
fn a_limit_of_the_host_for_the_size_of_files_is_named_on_every_transport() {
    let dir = scratch();
    let (source, home) = (dir.path().join("source"), dir.path().join("home"));
    fs::create_dir_all(&source).or_fail();
    fs::create_dir_all(&home).or_fail();
    fs::write(source.join("small.js"), "small").or_fail();
    let home = home.display().to_string();
    let host = |prelude: &str| Sshd::builder().env("XDG_CACHE_HOME", &home).prelude(prelude);
    let machine = Machine::new();
    let push = |sshd: &Sshd, to: &Path, options: &[&str]| {
        machine.try_push(&Way::ssh(sshd.route(), to), options, &source)
    };
    // Installs the agent, which is larger than the limit.
    let sshd = host(":").start().or_fail();
    assert_eq!(push(&sshd, &dir.path().join("first"), &[]).code(), Some(0));
    fs::write(source.join("large.bin"), noise(512 * 1024)).or_fail();
    let sshd = host("ulimit -f 100").start().or_fail();
    for (transport, expected) in
        [("ssh2", "limits for the size of files"), ("openssh", "ended without a message")]
    {
        let ran = push(&sshd, &dir.path().join(transport), &["--transport", transport]);
        assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
        assert!(ran.stderr().contains(expected), "{transport}: {}", ran.stderr());
    }
}

/// Bytes that can't be compressed.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(count)
    .collect()
}

#[test]
fn a_hook_that_leaves_a_process_in_the_background_ends() {
    let fleet = Fleet::of(1);
    fleet.configure(
        "hooks.after_publish = [{ run = \"sleep 100000 & echo pid $!; echo no newline | tr -d n\", \
         roles = [\"app\"] }]\n",
    );
    fleet.build(&[("app-00000001.js", "new")]);
    let ran = fleet.run("deploy production");
    let pid = ran.stderr().lines().find_map(|line| Some(line.split_once("| pid ")?.1.to_owned()));
    let pid = pid.unwrap_or_else(|| panic!("{}", ran.stderr()));
    let ended = Command::new("kill").arg(pid.trim()).status().or_fail();
    assert!(ended.success(), "it was not left running");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(ran.stderr().contains("| o ewlie"), "{}", ran.stderr());
}

#[test]
fn a_process_that_the_login_leaves_in_the_background_holds_no_deploy_up() {
    let dir = scratch();
    let pids = dir.path().join("pids");
    let prelude = format!("sleep 100000 & echo $! >> {}", pids.display());
    let fleet = Fleet::from([Sshd::builder().prelude(&prelude).start().or_fail()]);
    fleet.build(&[("app-00000001.js", "new")]);
    let ran = fleet.run("deploy production");
    for pid in fs::read_to_string(&pids).or_fail().lines() {
        let _ = Command::new("kill").arg(pid).status();
    }
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
}

/// An ssh_config for the route, with these lines before all others.
fn config_with(route: &Route, dir: &Path, lines: &str) -> String {
    let path = dir.join("ssh_config");
    let config = fs::read_to_string(route.config()).or_fail();
    fs::write(&path, format!("{lines}\n{config}")).or_fail();
    path.display().to_string()
}

#[test]
fn what_ssh_says_of_host_keys_is_shown() {
    let (machine, dir, sshd) = (Machine::new(), scratch(), Sshd::start().or_fail());
    let source = dir.path().join("source");
    fs::create_dir_all(&source).or_fail();
    fs::write(source.join("a.js"), "a").or_fail();
    let known = dir.path().join("known_hosts");
    let keys = format!("UserKnownHostsFile {}\nGlobalKnownHostsFile none", known.display());
    let push = |setting: &str| {
        let lines = format!("StrictHostKeyChecking {setting}\n{keys}");
        let config = config_with(sshd.route(), dir.path(), &lines);
        let destination = format!("{}:{}", Route::ALIAS, dir.path().join("srv").display());
        let way = Way { options: vec!["-F".into(), config], destination };
        let ran = machine.try_push(&way, &[], &source);
        assert_eq!(ran.code(), Some(0), "{setting}: {}", ran.stderr());
        format!("{}{}", ran.stdout(), ran.stderr())
    };
    let said = push("accept-new");
    assert!(said.contains("Permanently added"), "{said}");
    let said = push("accept-new");
    assert!(!said.contains("added"), "{said}");
    // Another key for the host.
    let key = dir.path().join("key");
    let mut made = Command::new("ssh-keygen");
    made.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    assert!(made.status().or_fail().success());
    let public = fs::read_to_string(key.with_extension("pub")).or_fail();
    let name = fs::read_to_string(&known).or_fail();
    let name = name.split(' ').next().unwrap_or_default().to_owned();
    fs::write(&known, format!("{name} {public}")).or_fail();
    let said = push("no");
    assert!(said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{said}");
}
