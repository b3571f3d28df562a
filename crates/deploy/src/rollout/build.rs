//! Runs the build on this machine, and deletes its output afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::command_phase::CommandPhase;
use super::error::RolloutError;
use super::event::{Event, Phase};
use super::options::Rollout;
use super::pipeline::Pipeline;

impl Pipeline<'_> {
    /// Runs the build between its hooks.
    pub(super) fn build(&self, command: &str) -> Result<(), RolloutError> {
        let deployment = self.rollout.deployment;
        let commands = self.commands();
        commands.hooks(CommandPhase::BeforeBuild, &deployment.hooks.before_build)?;
        self.begin(Phase::Build);
        let local = commands.local(deployment.timeouts.build);
        local.run(command).map_err(|failure| {
            let (command, failure) = (self.secrets.redact(command), Box::new(failure));
            RolloutError::Build { command, failure }
        })?;
        commands.hooks(CommandPhase::AfterBuild, &deployment.hooks.after_build)
    }

    /// Deletes the output of the build. A directory that holds anything else is kept.
    pub(super) fn clean_up(&self) -> Result<(), RolloutError> {
        let Rollout { deployment, project, monitor, .. } = self.rollout;
        for set in &deployment.assets {
            let path = project.join(&set.source);
            match reason_to_keep(project, &path) {
                Some(reason) => {
                    let path = assetsync_core::text::path(&path);
                    self.notice(&format!("{path} is not deleted here: {reason}"));
                }
                None => {
                    let removed = fs::remove_dir_all(&path);
                    removed
                        .map_err(|source| RolloutError::CleanUp { path: path.clone(), source })?;
                    monitor.event(&Event::CleanedUp { path: &path });
                }
            }
        }
        Ok(())
    }
}

/// The reason why a directory must not be deleted, if there is one.
fn reason_to_keep(project: &Path, path: &Path) -> Option<String> {
    let (Ok(project), Ok(path)) = (project.canonicalize(), path.canonicalize()) else {
        return Some("it can't be found".into());
    };
    if path == project || !path.starts_with(&project) {
        return Some("it is not below the project's folder".into());
    }
    let repository = repository_of(&project)?;
    match tracked(&repository, &path) {
        Some(false) => None,
        Some(true) => Some("it holds files that are under version control".into()),
        None => Some("git can't say whether it holds files that are under version control".into()),
    }
}

fn repository_of(project: &Path) -> Option<PathBuf> {
    project.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_path_buf)
}

/// Whether git tracks any file below `path`; none if git can't be run.
fn tracked(repository: &Path, path: &Path) -> Option<bool> {
    let mut git = Command::new("git");
    git.arg("-C").arg(repository).args(["ls-files", "-z", "--"]).arg(path);
    let listed = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    listed.status.success().then_some(!listed.stdout.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_with_other_files_are_kept() {
        let room = tempfile::tempdir().expect("a directory");
        let project = room.path().join("shop");
        let assets = project.join("public/assets");
        fs::create_dir_all(&assets).expect("a directory");
        assert_eq!(reason_to_keep(&project, &assets), None);
        for outside in [&project, &room.path().to_path_buf(), &project.join("nowhere")] {
            assert!(reason_to_keep(&project, outside).is_some(), "{outside:?}");
        }
        let git = |args: &[&str]| {
            let ran = Command::new("git").arg("-C").arg(&project).args(args).output();
            assert!(ran.expect("git is installed").status.success(), "git {args:?}");
        };
        git(&["init", "-q"]);
        assert_eq!(reason_to_keep(&project, &assets), None);
        fs::write(project.join("public/404.html"), "gone").expect("a file");
        fs::write(assets.join("app.js"), "app").expect("a file");
        git(&["add", "public/404.html"]);
        assert_eq!(reason_to_keep(&project, &assets), None);
        let why = reason_to_keep(&project, &project.join("public")).expect("a reason");
        assert_eq!(why, "it holds files that are under version control");
    }
}
