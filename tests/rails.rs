//! Promise: a Rails application is deployed without its visitors noticing.
//!
//! The application, Sprockets, puma, rbenv and bundler are Debian's, its libraries npm's; the
//! server is laid out as Capistrano does it, and no login finds Ruby there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use assetsync_testbed::rails::{App, Puma, RUBY, Site, Visitor, node_modules};
use assetsync_testbed::{Route, Sshd};
use serde_json::Value;
use tempfile::TempDir;

use crate::fleet::{events, rollout};
use crate::support::{Machine, OrFail, Ran, assert_equal, scratch, tell, text};

/// The restart of capistrano3-puma 3, one worker after another.
const PHASED: &str = "restart.preset = \"pumactl\"\nrestart.phased = true\n";

/// The second source story's line, as it is written here.
const ASSIGNED: &str = "rbenv.map_bins = [\"rake\", \"gem\", \"bundle\", \"ruby\", \"rails\"]\n";

/// The shop, a server for it, and a machine to deploy from.
struct Stage {
    machine: Machine,
    app: App,
    site: Site,
    sshd: Sshd,
    _room: TempDir,
}

impl Stage {
    fn new() -> Stage {
        let room = scratch();
        let app = App::shop(&room.path().join("checkout")).or_fail();
        let site = Site::lay_out(&room.path().join("server"), &app).or_fail();
        let sshd = site.sshd(None).or_fail();
        Stage { machine: Machine::new(), app, site, sshd, _room: room }
    }

    /// Writes `assetsync.toml`; `more` are its own lines.
    fn configure(&self, more: &str) {
        let mut settings = format!("application = \"shop\"\n{more}\n");
        let _ = writeln!(settings, "deploy_to = \"{}\"", text(&self.site.deploy_to()));
        let _ = writeln!(settings, "ssh.config = \"{}\"", text(self.sshd.ssh_config()));
        let _ = writeln!(settings, "rbenv.ruby = \"{RUBY}\"");
        let _ = writeln!(settings, "[[stages.production.hosts]]\naddress = \"{}\"", Route::ALIAS);
        let _ = writeln!(settings, "roles = [\"web\", \"app\"]");
        fs::write(self.app.dir().join("assetsync.toml"), settings).or_fail();
    }

    fn run(&self, words: &str) -> Ran {
        let mut command = self.machine.command(words.split_whitespace());
        Ran(command.current_dir(self.app.dir()).output().or_fail())
    }

    /// Deploys, which must go well; gives the lines of `--json`.
    #[track_caller]
    fn deploy(&self, options: &str) -> Vec<Value> {
        let ran = self.run(&format!("deploy production --json {options}"));
        assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
        let events = events(&ran);
        assert_eq!(rollout(&events)["ok"], true);
        events
    }

    /// What a login's shell says to a command.
    fn login(&self, command: &str) -> Ran {
        Ran(self.sshd.route().ssh().or_fail().arg(command).output().or_fail())
    }
}

/// The files of the last `done` line for which something travelled.
fn files_sent(events: &[Value]) -> u64 {
    let done = events.iter().rfind(|event| event["event"] == "done");
    done.and_then(|done| done["files_sent"].as_u64()).unwrap_or_else(|| panic!("{events:?}"))
}

/// Every file below `dir`, by its path.
pub fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).or_fail() {
            let path = entry.or_fail().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = text(path.strip_prefix(dir).or_fail());
                found.insert(name, fs::read(&path).or_fail());
            }
        }
    }
    found
}

