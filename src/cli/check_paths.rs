//! Refuses places on the command line that are hardly what was meant: several sources as rsync
//! takes them, a forgotten colon, a destination in the source. No host is reached and nothing is
//! changed before that.

use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use assetsync_core::text;
use assetsync_ssh::{RemoteTarget, Target};
use assetsync_sync::scan::filter::Verdict;
use clap::ArgMatches;

use super::args::SshArguments;
use super::push_paths::{Destination, PushPaths, push_command};
use super::{check_several, given};
use crate::error::CommandError;

/// What a path with a drive letter may be about.
const DRIVES: &str = "a drive of Windows has another name here: C: is /mnt/c in WSL, \
                      /c in Git Bash, /cygdrive/c in Cygwin";

impl PushPaths<'_> {
    /// Refuses paths that are probably a mistake; `matches` tells which options were given.
    pub fn check(&self, matches: &ArgMatches) -> Result<(), CommandError> {
        self.refuse_remote_source()?;
        self.destinations.iter().try_for_each(refuse_drive)?;
        check_several::refuse(self)?;
        self.refuse_twice()?;
        // With several destinations all are hosts by now.
        match self.destinations {
            [Destination { label, target: Target::Local(path) }] => {
                refuse_host_options(matches, label, path)?;
                refuse_forgotten_colon(label, path)?;
                self.refuse_overlap(label, path)
            }
            _ => Ok(()),
        }
    }

    /// Refuses names of stages in the place of directories that do not exist.
    pub fn refuse_stages(&self, is_stage: impl Fn(&str) -> bool) -> Result<(), CommandError> {
        let stage_of = |path: &Path| {
            let name = path.to_str().filter(|name| !name.contains('/') && !path.exists());
            name.filter(|name| is_stage(name)).map(str::to_owned)
        };
        if let Some(stage) = stage_of(self.source) {
            let text = format!(
                "{stage} is a stage of assetsync.toml and no directory; a stage's settings say where to push, \
                 so DEST can't be given"
            );
            return Err(CommandError::usage(text)
                .hint(format!("to push to the stage's hosts: assetsync push {stage}")));
        }
        let [Destination { target: Target::Local(path), .. }] = self.destinations else {
            return Ok(());
        };
        match stage_of(path) {
            Some(stage) => Err(CommandError::usage(format!(
                "{stage} is a stage of assetsync.toml, and there is no directory {stage}"
            ))
            .hint(format!("to push to the stage's hosts: assetsync push {stage}"))
            .hint(format!("for a new directory of that name: ./{stage}"))),
            None => Ok(()),
        }
    }

    /// Files are never pulled; a local directory may have a colon in its name, if it is there.
    fn refuse_remote_source(&self) -> Result<(), CommandError> {
        let Ok(Target::Remote(remote)) = Target::parse(self.source.as_os_str()) else {
            return Ok(());
        };
        if self.source.is_dir() {
            return Ok(());
        }
        let source = text::path(self.source);
        let mut error = CommandError::usage(format!(
            "SRC {source} is a directory of the host {}; assetsync pushes from this machine and never pulls",
            remote.host
        ));
        if has_drive(self.source.as_os_str().as_bytes()) {
            error = error.hint(DRIVES);
        } else if let [Destination { label, target: Target::Local(_) }] = self.destinations {
            error = error
                .hint(format!("to push {label} to the host: {}", push_command(&[label, &source])))
                .hint("to fetch files from a host, use rsync or scp");
        }
        Err(error)
    }

    fn refuse_twice(&self) -> Result<(), CommandError> {
        let mut seen: Vec<&Target> = Vec::new();
        for Destination { label, target } in self.destinations {
            if seen.iter().any(|other| is_same(other, target)) {
                return Err(CommandError::usage(format!("Destination {label} is given twice")));
            }
            seen.push(target);
        }
        Ok(())
    }

    /// A destination that is the source, is in it, or, with deletes, has it inside.
    fn refuse_overlap(&self, label: &str, path: &Path) -> Result<(), CommandError> {
        let (true, Some(from), Some(to)) =
            (self.source.is_dir(), resolved(self.source), resolved(path))
        else {
            return Ok(());
        };
        let source = text::path(self.source);
        if from == to {
            return Err(CommandError::usage(format!(
                "DEST {label} and SRC {source} are one directory"
            )));
        }
        if self.delete && from.starts_with(&to) {
            let text = format!("--delete would delete the source, which is in {label}");
            return Err(CommandError::usage(text));
        }
        match to.strip_prefix(&from) {
            Ok(inside) if !self.is_excluded(inside) => Err(CommandError::usage(format!(
                "DEST {label} is inside SRC {source}: each push would also push what the one before left there"
            ))
            .hint(format!(
                "name a DEST outside of {source}, or leave it out: --exclude /{}",
                text::path(inside)
            ))),
            _ => Ok(()),
        }
    }

    /// Whether a directory of the source, or one that it is in, is left out.
    fn is_excluded(&self, inside: &Path) -> bool {
        let mut ways = inside.ancestors().filter(|way| !way.as_os_str().is_empty());
        ways.any(|way| self.filter.verdict(way.as_os_str().as_bytes(), true) == Verdict::Excluded)
    }
}

