//! Several users push to one destination, and what they push belongs to where it lands.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use assetsync_testbed::Sshd;
use assetsync_testbed::tree::{DiffOptions, diff_trees, snapshot};
use tempfile::TempDir;

use crate::fleet::Fleet;
use crate::support::{Machine, OrFail, Ran, Way, scratch, text};

/// The group of the users, and of the destination.
const TEAM: u32 = 61_000;

/// Users by number; their own group has the same number. Number 0 is root.
const ANN: u32 = 61_001;
const BEN: u32 = 61_002;

/// A destination on a host where several users log in.
struct Shared {
    machine: Machine,
    dir: TempDir,
}

impl Shared {
    /// The directory `srv/assets`, of `owner` and the team, both with `mode`.
    fn new(owner: u32, mode: u32) -> Shared {
        let shared = Shared { machine: Machine::new(), dir: scratch() };
        set_mode(shared.dir.path(), 0o755);
        fs::create_dir_all(shared.assets()).or_fail();
        for dir in [shared.at("srv"), shared.assets()] {
            chown(&dir, Some(owner), Some(TEAM)).or_fail();
            set_mode(&dir, mode);
        }
        shared
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn assets(&self) -> PathBuf {
        self.at("srv/assets")
    }

    /// The next build: what `text` is in, in two directories.
    fn build(&self, content: &str) -> PathBuf {
        let source = self.at("source");
        fs::create_dir_all(source.join("css")).or_fail();
        for file in ["index.html", "css/app.css"] {
            fs::write(source.join(file), content).or_fail();
            set_mode(&source.join(file), 0o664);
        }
        for dir in [&source, &source.join("css")] {
            set_mode(dir, 0o775);
        }
        source
    }

    /// A push by a user of the team.
    fn try_push(&self, user: u32, source: &Path) -> Ran {
        self.machine.try_push(&self.way(user), &["--delete"], source)
    }

    fn way(&self, user: u32) -> Way {
        let (path, home) = (self.at(&format!("shell-{user}")), self.at(&format!("home-{user}")));
        fs::create_dir_all(&home).or_fail();
        chown(&home, Some(user), Some(user)).or_fail();
        let who = format!("setpriv --reuid={user} --regid={user} --groups={user},{TEAM}");
        let home = text(&home);
        let lines = format!(
            "#!/bin/sh\nshift\nexec {who} env HOME='{home}' XDG_CACHE_HOME='{home}' /bin/sh -c \"$1\"\n"
        );
        fs::write(&path, lines).or_fail();
        set_mode(&path, 0o755);
        Way::shell(&path, &self.assets())
    }

    /// Each of these users pushes a build of its own, in turn.
    #[track_caller]
    fn push_in_turn(&self, users: &[u32]) {
        for (turn, &user) in users.iter().enumerate() {
            let source = self.build(&format!("build {turn}"));
            self.try_push(user, &source).done();
            assert_same(&source, &self.assets());
        }
    }
}

/// Contents and times are the same; modes may differ by set-group-id, which directories inherit.
#[track_caller]
fn assert_same(source: &Path, destination: &Path) {
    let options = DiffOptions { modes: false, ..DiffOptions::default() };
    let trees = [source, destination].map(|tree| snapshot(tree).or_fail());
    assert_eq!(diff_trees(&trees[0], &trees[1], &options), Vec::<String>::new());
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).or_fail();
}

fn owner(path: &Path) -> (u32, u32) {
    let meta = fs::symlink_metadata(path).or_fail();
    (meta.uid(), meta.gid())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).or_fail().permissions().mode() & 0o7777
}

#[test]
fn users_of_one_group_push_in_turn_to_its_directory() {
    let shared = Shared::new(0, 0o2775);
    shared.push_in_turn(&[ANN, BEN, ANN, 0, BEN, ANN]);
    assert_eq!(owner(&shared.assets().join("css/app.css")), (ANN, TEAM));
    assert_eq!(mode(&shared.assets().join("css")), 0o2775);
}

#[test]
fn a_work_directory_of_an_earlier_version_is_opened_to_the_group_by_its_owner() {
    let shared = Shared::new(0, 0o2775);
    shared.push_in_turn(&[ANN]);
    let work = shared.at("srv/.assetsync-assets");
    for name in ["lock", "index", "clock"] {
        set_mode(&work.join(name), 0o600);
    }
    set_mode(&work, 0o700);
    let refused = shared.try_push(BEN, &shared.build("refused"));
    let why = refused.stderr() + &refused.stdout();
    assert_eq!(refused.code(), Some(1), "{why}");
    for part in [&format!("belongs to user {ANN}"), "chown -R --reference="] {
        assert!(why.contains(part), "{part} is not in {why}");
    }
    shared.push_in_turn(&[ANN, BEN]);
}

#[test]
fn the_owner_pushes_after_root_and_root_after_the_owner() {
    for users in [[0, ANN, 0, ANN], [ANN, 0, ANN, 0]] {
        let shared = Shared::new(ANN, 0o755);
        shared.push_in_turn(&users);
        let dir = shared.assets().join("new");
        fs::create_dir(shared.at("source/new")).or_fail();
        fs::write(shared.at("source/new/a.js"), "a").or_fail();
        shared.try_push(0, &shared.at("source")).done();
        assert_eq!((owner(&dir).0, owner(&dir.join("a.js")).0), (ANN, ANN));
        shared.push_in_turn(&[ANN]);
    }
}

