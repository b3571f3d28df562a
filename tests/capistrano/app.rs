//! The real Rails application under real Capistrano, with visitors reading on meanwhile.

use std::collections::BTreeMap;
use std::fs;

use assetsync_testbed::rails::{App, Puma, RUBY, Site, Visitor};

use super::project::{BASE, OTHERS, OURS, Project, tasks};
use crate::rails::{await_page, await_rounds, files, stylesheet};
use crate::support::{OrFail, assert_equal, scratch, tell};

/// The end of its deploy.rb: a restart as capistrano3-puma composes it, at the plugin's moment.
///
/// It waits for the last worker to be new: a rollback deletes the release that was rolled back,
/// from which old workers still serve files.
const PUMA: &str = r##"
append :linked_dirs, "log", "tmp/pids", "tmp/sockets"
# What was built stays, for the test to look at.
set :assetsync_cleanup, false

namespace :puma do
  task :phased_restart do
    on roles(fetch(:puma_role)) do
      within current_path do
        with rack_env: "production" do
          next unless test("[ -f #{shared_path}/tmp/pids/puma.pid ]")

          files = "-S #{shared_path}/tmp/pids/puma.state -F #{shared_path}/puma.rb"
          stats = -> { JSON.parse(capture(:pumactl, "#{files} stats").lines.last) }
          phase = stats.call["phase"]
          renewed = lambda do |now|
            now["phase"] > phase && now["old_workers"].zero? && now["booted_workers"] == now["workers"]
          end
          execute :pumactl, "#{files} phased-restart"
          Timeout.timeout(120) { nil until renewed.call(stats.call) }
        end
      end
    end
  end
end
after "deploy:published", "puma:phased_restart"
"##;

/// Assets by their path below `public/assets`.
type Assets = BTreeMap<String, Vec<u8>>;

/// The shop, and the server that Capistrano deploys it to.
struct Shop {
    project: Project,
    app: App,
    site: Site,
}

impl Shop {
    /// The shop's first version, and a server that has had no release yet.
    fn new() -> Shop {
        let room = scratch();
        let app = App::shop(&room.path().join("shop")).or_fail();
        let site = Site::lay_out(&room.path().join("server"), &app).or_fail();
        fs::remove_file(site.current()).or_fail();
        fs::remove_dir_all(site.deploy_to().join("releases")).or_fail();
        let sshd = site.sshd(None).or_fail();
        let project = Project::of_checkout(room, sshd, site.deploy_to());
        project.configure(
            &format!("require 'json'\nrequire 'timeout'\n{BASE}{OTHERS}{OURS}"),
            &format!("set :rbenv_ruby, '{RUBY}'\n{PUMA}"),
        );
        // As every application has it.
        project.git(&["add", "-f", "Gemfile.lock"]);
        Shop { project, app, site }
    }

    /// `cap production deploy` of what is checked out; gives what was built, and of how many files
    /// something travelled.
    #[track_caller]
    fn deploy(&self, version: &str) -> (Assets, Sent) {
        if self.app.assets().exists() {
            fs::remove_dir_all(self.app.assets()).or_fail();
        }
        self.project.commit(version);
        let shown = self.project.cap("production deploy");
        assert!(shown.contains("bundle exec rake assets:precompile"), "{shown}");
        (files(&self.app.assets()), Sent::shown(&shown))
    }

    /// All of `assets` is served, and of manifests only theirs.
    #[track_caller]
    fn assert_serves(&self, assets: &Assets) {
        let served = files(&self.site.assets());
        let manifest = |names: &Assets| -> Vec<String> {
            names.keys().filter(|name| name.starts_with(".sprockets-manifest-")).cloned().collect()
        };
        assert_eq!(manifest(&served), manifest(assets));
        for (name, body) in assets {
            assert_eq!(served.get(name), Some(body), "{name} is served as it was built");
        }
    }
}

/// What a deploy says that it sent.
#[derive(Debug)]
struct Sent {
    files: usize,
    bytes: f64,
}

impl Sent {
    /// Read from `HOST: N files sent, SIZE`.
    #[track_caller]
    fn shown(shown: &str) -> Sent {
        let mut lines = shown.lines().filter_map(|line| {
            let (before, size) = line.split_once(" sent, ")?;
            let files = before.rsplit_once(": ")?.1.split(' ').next()?.parse().ok()?;
            let (amount, unit) = size.trim().split_once(' ')?;
            let power = ["B", "kB", "MB"].iter().position(|known| *known == unit)?;
            let bytes = amount.parse::<f64>().ok()? * [1.0, 1e3, 1e6][power];
            Some(Sent { files, bytes })
        });
        lines.next().unwrap_or_else(|| panic!("nothing is said to be sent: {shown}"))
    }
}

/// The release is live and its assets are: pages name them, and two rounds of the visitor went well
/// since.
fn await_release(puma: &Puma, visitor: &Visitor, assets: &Assets) {
    await_page(puma, &stylesheet(assets));
    await_rounds(visitor, 2);
}

#[test]
fn visitors_read_on_while_the_shop_is_deployed_and_rolled_back() {
    let shop = Shop::new();
    let (first, sent_first) = shop.deploy("1");
    assert_equal(&shop.app.assets(), &shop.site.assets());
    assert_eq!(sent_first.files, first.len(), "the server had nothing");

    let puma = shop.site.serve(None).or_fail();
    let visitor = Visitor::of(puma.socket(), "/");
    await_release(&puma, &visitor, &first);
    let before = visitor.rounds();

    shop.app.check_out_next().or_fail();
    let (second, sent_second) = shop.deploy("2");
    assert!(visitor.rounds() > before, "the visitor read meanwhile");
    assert!(puma.log().contains("phase: 1"), "{}", puma.log());
    await_release(&puma, &visitor, &second);
    shop.assert_serves(&second);
    let changed: Vec<_> =
        second.iter().filter(|(name, body)| first.get(*name) != Some(body)).collect();
    let bytes: usize = changed.iter().map(|(_, body)| body.len()).sum();
    tell(&format!(
        "{} files: {sent_first:?}; {} of {} changed, {bytes} bytes: {sent_second:?}",
        first.len(),
        changed.len(),
        second.len()
    ));
    assert!(changed.len() < second.len() / 2, "most of it stays as it was");
    assert!(sent_second.files <= changed.len(), "{sent_second:?}, and {} changed", changed.len());
    assert!(sent_second.bytes * 4.0 < bytes as f64, "{sent_second:?} for {bytes} bytes");
    for name in first.keys().filter(|name| !name.starts_with('.')) {
        assert!(shop.site.assets().join(name).exists(), "{name} is there for those with old pages");
    }

    let shown = shop.project.cap("production deploy:rollback");
    let tasks = tasks(&shown);
    assert!(!shown.contains("assets:precompile"), "nothing is built: {shown}");
    assert_eq!(Sent::shown(&shown).files, 0, "the server has it all: {shown}");
    assert!(tasks.contains(&"deploy:rollback_assets"), "{shown}");
    assert!(puma.log().contains("phase: 2"), "{}", puma.log());
    await_release(&puma, &visitor, &first);
    shop.assert_serves(&first);

    let seen = visitor.finish();
    assert_eq!(seen.faults, Vec::<String>::new(), "{}", puma.log());
    assert!(seen.assets.contains_key(&stylesheet(&first)));
    assert!(seen.assets.contains_key(&stylesheet(&second)));
    for (name, body) in &seen.assets {
        let built = first.get(name).or_else(|| second.get(name));
        assert_eq!(built, Some(body), "{name} is what was built");
    }
}
