//! The real rsync: the reference for what a mirror is, and the competitor.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use assetsync_loopback_sshd::Route;
use assetsync_loopback_sshd::process::{find, run};

use crate::error::Result;

/// A mirror: everything equal, by content, to the nanosecond (without the window rsync
/// compares whole seconds and leaves a file whose time differs by less as it is).
const MIRROR: [&str; 4] = ["-a", "--delete", "--checksum", "--modify-window=-1"];

/// Mirrors `src` to `dst` by rsync.
pub fn mirror(src: &Path, dst: &Path) -> Result<()> {
    run(rsync()?.args(MIRROR).arg(contents(src)).arg(contents(dst)))?;
    Ok(())
}

/// An rsync that reaches its remote paths by `route`; name the host [`Route::ALIAS`] in `args`.
///
/// The command is returned unstarted, for the caller to run, time or limit.
pub fn rsync_over<A: AsRef<OsStr>>(
    route: &Route,
    args: impl IntoIterator<Item = A>,
) -> Result<Command> {
    let mut command = rsync()?;
    command.arg("-e").arg(route.remote_shell()).args(args);
    Ok(command)
}

/// An rsync command without arguments.
fn rsync() -> Result<Command> {
    Ok(Command::new(find("rsync", "rsync")?))
}

/// `dir` with a trailing slash: its contents, not itself. A path that starts with a dash or holds
/// a colon would be an option or a host, so it also starts with a slash or a dot.
fn contents(dir: &Path) -> OsString {
    let mut path = OsString::from(if dir.is_absolute() { "" } else { "./" });
    path.push(dir);
    path.push("/");
    path
}

#[cfg(test)]
mod tests {
    use assetsync_loopback_sshd::Sshd;

    use super::*;
    use crate::tree::{DiffOptions, TreePair, diff_trees, snapshot};

    fn assert_same(a: &Path, b: &Path) {
        let options = DiffOptions::default();
        let differences = diff_trees(&snapshot(a).unwrap(), &snapshot(b).unwrap(), &options);
        assert_eq!(differences, Vec::<String>::new());
    }

    #[test]
    fn the_referee_turns_every_old_tree_into_the_new_one() {
        for seed in 0..24 {
            let dir = tempfile::tempdir().unwrap();
            let (old, new) = (dir.path().join("old"), dir.path().join("new"));
            let pair = TreePair::random(seed);
            pair.old.write_to(&old).unwrap();
            pair.new.write_to(&new).unwrap();
            mirror(&new, &old).unwrap();
            assert_same(&new, &old);
        }
    }

    #[test]
    fn rsync_goes_through_the_sshd() {
        let sshd = Sshd::start().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (src, dst) = (dir.path().join("src"), dir.path().join("dst"));
        TreePair::random(1).new.write_to(&src).unwrap();
        let to = format!("{}:{}/", Route::ALIAS, dst.display());
        let args = [OsStr::new("-a"), &contents(&src), OsStr::new(&to)];
        run(&mut rsync_over(sshd.route(), args).unwrap()).unwrap();
        assert_same(&src, &dst);
    }
}
