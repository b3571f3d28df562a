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
mod locate;
mod names;
mod proof;
mod publish;
mod publish_order;
mod staging_dir;
mod survey;
mod upload;

use std::time::Instant;

use assetsync_core::entry::{Kind, Mtime};
use assetsync_core::plan::Plan;
use assetsync_core::recipe::Recipes;
use assetsync_core::state::State;
use assetsync_ssh::Target;
use assetsync_ssh::sftp::DirectoryEntry;

use self::cache::Remembered;
use self::host::SftpHost;
use self::kept_attributes::KeptAttributes;
use self::publish::Publisher;
use self::publish_order::{PublishOrder, only_uploads};
use self::staging_dir::StagingDir;
use self::survey::Survey;
use self::upload::{Uploader, upload_bytes};
use crate::compare::aliases::OneName;
use crate::compare::answers::Answers;
use crate::compare::comparison::Comparison;
use crate::compare::content_match::{MtimeResolution, SourceEntry};
use crate::compare::policy::Policy;
use crate::connect::start_agent::ConnectOptions;
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::options::Options;
use crate::plan::guards::Contact;
use crate::push::checks::check_source;
use crate::push::report::{Count, Report};
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
    let Target::Remote(host) = target else { return Err(host::no_host()) };
    let started = Instant::now();
    let cached = Remembered::of(target, connection)?;
    let mut remote = SftpHost::connect(host, connection, monitor)?;
    let server_path = std::os::unix::ffi::OsStrExt::as_bytes(host.path.as_os_str());
    let create = (!connection.dry_run).then(|| source.root_mode());
    let located = match source.file_names().as_slice() {
        [] => locate::locate(&mut remote, server_path, create, options.policy.delete)?,
        names => locate::locate_files(&mut remote, server_path, create, names)?,
    };
    let renamed = located.renamed.as_ref().map(|name| source.renamed(name)).transpose()?;
    let pushed = renamed.as_ref().unwrap_or(source);
    let kept = KeptAttributes::default();
    let mut push = Push { remote, source: pushed, connection, cached, kept };
    let mut report = push.run(located.root, options)?;
    if renamed.is_some() {
        // What is reported has the names of the source.
        let own = source.entries.iter().map(|entry| &entry.path).cycle();
        let actions = report.plan.actions.iter_mut().zip(own);
        actions.for_each(|(action, path)| action.path.clone_from(path));
    }
    report.elapsed = started.elapsed();
    report.round_trips = u32::try_from(push.remote.session.round_trips()).unwrap_or(u32::MAX);
    // Everything is done and answered, so errors of closing the session do not matter.
    let _ = push.remote.session.finish();
    Ok(report)
}

/// One push.
struct Push<'p> {
    remote: SftpHost<'p>,
    source: &'p Source,
    connection: &'p ConnectOptions<'p>,
    cached: Remembered<'p>,
    /// Modes and times that the server has instead of the source's.
    kept: KeptAttributes,
}

/// The totals of uploading.
#[derive(Default)]
struct UploadTotals {
    bytes: u64,
    retried: u64,
}