#[test]
fn a_work_directory_of_a_user_who_may_not_write_the_destination_is_not_used() {
    let shared = Shared::new(ANN, 0o755);
    let work = shared.at("srv/.assetsync-assets");
    fs::create_dir(&work).or_fail();
    chown(&work, Some(BEN), Some(TEAM)).or_fail();
    set_mode(&work, 0o777);
    for user in [ANN, 0] {
        let refused = shared.try_push(user, &shared.build("refused"));
        let why = refused.stderr() + &refused.stdout();
        assert_eq!(refused.code(), Some(1), "{why}");
        assert!(why.contains(&format!("belongs to user {BEN}")), "{why}");
    }
    assert_eq!(fs::read_dir(shared.assets()).or_fail().count(), 0);
}

#[test]
fn what_is_staged_is_out_of_reach_of_the_other_users() {
    let shared = Shared::new(0, 0o2775);
    shared.push_in_turn(&[ANN, BEN]);
    let work = shared.at("srv/.assetsync-assets");
    let mut stages = Vec::new();
    for item in fs::read_dir(&work).or_fail() {
        let path = item.or_fail().path();
        if path.is_dir() {
            stages.push((owner(&path).0, mode(&path) & 0o777));
        }
    }
    stages.sort_unstable();
    assert_eq!(stages, [(ANN, 0o700), (BEN, 0o700)]);
}

#[test]
fn files_of_another_user_with_other_times_are_replaced_by_copies() {
    let shared = Shared::new(0, 0o2775);
    shared.push_in_turn(&[ANN]);
    let source = shared.at("source");
    let file = fs::File::open(source.join("css/app.css")).or_fail();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)).or_fail();
    shared.try_push(BEN, &source).done();
    assert_same(&source, &shared.assets());
    assert_eq!(owner(&shared.assets().join("css/app.css")).0, BEN);
    assert_eq!(owner(&shared.assets().join("index.html")).0, ANN);
}

#[test]
fn users_of_one_group_deploy_whole_directories_in_turn() {
    let (shared, fleet) = (Shared::new(0, 0o2775), Fleet::of(1));
    for dir in ["srv/app", "srv/app/current", "srv/app/shared", "srv/app/shared/public"] {
        fs::create_dir(shared.at(dir)).or_fail();
        chown(shared.at(dir), None, Some(TEAM)).or_fail();
        set_mode(&shared.at(dir), 0o2775);
    }
    for (user, content) in [(ANN, "first"), (BEN, "second"), (ANN, "third")] {
        // Closed to the group, so that only its owner may link it.
        for (file, content) in [("app.js", content), ("same.js", "same")] {
            fs::write(fleet.built().join(file), content).or_fail();
            set_mode(&fleet.built().join(file), 0o644);
        }
        set_mode(&fleet.built(), 0o775);
        let _ = shared.way(user);
        let (app, shell) = (text(&shared.at("srv/app")), shared.at(&format!("shell-{user}")));
        let shell = text(&shell);
        let options = format!("--set deploy_to={app} --set ssh.rsh={shell}");
        let ran = fleet.run(&format!("deploy production {options} --set assets.publish=directory"));
        assert_eq!(ran.code(), Some(0), "{content}: {}{}", ran.stdout(), ran.stderr());
        let live = shared.at("srv/app/shared/public/assets/app.js");
        assert_eq!(fs::read_to_string(live).or_fail(), content);
    }
}

#[test]
fn files_get_the_group_of_the_directory_that_they_land_in() {
    let shared = Shared::new(ANN, 0o2750);
    shared.push_in_turn(&[ANN, ANN]);
    for file in ["index.html", "css", "css/app.css"] {
        assert_eq!(owner(&shared.assets().join(file)), (ANN, TEAM), "{file}");
    }
    assert_eq!(mode(&shared.assets().join("css")), 0o2775);
    // Another group from now on.
    chown(shared.assets(), None, Some(ANN)).or_fail();
    set_mode(&shared.assets(), 0o2750);
    shared.push_in_turn(&[ANN]);
    assert_eq!(owner(&shared.assets().join("index.html")), (ANN, ANN));
}

/// What the agent needs for itself is private; what it makes for the web server is not.
#[test]
fn a_new_destination_has_the_mode_of_the_source_whatever_the_accounts_umask() {
    let (machine, dir) = (Machine::new(), scratch());
    set_mode(dir.path(), 0o755);
    let source = dir.path().join("source");
    fs::create_dir(&source).or_fail();
    fs::write(source.join("app.js"), "app()").or_fail();
    for (umask, of_source) in [("022", 0o750), ("077", 0o755), ("000", 0o755)] {
        set_mode(&source, of_source);
        let sshd = Sshd::builder().prelude(&format!("umask {umask}")).start().or_fail();
        let top = dir.path().join(umask);
        let place = top.join("shared/public/assets");
        machine.push(&Way::ssh(sshd.route(), &place), &[], &source);
        assert_eq!(mode(&place), of_source, "under umask {umask}");
        for made in place.ancestors().skip(1).take_while(|path| path.starts_with(&top)) {
            assert_eq!(mode(made), 0o755, "{} under umask {umask}", made.display());
        }
        assert_eq!(mode(&top.join("shared/public/.assetsync-assets")), 0o700);
    }
}