/// Waits until the visitor has finished `count` more rounds.
pub fn await_rounds(visitor: &Visitor, count: u64) {
    let (from, deadline) = (visitor.rounds(), Instant::now() + Duration::from_secs(120));
    while visitor.rounds() < from + count {
        assert!(Instant::now() < deadline, "the visitor has stopped reading");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until pages name the asset `name`.
pub fn await_page(puma: &Puma, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let page = puma.get("/").or_fail();
        if String::from_utf8_lossy(&page.body).contains(name) {
            return;
        }
        assert!(Instant::now() < deadline, "no page names {name}: {}", puma.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The name by which the build serves the storefront's stylesheet.
pub fn stylesheet(assets: &BTreeMap<String, Vec<u8>>) -> String {
    let is_it = |name: &&String| name.starts_with("storefront-") && name.ends_with(".css");
    assets.keys().find(is_it).unwrap_or_else(|| panic!("{:?}", assets.keys())).clone()
}

/// The build as a project has it, with what it makes kept for the test to look at.
const BUILD: &str = "build.command = \"rake assets:precompile\"\nbuild.cleanup = false\n";

#[test]
fn visitors_read_on_through_five_deploys() {
    let stage = Stage::new();
    stage.configure(BUILD);
    stage.deploy("");
    let mut built = files(&stage.app.assets());
    assert_equal(&stage.app.assets(), &stage.site.assets());

    let puma = stage.site.serve(None).or_fail();
    let visitor = Visitor::of(puma.socket(), "/");
    await_rounds(&visitor, 2);
    stage.configure(&format!("{BUILD}{PHASED}"));
    for number in 1..=5 {
        match number % 2 {
            1 => stage.app.check_out_next().or_fail(),
            _ => stage.app.check_out_first().or_fail(),
        }
        fs::remove_dir_all(stage.app.assets()).or_fail();
        let sent = files_sent(&stage.deploy(""));
        let assets = files(&stage.app.assets());
        tell(&format!("deploy {number}: {sent} of {} files sent", assets.len()));
        assert!(sent < assets.len() as u64 / 2, "only changes travel");
        // The pages change once the first worker is new.
        await_page(&puma, &stylesheet(&assets));
        built.extend(assets);
        await_rounds(&visitor, 2);
    }
    let seen = visitor.finish();
    assert_eq!(seen.faults, Vec::<String>::new(), "{}", puma.log());
    assert!(seen.rounds > 12, "{} rounds", seen.rounds);
    assert!(seen.assets.keys().any(|name| name.starts_with("wheel-")), "the new image was seen");
    for (name, body) in &seen.assets {
        assert_eq!(built.get(name), Some(body), "{name} is what was built");
    }

    // As the recipe leaves it: old files gone, and workers that still name them. A visitor notices.
    let visitor = Visitor::of(puma.socket(), "/");
    stage.app.check_out_first().or_fail();
    fs::remove_dir_all(stage.app.assets()).or_fail();
    stage.configure(&format!("{BUILD}assets.delete = \"mirror\"\n"));
    stage.deploy("");
    await_rounds(&visitor, 2);
    let gone = |fault: &String| fault.contains("/assets/storefront-") && fault.ends_with(": 404");
    let faults = visitor.finish().faults;
    assert!(faults.iter().any(gone), "{faults:?}");
}

/// `set :rbenv_map_bins, %w{rake gem bundle ruby rails}`: what Capistrano's plugin for puma had
/// appended is lost.
#[test]
fn replacing_a_list_drops_puma_with_a_warning() {
    let stage = Stage::new();
    let assets = stage.app.assets();
    fs::create_dir_all(&assets).or_fail();
    fs::write(assets.join("robots.txt"), "User-agent: *").or_fail();
    let puma = stage.site.serve(None).or_fail();

    // No login finds Ruby.
    for program in ["ruby", "bundle", "pumactl", "rbenv"] {
        let ran = stage.login(&format!("{program} --version"));
        let not_found = format!("{program}: command not found");
        assert_eq!(ran.code(), Some(127), "{}", ran.stdout());
        assert!(ran.stderr().contains(&not_found), "{}", ran.stderr());
    }
    let shim = format!("RBENV_VERSION={RUBY} $HOME/.rbenv/shims/ruby -e 'puts 6 * 7'");
    assert_eq!(stage.login(&shim).stdout(), "42\n");

    stage.configure(&format!("{ASSIGNED}{PHASED}"));
    let warning = "warning: Assigning 'rbenv.map_bins' drops puma and pumactl";
    for words in ["config production", "deploy production --skip-build"] {
        let said = stage.run(words).stderr();
        for part in [warning, "assetsync.toml:2", "puma and pumactl are built in"] {
            assert!(said.contains(part), "{words}: no {part:?} in {said}");
        }
    }
    let ran = stage.run("deploy production --skip-build");
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr().contains("bundle: command not found"), "{}", ran.stderr());
    assert!(!puma.log().contains("phase: 1"), "puma was told nothing: {}", puma.log());

    // Bundler's list lost as well, the shell is asked for pumactl itself.
    let both = ASSIGNED.replace("rbenv.map_bins", "bundler.bins");
    stage.configure(&format!("{ASSIGNED}{both}{PHASED}"));
    let ran = stage.run("deploy production --skip-build");
    assert_eq!(ran.code(), Some(1));
    let missing = "pumactl\u{2019}: No such file or directory";
    let said = ran.stderr().replace('\'', "\u{2019}");
    assert!(said.contains(missing), "{said}");

    // Appended to, the list keeps what it had.
    stage.configure(&format!("rbenv.map_bins.append = [\"rails\"]\n{PHASED}"));
    let ran = stage.run("deploy production --skip-build");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(!ran.stderr().contains("warning"), "{}", ran.stderr());
    assert!(ran.stderr().contains("/rbenv exec bundle exec pumactl -S "), "{}", ran.stderr());
    let deadline = Instant::now() + Duration::from_secs(120);
    while !puma.log().contains("phase: 1") {
        assert!(Instant::now() < deadline, "no phased restart: {}", puma.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(puma.get("/up").or_fail().body, b"up");
}

#[test]
fn a_vite_application_is_built_and_only_its_changes_travel() {
    let (room, machine) = (scratch(), Machine::new());
    let project = room.path().join("lamps");
    checkout("vite", &project);
    std::os::unix::fs::symlink(node_modules("vite").or_fail(), project.join("node_modules"))
        .or_fail();
    let server = Sshd::builder().in_home().start().or_fail();
    let settings = format!(
        "application = \"lamps\"\nbuild.command = \"npm run build\"\nbuild.cleanup = false\n\
         assets.source = \"public/vite\"\nssh.config = \"{}\"\ndeploy_to = \"{}\"\n\
         [[stages.production.hosts]]\naddress = \"{}\"\nroles = [\"web\"]\n",
        text(server.ssh_config()),
        text(&server.home().join("lamps")),
        Route::ALIAS
    );
    fs::write(project.join("assetsync.toml"), settings).or_fail();
    let deploy = || {
        let mut command = machine.command(["deploy", "production", "--json"]);
        let ran = Ran(command.current_dir(&project).output().or_fail());
        assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
        files_sent(&events(&ran))
    };
    let (built, served) =
        (project.join("public/vite"), server.home().join("lamps/shared/public/vite"));
    deploy();
    assert_equal(&built, &served);
    let first = files(&built);

    let stock = project.join("src/stock.js");
    let changed = fs::read_to_string(&stock).or_fail().replace("12", "13");
    fs::write(&stock, changed).or_fail();
    let sent = deploy();
    let (second, served) = (files(&built), files(&served));
    assert_ne!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    assert!(sent < second.len() as u64, "{sent} of {} files sent", second.len());
    for (name, body) in &second {
        assert_eq!(served.get(name), Some(body), "{name} is served");
    }
    // Those who have the old page still find what it names.
    for (name, _) in first.iter().filter(|(name, _)| name.starts_with("assets/")) {
        assert!(served.contains_key(name), "{name} is still served");
    }
}

/// Copies the own files of one of the applications.
fn checkout(app: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps").join(app);
    let mut copy = Command::new("cp");
    assert!(copy.arg("-r").arg(from).arg(to).status().or_fail().success());
}