/// `C:\www` is no path of a host called `C`.
fn refuse_drive(destination: &Destination) -> Result<(), CommandError> {
    match &destination.target {
        Target::Remote(remote)
            if remote.host.len() == 1 && remote.path.as_bytes().starts_with(b"\\") =>
        {
            let text = format!("DEST {} is a path of Windows", destination.label);
            Err(CommandError::usage(text).hint(DRIVES))
        }
        _ => Ok(()),
    }
}

/// Options for hosts tell that a host was meant.
fn refuse_host_options(matches: &ArgMatches, label: &str, path: &Path) -> Result<(), CommandError> {
    let Some(option) = given::first_of::<SshArguments>(matches, &[]) else { return Ok(()) };
    let text =
        format!("{option} is for hosts, and DEST {label} is a local directory: it has no colon");
    let error = CommandError::usage(text);
    let error = match likely_host(path) {
        Some(meant) => error.hint(format!("if a host was meant: {meant}")),
        None => error.hint("a host is written [user@]host:path"),
    };
    Err(error.hint(format!("for a directory of this machine, leave {option} out")))
}

/// `deploy@web1` and `10.0.0.7/srv` are hosts without a colon, if nothing of that name is here.
fn refuse_forgotten_colon(label: &str, path: &Path) -> Result<(), CommandError> {
    let Some(Component::Normal(first)) = path.components().next() else { return Ok(()) };
    let first = first.to_string_lossy();
    let looks_like_host = first.contains('@') || first.parse::<IpAddr>().is_ok();
    match likely_host(path) {
        Some(meant) if looks_like_host && !Path::new(&*first).exists() => {
            let text = format!("DEST {label} looks like a host, but has no colon");
            Err(CommandError::usage(text)
                .hint(format!("if a host was meant: {meant}"))
                .hint(format!("for a new directory of this machine: ./{label}")))
        }
        _ => Ok(()),
    }
}

/// A relative path as a directory of a host, where its first name can be one: `web1:PATH`, `web1:/srv`.
fn likely_host(path: &Path) -> Option<String> {
    let mut names = path.components();
    let Component::Normal(host) = names.next()? else { return None };
    let path = match names.as_path().to_str()? {
        "" => "PATH".to_owned(),
        below => format!("/{below}"),
    };
    let meant = format!("{}:{path}", host.to_str()?);
    matches!(Target::parse(meant.as_ref()), Ok(Target::Remote(_))).then_some(meant)
}

/// Whether two destinations are the same directory, as far as their words tell.
fn is_same(one: &Target, other: &Target) -> bool {
    match (one, other) {
        (Target::Remote(one), Target::Remote(other)) => {
            let host = |target: &RemoteTarget| RemoteTarget { path: "".into(), ..target.clone() };
            host(one) == host(other) && Path::new(&one.path) == Path::new(&other.path)
        }
        _ => one == other,
    }
}

fn has_drive(given: &[u8]) -> bool {
    matches!(given, [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// The path without links and `..`, as far as it exists.
fn resolved(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let exists =
        |there: &Path| Some(there.canonicalize().ok()?.join(path.strip_prefix(there).ok()?));
    path.ancestors().find_map(exists)
}