impl Push<'_> {
    fn run(&mut self, root: Option<Vec<u8>>, options: &Options) -> Result<Report, PushError> {
        let dry_run = self.connection.dry_run;
        let (entries, looked) = match &root {
            Some(root) => staging_dir::look(&mut self.remote, root, self.source.is_files())?,
            None => Default::default(),
        };
        if !dry_run {
            let run = self.connection.run.map(|(group, _)| &group.members);
            staging_dir::remove_stale(&mut self.remote, &looked, run)?;
        }
        let survey = self.survey(root.as_deref(), entries)?;
        let (mut plan, untried) = self.plan(root.as_deref(), &survey.state, &options.policy)?;
        let pushed_before = staging_dir::was_pushed(&looked);
        let contact = Contact { source: self.source, state: &survey.state, pushed_before };
        let refused = contact.refusal(&plan, options);
        if let Some(refusal) = refused.clone().filter(|_| !dry_run) {
            return Err(refusal.into());
        }
        let mut uploaded = UploadTotals::default();
        if let Some(root) = root.filter(|_| !dry_run) {
            if !plan.actions.is_empty() {
                uploaded = self.execute(&root, &mut plan, &survey.state, &untried)?;
            } else if !pushed_before && !self.source.is_files() {
                self.mark(&root);
            }
            self.cached.keep(&survey.state, &plan, &self.kept);
        }
        let removed = Count::of_removed(&plan, &survey.state);
        let mut report = Report { removed, refused, ..Report::of(plan, self.source.hashed()?) };
        (report.bytes_sent, report.retried) = (uploaded.bytes, uploaded.retried);
        report.bytes_received = survey.bytes;
        Ok(report)
    }

    /// Records that a push without changes has completed. Failing means that nothing can be
    /// written, or deleted, there.
    fn mark(&mut self, root: &[u8]) {
        if let Ok(stage) = self.staging_dir(root) {
            stage.mark(&mut self.remote);
            stage.close(&mut self.remote, true);
        }
    }

    fn staging_dir(&mut self, root: &[u8]) -> Result<StagingDir, PushError> {
        let membership = self.connection.join()?;
        StagingDir::open(&mut self.remote, root, membership.as_ref())
    }

    fn survey(
        &mut self,
        root: Option<&[u8]>,
        entries: Vec<DirectoryEntry>,
    ) -> Result<Survey, PushError> {
        let mut survey = match root {
            Some(root) if self.source.is_files() => {
                survey::look_at(&mut self.remote, root, &self.source.file_names())?
            }
            Some(root) => survey::survey(&mut self.remote, root, entries)?,
            None => Survey::default(),
        };
        if !self.connection.checksum {
            self.cached.recall(&mut survey.state, &mut self.kept);
        }
        let paths = survey.state.entries.len() as u64;
        self.remote.monitor.event(Event::Surveyed { paths, partials: 0 });
        Ok(survey)
    }

    /// The plan, and names that may be the same at the destination, which must be tried. Files
    /// can't be read there, so those without a cached digest count as different.
    fn plan(
        &mut self,
        root: Option<&[u8]>,
        state: &State,
        policy: &Policy,
    ) -> Result<(Plan, Vec<OneName>), PushError> {
        let policy = Policy { clock: MtimeResolution::Seconds, ..policy.clone() };
        let entries: Vec<_> = self.source.hashed()?.iter().map(as_carried).collect();
        let comparison = Comparison::new(&entries, state, &policy, Recipes::NONE);
        let (one, untried) = aliases::look(&mut self.remote, root, &comparison)?;
        let comparison = comparison.aliased(&one).map_err(PushError::OneName)?;
        let mut plan = comparison.plan(&Answers::new()).map_err(PushError::Obstruction)?;
        only_uploads(&mut plan);
        Ok((plan, untried))
    }

    fn execute(
        &mut self,
        root: &[u8],
        plan: &mut Plan,
        state: &State,
        untried: &[OneName],
    ) -> Result<UploadTotals, PushError> {
        let steps = PublishOrder::of(plan, state);
        let needed = upload_bytes(plan, &steps);
        let free_space =
            self.remote.session.free_space(root).map_err(|error| self.remote.refused(&error))?;
        if let Some(free_space) = free_space
            && free_space.bytes < needed
        {
            return Err(PushError::NoRoom { needed, free: free_space.bytes });
        }
        let files = steps.uploads.len() as u64;
        self.remote.monitor.event(Event::Planned { files, bytes: needed });
        let stage = self.staging_dir(root)?;
        let proven = aliases::in_stage(&mut self.remote, &stage, untried)
            .and_then(|()| proof::prove(&mut self.remote, &stage, root, plan, state));
        let done = match proven {
            Ok(()) => {
                self.cached.begin(state, plan);
                self.upload_and_publish(&stage, root, plan, state)
            }
            Err(error) => Err(error),
        };
        let marks = done.is_ok() && !self.source.is_files();
        if marks {
            stage.mark(&mut self.remote);
        }
        if !matches!(done, Err(PushError::Closed(_))) {
            stage.close(&mut self.remote, marks);
        }
        let uploaded = done?;
        self.remote.monitor.event(Event::Published);
        Ok(uploaded)
    }

    fn upload_and_publish(
        &mut self,
        stage: &StagingDir,
        root: &[u8],
        plan: &mut Plan,
        state: &State,
    ) -> Result<UploadTotals, PushError> {
        let steps = &PublishOrder::of(plan, state);
        let tree = self.source.tree().map_err(PushError::Io)?;
        let rate = self.connection.bytes_per_second;
        let mut uploader = Uploader::new(&mut self.remote, stage, tree, rate);
        uploader.run(plan, steps, &mut self.kept)?;
        let uploaded = UploadTotals { bytes: uploader.written(), retried: uploader.retried };
        if uploader.unsynced {
            self.remote
                .notice("The server can't sync files: a power cut may lose what was just pushed");
        }
        self.remote.monitor.event(Event::Sent);
        if !self.remote.session.renames_atomically() {
            self.remote.notice(
                "The server has no posix-rename: each file that is replaced is missing for a moment",
            );
        }
        let mut publisher = Publisher::new(&mut self.remote, stage, root, plan, state);
        publisher.publish(steps, &mut self.kept)?;
        if let Some(warning) = self.kept.warning() {
            self.remote.notice(&warning);
        }
        Ok(uploaded)
    }
}

/// A source entry with the times that SFTP carries, so that nothing is sent again and again for
/// others.
fn as_carried(local: &SourceEntry) -> SourceEntry {
    let mut local = local.clone();
    local.entry.mtime = match local.entry.kind {
        Kind::File { .. } => names::carried(local.entry.mtime),
        _ => Mtime::default(),
    };
    local
}
