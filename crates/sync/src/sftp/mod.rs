//! Pushing over SFTP alone, for hosts where no agent can run: an SFTP-only account, a file system
//! mounted `noexec`, a machine there is no agent build for.
//!
//! The sender does everything itself, with many requests under way at a time: it lists the
//! destination, plans as usual, uploads every new file into a staging directory, and renames. It
//! promises less than an agent does:
//!
//! **Promised.**
//! - Until every file is uploaded with its size, nothing is created but the destination directory
//!   and the work directory (`.assetsync-NAME` beside it, or `.assetsync` in it). Modes and mtimes
//!   are as the source's if the server sets them; if not, there is a notice.
//! - A server may make changes in any order: what depends on each other is not under way together.
//! - A file or link is published by one rename: at every moment a path has its old content or its
//!   new one, never a part, and a file that replaces a file, or a link that replaces a link, is
//!   never missing. There are three exceptions, in which nothing is at the path for the time of one
//!   request (or until the next push, if the connection is cut in that moment): a directory that is
//!   replaced by a file or link, or the other way round, is moved aside first; so is everything
//!   that is replaced on a server without `posix-rename@openssh.com`, with a notice; and a link is
//!   removed first on a server whose renames may follow links.
//! - Entry points are published after the files they name, and deletes come last. If anything fails
//!   before, nothing is deleted, and what was published is put back: files that are replaced have a
//!   second name until then. Not if the connection is lost, and not on a server that replaces by
//!   renaming and gives no second names (`hardlink@openssh.com`).
//! - Before anything is uploaded, a directory is made and removed in every directory in which names
//!   change: where that is refused, or a file belongs to somebody else in a directory with the sticky
//!   bit, nothing is changed.
//! - Directories that are read-only are made writable before anything is published, and get their
//!   modes back at the end; where the server refuses that, nothing is published.
//! - Names and numbers from the server can't lead a push out of the destination: names are checked,
//!   counts and depth are bounded, and nothing is deleted by a path that leads through something
//!   just replaced.
//! - Pushing again completes an interrupted push, and removes what it left.
//! - A push that has completed leaves an empty file `pushed` in the work directory. From then on
//!   all extraneous paths may be deleted.
//!
//! **Not promised.**
//! - *Content is compared only with the [store](crate::store)*: a file counts as unchanged if this
//!   machine pushed the same content and its size and mtime, in seconds, are unchanged. Every other
//!   file is sent again, unless sizes alone decide. So a change by another program that keeps size
//!   and mtime is not noticed, except with `checksum`, which sends every file. After the upload
//!   only size, mode and mtime are read back.
//! - *Few bytes*: files are sent whole and uncompressed; nothing is copied or patched on the
//!   server, and an interrupted push starts over.
//! - *Exact times*: whole seconds from 1970 to 2106. The times of links are neither set nor
//!   compared.
//! - *A lock*: SFTP has none that ends with its holder. A push removes the staging directories of
//!   all other pushes to this destination, so an older one that still runs fails, at the latest
//!   before it deletes. Two pushes in the same moment can still mix their files, each whole; and a
//!   push by an agent is not noticed. Pushes of one run to one directory notice each other: one
//!   works.
//! - *Durability*: files are synced before they are renamed if the server has
//!   `fsync@openssh.com` (if not, there is a notice); directories can't be synced, so after a power
//!   cut some paths may have their old content again.
//! - *Protection from other users of the host*: SFTP follows links that are swapped in during the
//!   push.

mod aliases;
mod cache;
mod host;
mod kept_attributes;
mod links;
mod live;
mod locate;
mod look;
mod names;
mod proof;
mod publish;
mod publish_order;
mod staged;
mod staging;
mod staging_dir;
mod survey;
mod upload;
mod uploaded;

use std::time::Instant;

use assetsync_ssh::Target;

pub use self::live::LiveSftp;
pub use self::look::look;
pub use self::staged::StagedSftp;
use self::staging::Reached;
use crate::connect::start_agent::ConnectOptions;
use crate::error::PushError;
use crate::event::Monitor;
use crate::options::Options;
use crate::push::checks::check_source;
use crate::push::report::Report;
use crate::scan::source::Source;

/// Pushes `source` to `target` over SFTP. The module describes what that promises.
///
/// It takes and returns what [`crate::push::pipeline::push`] does. `agents` and `timeout` of the
/// connection are not used. In the report, `bytes_sent` is bytes of content written,
/// `bytes_received` an estimate for the listing, and `agent_peak_rss_bytes` is 0.
pub fn push(
    source: &Source,
    target: &Target,
    connection: &ConnectOptions<'_>,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Report, PushError> {
    check_source(source, options)?;
    let started = Instant::now();
    let reached = Reached::reach(source, target, connection, options, monitor)?;
    let renamed = reached.renamed.as_ref().map(|name| source.renamed(name)).transpose()?;
    let pushed = renamed.as_ref().unwrap_or(source);
    let staged = reached.stage(pushed, connection, options)?;
    let mut report = match connection.dry_run {
        true => staged.end_dry_run(),
        false => staged.publish()?.finish()?,
    };
    if renamed.is_some() {
        // What is reported has the names of the source.
        let own = source.entries.iter().map(|entry| &entry.path).cycle();
        let actions = report.plan.actions.iter_mut().zip(own);
        actions.for_each(|(action, path)| action.path.clone_from(path));
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

/// Uploads everything, and publishes nothing of it yet.
pub fn stage<'a>(
    source: &'a Source,
    target: &Target,
    connection: &ConnectOptions<'a>,
    options: &Options,
    monitor: &'a dyn Monitor,
) -> Result<StagedSftp<'a>, PushError> {
    check_source(source, options)?;
    let reached = Reached::reach(source, target, connection, options, monitor)?;
    reached.stage(source, connection, options)
}
