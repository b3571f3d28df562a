//! Deploys to hosts that fail, let few in at a time, or keep the history from the user.

use std::fs;
use std::os::unix::fs::symlink;

use assetsync_testbed::Sshd;

use super::{done, names, version};
use crate::fleet::{Fleet, events, rollout};
use crate::interruptions::faults::until;
use crate::support::{OrFail, assert_equal};

#[test]
fn one_bad_host_of_four_and_nothing_is_published_anywhere() {
    let fleet = Fleet::of(4);
    version(&fleet, 1);
    fleet.json("deploy production");
    let before: Vec<_> = fleet.hosts.iter().map(|host| names(&host.assets())).collect();
    // It refuses the key.
    let keys = fleet.hosts[2].sshd.dir().join("authorized_keys");
    let good = fs::read(&keys).or_fail();
    fs::write(&keys, "").or_fail();
    version(&fleet, 2);
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    assert!(ran.stderr().contains("error: web3: "), "{}", ran.stderr());
    assert!(ran.stderr().contains("1 of 4 failed, so nothing is published"), "{}", ran.stderr());
    assert!(fleet.built().join("app-00000002.js").exists());
    let after: Vec<_> = fleet.hosts.iter().map(|host| names(&host.assets())).collect();
    assert_eq!(after, before);

    let dry = fleet.run("deploy production --dry-run --keep-going");
    assert!(dry.stderr().contains("web4: content of 2 of 3 files"), "{}", dry.stderr());
    assert!(!dry.stderr().contains("nothing is published"), "{}", dry.stderr());

    let ran = fleet.run("deploy production --keep-going --json");
    assert_eq!(ran.code(), Some(3), "{}", ran.stderr());
    let lines = events(&ran);
    let stands: Vec<_> = done(&lines).iter().map(|done| done["stands"].clone()).collect();
    assert_eq!(stands, ["live", "live", "before", "live"]);
    assert_eq!(rollout(&lines)["exit"], 3);

    fs::write(&keys, good).or_fail();
    fleet.json("deploy production");
    for host in &fleet.hosts {
        assert!(host.assets().join("app-00000002.js").exists(), "{}", host.name);
    }
}

#[test]
fn a_server_that_takes_few_at_a_time_is_tried_again() {
    let shy = || Sshd::builder().config("MaxStartups 1:100:1").in_home().start().or_fail();
    let fleet = Fleet::from([shy()]);
    // Five sets of assets: five connections to one host at once.
    let sets: String = (1..=5)
        .map(|n| format!("[assets.set{n}]\nsource = \"public/assets\"\ndestination = \"set{n}\"\n"))
        .collect();
    version(&fleet, 1);
    fleet.configure(&sets);
    fleet.json("push production");
    for n in 1..=5 {
        assert_equal(&fleet.built(), &fleet.hosts[0].deploy_to().join(format!("shared/set{n}")));
    }
}

#[test]
fn everything_gets_through_to_a_server_that_lets_one_in_at_a_time() {
    let strict = || Sshd::builder().config("PerSourceMaxStartups 1").in_home().start().or_fail();
    let fleet = Fleet::from([strict()]);
    let sets: String = (1..=5)
        .map(|n| format!("[assets.set{n}]\nsource = \"public/assets\"\ndestination = \"set{n}\"\n"))
        .collect();
    for transport in ["ssh2", "openssh"] {
        fleet.configure(&format!(
            "ssh.transport = \"{transport}\"\nbuild.command = \"true\"\nbuild.cleanup = false\n\
             hooks.after_publish = [{{ run = \"echo ran\", roles = [\"web\"] }}]\n\
             restart.command = \"touch restarted-{transport}\"\n{sets}"
        ));
        for n in 1..=2 {
            version(&fleet, n);
            fleet.json("deploy production");
        }
        let statuses = fleet.json("status production");
        let good = statuses.iter().filter(|status| status["ok"] == true).count();
        assert_eq!(good, 5, "{statuses:?}");
        fleet.json("rollback production");
        fleet.json("prune production");
        let current = fleet.hosts[0].deploy_to().join("current");
        assert!(current.join(format!("restarted-{transport}")).exists());
    }
}

#[test]
fn a_place_that_is_lost_during_a_hook_fails_the_deploy_even_if_it_is_the_only_one() {
    let fleet = Fleet::of(1);
    version(&fleet, 1);
    fleet.json("deploy production");
    fleet.configure("hooks.before_publish = [\"touch staged; until test -e lost; do :; done\"]\n");
    version(&fleet, 2);
    let mut command = fleet.command("deploy production --json");
    let child = command.stdout(std::process::Stdio::piped()).spawn().or_fail();
    until("all is staged", || fleet.project().join("staged").exists().then_some(()));
    let sshd = &fleet.hosts[0].sshd;
    sshd.kill_sessions();
    until("the session ends", || sshd.session_pids().is_empty().then_some(()));
    fs::write(fleet.project().join("lost"), "").or_fail();
    let ran = crate::support::Ran(child.wait_with_output().or_fail());
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    let events = events(&ran);
    assert_eq!(done(&events)[0]["stands"], "before", "{events:?}");
    assert!(!fleet.hosts[0].assets().join("app-00000002.js").exists());
}

#[test]
fn a_user_who_cannot_read_the_history_is_told_so() {
    let fleet = Fleet::of(1);
    version(&fleet, 1);
    fleet.json("deploy production");
    // Whoever logs in is root here, so what keeps others out is a directory that is none.
    let public = fleet.hosts[0].deploy_to().join("shared/public");
    let work = public.join(".assetsync-assets");
    fs::rename(&work, public.join("moved")).or_fail();
    symlink(".assetsync-assets", &work).or_fail();
    let ran = fleet.run("status production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(ran.stdout().contains(".assetsync-assets"), "{}", ran.stdout());
    assert!(!ran.stdout().contains("no deploy yet"), "{}", ran.stdout());
}

#[test]
fn a_second_deploy_from_the_same_checkout_is_told_of_the_first() {
    let fleet = Fleet::of(1);
    version(&fleet, 1);
    fleet.configure(
        "build.command = \"touch started; while ! test -e go; do sleep 0.05; done\"\n\
         build.cleanup = false\n",
    );
    let mut first = fleet.command("deploy production").spawn().or_fail();
    until("the build", || fleet.project().join("started").exists().then_some(()));
    for words in ["deploy production", "push production"] {
        let second = fleet.run(words);
        assert_eq!(second.code(), Some(1), "{}", second.stderr());
        let process = format!("process {}, since ", first.id());
        for text in ["Another deploy from this checkout is running", "(by ", &process] {
            assert!(second.stderr().contains(text), "{words}: {}", second.stderr());
        }
    }
    assert_eq!(fleet.run("deploy production --dry-run").code(), Some(0));
    fs::write(fleet.project().join("go"), "").or_fail();
    assert!(first.wait().or_fail().success());
    assert!(!fleet.project().join(".assetsync-lock").exists());
    fleet.json("push production");
}
