//! Agents that are damaged, missing, of another version, or send too much.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{NONCE, code, shell};
use crate::interruptions::faults::{OnDrop, Site, cache, script};

#[test]
fn an_installed_agent_that_is_damaged_is_installed_again() {
    let site = Site::new();
    let own = cache().join(format!("damaged-{}", std::process::id()));
    let _remove = OnDrop(|| drop(fs::remove_dir_all(&own)));
    fs::create_dir(&own).unwrap();
    let push = || site.push().env("XDG_CACHE_HOME", &own).run();
    push().assert_ok();
    let agent = only_agent(&own);
    let good = fs::read(&agent).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bad in
        [&flipped[..], &good[..good.len() / 2], b"", b"#!/bin/sh\ntouch /tmp/should-not-run\n"]
    {
        fs::write(&agent, bad).unwrap();
        site.reset();
        push().assert_ok();
        site.check_equal("with an agent installed again");
        assert!(fs::read(&agent).unwrap() == good, "the agent is as it was");
    }
    assert!(!Path::new("/tmp/should-not-run").exists());
    // A link is not followed, be it to a good agent.
    let elsewhere = site.dir.join("elsewhere");
    fs::copy(&agent, &elsewhere).unwrap();
    fs::remove_file(&agent).unwrap();
    symlink(&elsewhere, &agent).unwrap();
    site.reset();
    push().assert_ok();
    assert!(!fs::symlink_metadata(&agent).unwrap().is_symlink());
}

fn only_agent(cache: &Path) -> PathBuf {
    let items = fs::read_dir(cache.join("assetsync")).unwrap();
    let paths = items.map(|item| item.unwrap().path());
    let is_agent =
        |path: &PathBuf| path.file_name().unwrap().as_encoded_bytes().starts_with(b"agent-");
    let names: Vec<PathBuf> = paths.filter(is_agent).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names[0].clone()
}

/// A remote shell on a machine of another kind.
fn strange_machine(site: &Site) -> PathBuf {
    let programs = site.dir.join("programs");
    fs::create_dir_all(&programs).unwrap();
    // Where nothing can be started the shell would find the real one.
    script(&programs.join("uname"), "#!/bin/sh\necho Linux faketron\n");
    // Its kernel is one of those that do not say in /proc what they run on.
    let command = "command=$(printf %s \"$2\" | sed s,/proc/sys/kernel/arch,/nowhere,)";
    let path = format!("PATH='{}':$PATH", programs.display());
    shell(site, &format!("{command}\n{path} exec /bin/sh -c \"$command\""))
}

#[test]
fn agent_bytes_that_are_damaged_or_not_there() {
    let site = Site::new();
    let strange = strange_machine(&site);
    let outcome = site.push_by(&strange).run();
    outcome.assert_failed(&["somewhere", "Linux-faketron"]);
    code(&outcome, 1);
    site.check_untouched("no agent");
    let agents = site.dir.join("agents");
    fs::create_dir(&agents).unwrap();
    fs::write(agents.join("assetsync-agent-Linux-faketron"), "no program at all").unwrap();
    let outcome = site.push_by(&strange).env("ASSETSYNC_AGENTS", &agents).run();
    outcome.assert_failed(&["somewhere", "agent"]);
    code(&outcome, 1);
    site.check_untouched("a damaged agent");
}

#[test]
fn another_version_of_the_protocol() {
    let site = Site::new();
    let own = cache().join(format!("version-{}", std::process::id()));
    let _remove = OnDrop(|| drop(fs::remove_dir_all(&own)));
    fs::create_dir(&own).unwrap();
    site.push().env("XDG_CACHE_HOME", &own).run().assert_ok();
    let agent = only_agent(&own);
    let mut command = Command::new(&agent);
    command.arg("00ff").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut started = command.spawn().unwrap();
    use std::io::Write;
    started.stdin.take().unwrap().write_all(b"assetsync 99 00\n").unwrap();
    let output = started.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("assetsync:00ff:ready\n"), "{said:?}");
    assert!(said.contains("version 99") && !output.status.success(), "{said:?}");
    // What a sender makes of such an agent: it says the very same, as a failure.
    let answer = site.dir.join("answer");
    fs::write(&answer, &output.stdout["assetsync:00ff:ready\n".len()..]).unwrap();
    let lines =
        format!("{NONCE}echo assetsync:$1:ready; cat '{}'; cat > /dev/null", answer.display());
    site.reset();
    let outcome = site.push_by(&shell(&site, &lines)).run();
    outcome.assert_failed(&["version 99"]);
    site.check_untouched("another version");
}

#[test]
fn an_agent_that_breaks_a_limit() {
    let site = Site::new();
    for (bytes, said) in [
        ("\\115\\000\\000\\000", "unknown kind 77"),
        ("\\001\\377\\377\\377", "too long"),
        ("\\003\\001\\000\\000x", "too long"),
        ("\\001\\004\\000\\000abcd", "damaged"),
    ] {
        let lines = format!("{NONCE}echo assetsync:$1:ready; printf '{bytes}'; cat > /dev/null");
        let outcome = site.push_by(&shell(&site, &lines)).run();
        outcome.assert_failed(&[said]);
        code(&outcome, 1);
        site.check_untouched(said);
    }
}
