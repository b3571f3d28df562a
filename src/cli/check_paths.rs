//! Refuses paths that are probably mistakes: several sources as in rsync, a forgotten colon, a
//! destination inside the source. Runs before connecting to a host or changing anything.

use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use assetsync_core::text;
use assetsync_ssh::Target;
use assetsync_sync::{Destination, PlacementError};
use clap::ArgMatches;
use clap::parser::ValueSource;

use super::connection::SshArguments;
use super::push_paths::{PushPaths, push_command};
use super::{check_several, given};
use crate::error::CommandError;

/// The hint for paths with a drive letter.
const DRIVES: &str = "Windows drives have other names here: C: is /mnt/c in WSL, \
                      /c in Git Bash, /cygdrive/c in Cygwin";

impl PushPaths<'_> {
    /// Refuses paths that are probably a mistake; `matches` tells which options were given.
    pub fn check(&self, matches: &ArgMatches) -> Result<(), CommandError> {
        self.refuse_remote_source()?;
        self.destinations.iter().try_for_each(refuse_drive)?;
        self.refuse_directory_options(matches)?;
        check_several::refuse(self)?;
        // Several destinations are all remote: checked above.
        if let [Destination { label, target: Target::Local(path) }] = self.destinations {
            refuse_host_options(matches, label, path)?;
            refuse_forgotten_colon(label, path)?;
        }
        Ok(())
    }

    /// Refuses names of stages where no directory of that name exists.
    pub fn refuse_stages(&self, is_stage: impl Fn(&str) -> bool) -> Result<(), CommandError> {
        let stage_of = |path: &Path| {
            let name = path.to_str().filter(|name| !name.contains('/') && !path.exists());
            name.filter(|name| is_stage(name)).map(str::to_owned)
        };
        if let Some(stage) = stage_of(self.source()) {
            let text = format!(
                "{stage} is a stage of assetsync.toml, not a directory; a stage's settings name its \
                 hosts, so DEST can't be given"
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
            .hint(format!("to push to a new directory of that name: ./{stage}"))),
            None => Ok(()),
        }
    }

    /// Refuses to pull. A source with a colon is accepted if it exists here.
    fn refuse_remote_source(&self) -> Result<(), CommandError> {
        let Ok(Target::Remote(remote)) = Target::parse(self.source().as_os_str()) else {
            return Ok(());
        };
        if self.source().exists() {
            return Ok(());
        }
        let source = text::path(self.source());
        let mut error = CommandError::usage(format!(
            "SRC {source} is on the host {}; assetsync pushes from this machine and never pulls",
            remote.host
        ));
        if has_drive(self.source().as_os_str().as_bytes()) {
            error = error.hint(DRIVES);
        } else if let [Destination { label, target: Target::Local(_) }] = self.destinations {
            error = error
                .hint(format!("to push {label} to the host: {}", push_command(&[label, &source])))
                .hint("to fetch files from a host, use rsync or scp");
        }
        Err(error)
    }

    /// Refuses options that only make sense for a directory.
    fn refuse_directory_options(&self, matches: &ArgMatches) -> Result<(), CommandError> {
        if !self.are_files() {
            return Ok(());
        }
        let source = text::path(self.source());
        let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        if self.delete {
            let text = format!(
                "--delete is for directories, and {source} is a file: nothing beside a file that \
                 is pushed is extraneous"
            );
            return Err(CommandError::usage(text).hint("to push the file, omit --delete"));
        }
        if given("files_from") {
            let text = format!("--files-from lists files of a directory, and {source} is a file");
            let hint = "to push several files, name them before DEST";
            return Err(CommandError::usage(text).hint(hint));
        }
        Ok(())
    }

    /// A refused destination in terms of the command line.
    pub fn misplaced(&self, error: &PlacementError) -> CommandError {
        let source = text::path(self.source());
        match error {
            PlacementError::Twice(label) => {
                CommandError::usage(format!("Destination {label} is given twice"))
            }
            PlacementError::IsSource(label, _) => {
                CommandError::usage(format!("DEST {label} and SRC {source} are the same directory"))
            }
            PlacementError::HoldsSource(label, _) => CommandError::usage(format!(
                "--delete would delete the source, which is inside {label}"
            )),
            PlacementError::InSource { destination: label, inside, .. } => {
                CommandError::usage(format!(
                    "DEST {label} is inside SRC {source}: each push would also push the previous copy"
                ))
                .hint(format!(
                    "choose a DEST outside of {source}, or exclude it: --exclude /{}",
                    text::path(inside)
                ))
            }
        }
    }
}

/// `C:\www` is a Windows path, not a path on a host called `C`.
fn refuse_drive(destination: &Destination) -> Result<(), CommandError> {
    match &destination.target {
        Target::Remote(remote)
            if remote.host.len() == 1 && remote.path.as_bytes().starts_with(b"\\") =>
        {
            let text = format!("DEST {} is a Windows path", destination.label);
            Err(CommandError::usage(text).hint(DRIVES))
        }
        _ => Ok(()),
    }
}

/// Connection options with a local destination mean that a host was intended.
fn refuse_host_options(matches: &ArgMatches, label: &str, path: &Path) -> Result<(), CommandError> {
    let Some(option) = given::first_of::<SshArguments>(matches, &[]) else { return Ok(()) };
    let text =
        format!("{option} is for hosts, but DEST {label} is a local directory: it has no colon");
    let error = CommandError::usage(text);
    let error = match likely_host(path) {
        Some(meant) => error.hint(format!("to push to a host: {meant}")),
        None => error.hint("a host is written [user@]host:path"),
    };
    Err(error.hint(format!("for a local directory, omit {option}")))
}

/// `deploy@web1` and `10.0.0.7/srv` lack a colon, unless such a local path exists.
fn refuse_forgotten_colon(label: &str, path: &Path) -> Result<(), CommandError> {
    let Some(Component::Normal(first)) = path.components().next() else { return Ok(()) };
    let first = first.to_string_lossy();
    let looks_like_host = first.contains('@') || first.parse::<IpAddr>().is_ok();
    match likely_host(path) {
        Some(meant) if looks_like_host && !Path::new(&*first).exists() => {
            let text = format!("DEST {label} looks like a host, but has no colon");
            Err(CommandError::usage(text)
                .hint(format!("to push to a host: {meant}"))
                .hint(format!("to push to a new local directory: ./{label}")))
        }
        _ => Ok(()),
    }
}

/// A relative path read as a path on a host, if its first component can be a host name:
/// `web1:PATH`, `web1:/srv`.
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

fn has_drive(given: &[u8]) -> bool {
    matches!(given, [letter, b':', ..] if letter.is_ascii_alphabetic())
}
