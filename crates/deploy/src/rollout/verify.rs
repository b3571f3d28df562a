//! Asks the web server of each host for what is live there, as a visitor does.

use assetsync_core::sample::sample;
use assetsync_ssh::host_config;
use assetsync_sync::Report;
use assetsync_verify::{Published, Visit, Visited};

use super::bucket_checks;
use super::bucket_targets;
use super::each::each;
use super::error::{RolloutError, TargetError};
use super::event::{Event, Phase};
use super::options::Rollout;
use super::outcome::{Outcome, ServedVersion, TargetOutcome};
use super::payload;
use super::pipeline::Pipeline;
use super::retention::known;
use super::target::{DeployTarget, login};
use crate::config::{AssetSet, Host, Web};
use crate::history::{Content, HistoryFile, Tree};

/// Files that each target is asked for, at most.
const MOST: usize = 1000;

/// Ends of names that browsers do not ask for: compressed siblings and source maps.
const NOT_ASKED: [&[u8]; 3] = [b".gz", b".br", b".map"];

/// What a target is asked for.
pub(super) struct Check {
    pub target: DeployTarget,
    /// The files.
    files: Vec<Published>,
    /// How many the deploy has for visitors.
    all: usize,
}

impl Check {
    /// Of a target where `tree` is live.
    pub fn new(target: &DeployTarget, tree: &Tree) -> Check {
        let all = for_visitors(tree);
        let files = chosen(&all, MOST).filter_map(published).collect();
        Check { target: target.clone(), files, all: all.len() }
    }
}

impl Rollout<'_> {
    /// Asks the web server of every host for the files that are live there, and compares buckets
    /// with what is live in them; changes nothing.
    pub fn verify(&self) -> Result<Outcome, RolloutError> {
        let has_web = self.targets()?.iter().any(|target| self.web(target).is_some());
        if !has_web && bucket_targets::sets(self).is_empty() {
            return Err(RolloutError::NoSite(self.deployment.stage.clone()));
        }
        let mut pipeline = Pipeline::new(self)?;
        let checks = match pipeline.live_checks() {
            Ok(checks) => checks,
            Err(error) => return Ok(pipeline.outcome(Vec::new(), 0, Some(error))),
        };
        pipeline.begin(Phase::Verify);
        let asked = self.ask_all(&checks);
        let (buckets, ids): (Vec<_>, Vec<_>) = bucket_checks::verify(self).into_iter().unzip();
        if !has_web {
            pipeline.id = ids.into_iter().flatten().next().unwrap_or(pipeline.id);
        }
        let errors = asked.iter().map(|(_, error)| error);
        let ended = not_verified(errors.chain(buckets.iter().map(|bucket| &bucket.error)));
        let outcomes = asked.into_iter().map(|(target, error)| {
            pipeline.targets.retain(|other| other.label != target.label);
            // Nothing was pushed, and what is live was asked for.
            let report = error.is_none().then(Report::default);
            let served_version = ServedVersion::New;
            TargetOutcome { error, report, served_version, ..TargetOutcome::of(&target) }
        });
        let outcomes = outcomes.chain(buckets).collect();
        Ok(pipeline.outcome(outcomes, 0, ended))
    }

    fn web(&self, target: &DeployTarget) -> Option<(&Host, &AssetSet, &Web)> {
        let host = &self.deployment.hosts[target.host];
        Some((host, &self.deployment.assets[target.set], host.web.as_ref()?))
    }

    /// Whether any host has a site.
    pub(super) fn has_web(&self) -> bool {
        self.deployment.hosts.iter().any(|host| host.web.is_some())
    }

    /// Asks all targets that have a site, and returns what is wrong with each.
    pub(super) fn ask_all(&self, checks: &[Check]) -> Vec<(DeployTarget, Option<TargetError>)> {
        let asked = each(checks, self.deployment.max_parallel, |check| self.ask(check));
        let judged = asked.into_iter().map(|(check, asked)| {
            let error = asked.err();
            if let Some(reason) = &error {
                self.monitor.event(&Event::Failed { target: &check.target.label, reason });
            }
            (check.target.clone(), error)
        });
        judged.collect()
    }

    fn ask(&self, check: &Check) -> Result<(), TargetError> {
        let Some((host, set, web)) = self.web(&check.target) else { return Ok(()) };
        let address = self.web_address(host, web, &check.target);
        let site = web.site.below(set.url_path.as_deref().unwrap_or_default());
        let visit = Visit {
            site: &site,
            connect_to: Some(&address),
            patience: self.deployment.timeouts.verify,
        };
        let visited = visit.ask(&check.files, &|| self.cancel.is_cancelled());
        right(visited, address)?;
        let (target, files) = (check.target.label.as_str(), (check.files.len(), check.all));
        self.monitor.event(&Event::Verified { target, files, headers: None });
        Ok(())
    }

    /// What is connected to: the setting, or where ssh connects to.
    fn web_address(&self, host: &Host, web: &Web, target: &DeployTarget) -> String {
        web.address.clone().unwrap_or_else(|| {
            let config = host_config(&login(host), &target.ssh);
            config.map_or_else(|_| host.address.clone(), |config| config.hostname)
        })
    }
}

