//! The story, from the beginning.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use assetsync_testbed::Route;
use assetsync_testbed::memory::Cgroup;
use assetsync_testbed::rails::{App, RUBY, Site};
use assetsync_testbed::rsync::rsync_over;
use assetsync_testbed::tree::{DiffOptions, diff_trees, snapshot};

use crate::error::StoryError;
use crate::server::{Server, Way, joining, well};

/// What copying compiled assets to the server took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Copying {
    /// From the command's start to its end.
    pub seconds: f64,
    /// Both ways, before sshd: TCP payload.
    pub bytes: u64,
    /// The most that its sessions took on the server, written files in the page cache included, in bytes.
    pub peak: u64,
}

/// How compiling on the server went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Whether the kernel killed it.
    pub killed: bool,
    /// Until then.
    pub seconds: f64,
    /// The most that the server took meanwhile, without what Linux has, in bytes.
    pub peak: u64,
}

/// All that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Story {
    /// Compiling on the server.
    pub compiling: Outcome,
    /// The most that compiling takes where nothing limits it, in bytes.
    pub wanted: u64,
    /// What puma takes on the server by itself, in bytes.
    pub puma: u64,
    /// The recipe's first deploy and its second.
    pub recipe: [Copying; 2],
    /// The same by `assetsync deploy`.
    pub deploys: [Copying; 2],
}

/// Room for compiling without a limit that is felt.
const AMPLE: u64 = 8 << 30;

/// Tells the story in the directory `room`, with `assetsync`, saying by `say` what happens.
pub fn tell(assetsync: &Path, room: &Path, say: &mut dyn FnMut(&str)) -> Result<Story, StoryError> {
    say("compiling both versions here");
    let app = App::shop(&room.join("checkout"))?;
    let wanted = compile_unlimited(&app)?;
    let first = keep(&app, &room.join("first"))?;
    app.check_out_next()?;
    app.compile()?;
    let builds = [first, keep(&app, &room.join("second"))?];
    app.check_out_first()?;

    say("compiling on the server");
    let (compiling, puma) = compile_there(&room.join("compiling"), &app)?;
    say("the recipe: rsync -av --delete");
    let recipe = copy_twice(&room.join("recipe"), &app, &builds, recipe)?;
    say("assetsync deploy");
    let machine = room.join("machine");
    let deploy =
        |way: &Way, site: &Site, build: &Path| deploy(assetsync, &machine, way, site, build);
    let deploys = copy_twice(&room.join("deploy"), &app, &builds, deploy)?;
    Ok(Story { compiling, wanted, puma, recipe, deploys })
}

/// Compiles here; says what that took at its peak.
fn compile_unlimited(app: &App) -> Result<u64, StoryError> {
    let group = Cgroup::new(AMPLE)?;
    let mut rake = Command::new("rake");
    rake.arg("assets:precompile").env("RAILS_ENV", "production").current_dir(app.dir());
    let ran = group.run(&rake)?;
    well("assets:precompile", &ran.output)?;
    ran.peak.ok_or_else(|| StoryError::Odd("this kernel does not tell peaks".to_owned()))
}

/// Moves what was compiled to `to`.
fn keep(app: &App, to: &Path) -> Result<PathBuf, StoryError> {
    rename(&app.assets(), to).map(|()| to.to_path_buf())
}

/// Compiles where the server's memory is what it is and puma at work; also gives what puma takes.
fn compile_there(dir: &Path, app: &App) -> Result<(Outcome, u64), StoryError> {
    let server = Server::new(dir, app)?;
    let _puma = server.serve()?;
    let puma = server.memory.peak().unwrap_or_default();
    let join = joining(&server.memory);
    let sshd = server.site.sshd(Some(&join))?;
    let begin = Instant::now();
    let output = sshd.route().ssh()?.arg(on_the_server(&server.site)).output();
    let output = output.map_err(|source| io("run", Path::new("ssh"), source))?;
    let seconds = begin.elapsed().as_secs_f64();
    let kills = server.memory.oom_kills();
    if output.status.success() == (kills > 0) {
        well("assets:precompile on the server", &output)?;
        return Err(StoryError::Odd("a process was killed, but compiling ended well".to_owned()));
    }
    let peak = server.memory.peak().unwrap_or_default();
    Ok((Outcome { killed: kills > 0, seconds, peak }, puma))
}

/// What Capistrano runs to compile there.
fn on_the_server(site: &Site) -> String {
    format!(
        "cd '{}' && RBENV_ROOT=$HOME/.rbenv RBENV_VERSION={RUBY} RAILS_ENV=production \
         $HOME/.rbenv/bin/rbenv exec bundle exec rake assets:precompile",
        site.current().display()
    )
}

/// Brings both builds to a new server, one after the other, and sees that each has arrived.
fn copy_twice(
    dir: &Path,
    app: &App,
    builds: &[PathBuf; 2],
    copy: impl Fn(&Way, &Site, &Path) -> Result<Copying, StoryError>,
) -> Result<[Copying; 2], StoryError> {
    let server = Server::new(dir, app)?;
    let way = server.way(dir)?;
    let brought = |build: &PathBuf| {
        let took = copy(&way, &server.site, build)?;
        arrived(build, &server.site.assets()).map(|()| took)
    };
    Ok([brought(&builds[0])?, brought(&builds[1])?])
}

/// The pasted line.
fn recipe(way: &Way, site: &Site, build: &Path) -> Result<Copying, StoryError> {
    let to = format!("{}:{}/", Route::ALIAS, site.assets().display());
    let from = format!("{}/", build.display());
    let mut rsync = rsync_over(&way.route, ["-av", "--delete", &from, &to])?;
    way.copy("rsync", &mut rsync)
}

/// The same by a stage.
fn deploy(
    assetsync: &Path,
    machine: &Path,
    way: &Way,
    site: &Site,
    build: &Path,
) -> Result<Copying, StoryError> {
    let project = machine.join("project");
    fs::create_dir_all(&project).map_err(|source| io("make", &project, source))?;
    let settings = format!(
        "application = \"shop\"\ndeploy_to = \"{}\"\nssh.config = \"{}\"\nbuild.cleanup = false\n\
         assets.source = \"{}\"\nassets.destination = \"public/assets\"\n\
         [[stages.production.hosts]]\naddress = \"{}\"\nroles = [\"web\", \"app\"]\n",
        site.deploy_to().display(),
        way.route.config().display(),
        build.display(),
        Route::ALIAS,
    );
    let file = project.join("assetsync.toml");
    fs::write(&file, settings).map_err(|source| io("write", &file, source))?;
    let mut command = Command::new(assetsync);
    command.args(["deploy", "production", "--skip-build"]).current_dir(&project);
    command.env("HOME", machine);
    for (name, place) in [
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
    ] {
        command.env(name, machine.join(place));
    }
    way.copy("assetsync deploy", &mut command)
}

/// Fails unless all of `build` is in `there`; old files may be, too.
fn arrived(build: &Path, there: &Path) -> Result<(), StoryError> {
    let (expected, mut found) = (snapshot(build)?, snapshot(there)?);
    found.retain(|path, _| expected.contains_key(path));
    match &diff_trees(&expected, &found, &DiffOptions::default())[..] {
        [] => Ok(()),
        differences => {
            Err(StoryError::Odd(format!("It has not arrived: {}", differences.join("; "))))
        }
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), StoryError> {
    fs::rename(from, to).map_err(|source| io("rename", from, source))
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> StoryError {
    StoryError::Io { action, path: path.to_path_buf(), source }
}
