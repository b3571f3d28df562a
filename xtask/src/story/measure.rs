//! Measures compiling on the server, rsync, and assetsync.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use assetsync_testbed::Route;
use assetsync_testbed::memory::Cgroup;
use assetsync_testbed::rails::{App, RUBY, Site};
use assetsync_testbed::rsync::rsync_over;
use assetsync_testbed::tree::{DiffOptions, diff_trees, snapshot};

use super::measurements::{Compile, Measurements, Transfer};
use super::server::{MeasuredRoute, Server, joining};
use crate::error::{Error, ErrorContext, Result};
use crate::repository::check;

/// A memory limit that compiling does not reach.
const UNLIMITED: u64 = 8 << 30;

/// Measures in the directory `scratch` with the program `assetsync`; calls `progress` before each
/// step.
pub fn measure(
    assetsync: &Path,
    scratch: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Measurements> {
    progress("compiling both versions here");
    let app = App::shop(&scratch.join("checkout"))?;
    let unlimited_compile_peak = compile_unlimited(&app)?;
    let first = keep(&app, &scratch.join("first"))?;
    app.check_out_next()?;
    app.compile()?;
    let builds = [first, keep(&app, &scratch.join("second"))?];
    app.check_out_first()?;

    progress("compiling on the server");
    let (compile, puma_peak) = compile_on_server(&scratch.join("compiling"), &app)?;
    progress("rsync -av --delete");
    let rsync = copy_twice(&scratch.join("rsync"), &app, &builds, rsync)?;
    progress("assetsync deploy");
    let home = scratch.join("machine");
    let deploy = |route: &MeasuredRoute, site: &Site, build: &Path| {
        route.copy("assetsync deploy", &mut deploy(assetsync, &home, &route.route, site, build)?)
    };
    let assetsync = copy_twice(&scratch.join("deploy"), &app, &builds, deploy)?;
    Ok(Measurements { compile, unlimited_compile_peak, puma_peak, rsync, assetsync })
}

/// Compiles here; returns the peak memory.
fn compile_unlimited(app: &App) -> Result<u64> {
    let group = Cgroup::new(UNLIMITED)?;
    let mut rake = Command::new("rake");
    rake.arg("assets:precompile").env("RAILS_ENV", "production").current_dir(app.dir());
    let ran = group.run(&rake)?;
    check("assets:precompile", &ran.output)?;
    ran.peak.ok_or_else(|| {
        Error::Unexpected("this kernel does not report the peak of a cgroup".to_owned())
    })
}

/// Moves the compiled assets to `to`.
fn keep(app: &App, to: &Path) -> Result<PathBuf> {
    fs::rename(app.assets(), to).doing("rename", app.assets())?;
    Ok(to.to_path_buf())
}

/// Compiles with the server's memory while puma runs; also returns puma's peak memory.
fn compile_on_server(dir: &Path, app: &App) -> Result<(Compile, u64)> {
    let server = Server::new(dir, app)?;
    let _puma = server.serve()?;
    let puma = server.memory.peak().unwrap_or_default();
    let join = joining(&server.memory);
    let sshd = server.site.sshd(Some(&join))?;
    let begin = Instant::now();
    let output = sshd.route().ssh()?.arg(compile_command(&server.site)).output();
    let output = output.doing("run", "ssh")?;
    let seconds = begin.elapsed().as_secs_f64();
    let kills = server.memory.oom_kills();
    if output.status.success() == (kills > 0) {
        check("assets:precompile on the server", &output)?;
        return Err(Error::Unexpected("a process was killed, but compiling ended well".to_owned()));
    }
    let peak = server.memory.peak().unwrap_or_default();
    Ok((Compile { killed: kills > 0, seconds, peak }, puma))
}

/// The command that Capistrano runs to compile on the server.
fn compile_command(site: &Site) -> String {
    format!(
        "cd '{}' && RBENV_ROOT=$HOME/.rbenv RBENV_VERSION={RUBY} RAILS_ENV=production \
         $HOME/.rbenv/bin/rbenv exec bundle exec rake assets:precompile",
        site.current().display()
    )
}

/// Copies both builds to a new server, one after the other, and checks each.
fn copy_twice(
    dir: &Path,
    app: &App,
    builds: &[PathBuf; 2],
    copy: impl Fn(&MeasuredRoute, &Site, &Path) -> Result<Transfer>,
) -> Result<[Transfer; 2]> {
    let server = Server::new(dir, app)?;
    let route = server.route(dir)?;
    let copy = |build: &PathBuf| {
        let transfer = copy(&route, &server.site, build)?;
        check_assets(build, &server.site.assets()).map(|()| transfer)
    };
    Ok([copy(&builds[0])?, copy(&builds[1])?])
}

/// Copies by rsync.
fn rsync(route: &MeasuredRoute, site: &Site, build: &Path) -> Result<Transfer> {
    let to = format!("{}:{}/", Route::ALIAS, site.assets().display());
    let from = format!("{}/", build.display());
    let mut rsync = rsync_over(&route.route, ["-av", "--delete", &from, &to])?;
    route.copy("rsync", &mut rsync)
}

/// The `assetsync deploy` of `build`, with a configuration and caches in `home`.
fn deploy(
    assetsync: &Path,
    home: &Path,
    route: &Route,
    site: &Site,
    build: &Path,
) -> Result<Command> {
    let project = home.join("project");
    fs::create_dir_all(&project).doing("make", &project)?;
    let settings = format!(
        "application = \"shop\"\ndeploy_to = \"{}\"\nssh.config = \"{}\"\nbuild.cleanup = false\n\
         assets.source = \"{}\"\nassets.destination = \"public/assets\"\n\
         [[stages.production.hosts]]\naddress = \"{}\"\nroles = [\"web\", \"app\"]\n",
        site.deploy_to().display(),
        route.config().display(),
        build.display(),
        Route::ALIAS,
    );
    let file = project.join("assetsync.toml");
    fs::write(&file, settings).doing("write", &file)?;
    let mut command = Command::new(assetsync);
    command.args(["deploy", "production", "--skip-build"]).current_dir(&project);
    command.env("HOME", home);
    for (name, place) in [
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
    ] {
        command.env(name, home.join(place));
    }
    Ok(command)
}

/// Fails unless all of `build` is in `assets`, which may hold old files, too.
fn check_assets(build: &Path, assets: &Path) -> Result<()> {
    let (expected, mut found) = (snapshot(build)?, snapshot(assets)?);
    found.retain(|path, _| expected.contains_key(path));
    match &diff_trees(&expected, &found, &DiffOptions::default())[..] {
        [] => Ok(()),
        differences => Err(Error::Unexpected(format!(
            "The server's assets differ: {}",
            differences.join("; ")
        ))),
    }
}