impl Pipeline<'_> {
    /// What is live on each target that has a site.
    fn live_checks(&mut self) -> Result<Vec<Check>, RolloutError> {
        self.begin(Phase::Check);
        let rollout = self.rollout;
        self.targets.retain(|target| rollout.web(target).is_some());
        let mut checks = Vec::new();
        for (target, survey) in self.surveyed()? {
            let live = known(&survey).map_err(TargetError::History).and_then(|known| {
                let live = known.history.live().ok_or(TargetError::NoDeploy)?;
                Ok((known.history.deploys()[live].id, known.history.tree(live)))
            });
            match live {
                Ok((id, tree)) => {
                    self.id = id;
                    checks.push(Check::new(&target, &tree));
                }
                Err(error) => self.exclude(&target, error),
            }
        }
        self.go_on_without_failed().map_err(|error| match error {
            RolloutError::NotStaged { failed, all } => RolloutError::NotVerified { failed, all },
            error => error,
        })?;
        Ok(checks)
    }
}

/// The error of a rollout whose targets were asked, with these results.
pub(super) fn not_verified<'e>(
    asked: impl Iterator<Item = &'e Option<TargetError>>,
) -> Option<RolloutError> {
    let (all, failed) =
        asked.fold((0, 0), |(all, failed), error| (all + 1, failed + usize::from(error.is_some())));
    (failed > 0).then_some(RolloutError::NotVerified { failed, all })
}

/// The tree that a payload makes live.
pub(super) fn tree(set: &AssetSet, payload: &payload::Payload) -> Result<Tree, RolloutError> {
    let entry_points = payload::entry_points(set)?;
    // No two entries of a source have one path.
    Ok(super::retention::tree(payload.source.hashed()?, &entry_points).unwrap_or_default())
}

fn right(visited: Visited, address: String) -> Result<(), TargetError> {
    let others = visited.unlike.len().saturating_sub(1);
    match visited.unlike.into_iter().next() {
        None => Ok(()),
        Some(first) => {
            let (url, difference) = (first.url, first.difference);
            Err(TargetError::Unlike { url, difference, address, others })
        }
    }
}

/// The files that browsers ask for: no hidden ones, which web servers mostly refuse.
fn for_visitors(tree: &Tree) -> Vec<&HistoryFile> {
    let is_hidden = |path: &[u8]| path.split(|&byte| byte == b'/').any(|it| it.starts_with(b"."));
    let is_asked = |file: &&HistoryFile| {
        let path = file.path.as_bytes();
        matches!(file.content, Content::File { .. })
            && !is_hidden(path)
            && !NOT_ASKED.iter().any(|end| path.ends_with(end))
    };
    tree.files().iter().filter(is_asked).collect()
}

/// At most `most` of them: entry points first, and of the others as many, evenly spread.
fn chosen<'t>(files: &[&'t HistoryFile], most: usize) -> impl Iterator<Item = &'t HistoryFile> {
    let (first, others): (Vec<_>, Vec<_>) =
        files.iter().copied().partition(|file| file.attributes.entry_point);
    sample(first, others, most)
}

fn published(file: &HistoryFile) -> Option<Published> {
    match file.content {
        Content::File { size, digest } => Some(Published { path: file.path.clone(), size, digest }),
        Content::Symlink { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixtures::file;

    fn names(files: &[&HistoryFile]) -> Vec<String> {
        files.iter().map(|file| file.path.to_string()).collect()
    }

    #[test]
    fn what_browsers_ask_for() {
        let names_of_all = [".vite/manifest.json", "a/.x", "app.js", "app.js.gz", "app.js.map"];
        let tree = Tree::new(names_of_all.iter().map(|name| file(name, 1)).collect()).unwrap();
        assert_eq!(names(&for_visitors(&tree)), ["app.js"]);
    }

    #[test]
    fn of_many_files_some_are_asked_for_and_all_entry_points() {
        let all: Vec<HistoryFile> = (0..10)
            .map(|at| {
                let mut made = file(&format!("{at}.js"), 1);
                made.attributes.entry_point = at == 8;
                made
            })
            .collect();
        let all: Vec<&HistoryFile> = all.iter().collect();
        let few: Vec<&HistoryFile> = chosen(&all, 4).collect();
        assert_eq!(names(&few), ["8.js", "0.js", "3.js", "6.js"]);
        assert_eq!(chosen(&all, 100).count(), 10);
    }
}
