//! A push over SFTP until everything is uploaded.

use assetsync_core::entry::{Kind, Mtime};
use assetsync_core::path::RelPath;
use assetsync_core::plan::Plan;
use assetsync_core::recipe::Recipes;
use assetsync_core::state::State;
use assetsync_ssh::Target;
use assetsync_ssh::sftp::DirectoryEntry;

use super::cache::Remembered;
use super::host::SftpHost;
use super::kept_attributes::KeptAttributes;
use super::locate::Located;
use super::publish_order::{PublishOrder, only_uploads};
use super::staged::StagedSftp;
use super::staging_dir::StagingDir;
use super::survey::Survey;
use super::upload::{Uploader, upload_bytes};
use super::uploaded::Uploaded;
use super::{aliases, host, locate, names, proof, staging_dir, survey};
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
use crate::push::report::{Count, Report};
use crate::scan::source::Source;

/// A destination that is reached and located.
pub struct Reached<'a> {
    remote: SftpHost<'a>,
    cached: Remembered<'a>,
    root: Option<Vec<u8>>,
    /// The name that a file gets there, if it is not its own.
    pub renamed: Option<RelPath>,
}

impl<'a> Reached<'a> {
    /// Reaches the destination, and makes it unless this is a dry run.
    pub fn reach(
        source: &Source,
        target: &Target,
        connection: &ConnectOptions<'a>,
        options: &Options,
        monitor: &'a dyn Monitor,
    ) -> Result<Reached<'a>, PushError> {
        let Target::Remote(host) = target else { return Err(host::no_host()) };
        let cached = Remembered::of(target, connection)?;
        let mut remote = SftpHost::connect(host, connection, monitor)?;
        let server_path = std::os::unix::ffi::OsStrExt::as_bytes(host.path.as_os_str());
        let create = (!connection.dry_run).then(|| source.root_mode());
        let Located { root, renamed } = match source.file_names().as_slice() {
            [] => locate::locate(&mut remote, server_path, create, options.policy.delete)?,
            names => locate::locate_files(&mut remote, server_path, create, names)?,
        };
        Ok(Reached { remote, cached, root, renamed })
    }

    /// Uploads what the destination lacks.
    pub fn stage(
        self,
        source: &'a Source,
        connection: &ConnectOptions<'a>,
        options: &Options,
    ) -> Result<StagedSftp<'a>, PushError> {
        let Reached { remote, cached, root, .. } = self;
        let kept = KeptAttributes::default();
        Staging { remote, source, connection, cached, kept }.run(root, options)
    }
}

/// A push that uploads.
struct Staging<'c, 'a> {
    remote: SftpHost<'a>,
    source: &'a Source,
    connection: &'c ConnectOptions<'a>,
    cached: Remembered<'a>,
    /// Modes and times that the server has instead of the source's.
    kept: KeptAttributes,
}

/// The totals of uploading.
#[derive(Default)]
struct UploadTotals {
    bytes: u64,
    retried: u64,
}

impl<'a> Staging<'_, 'a> {
    fn run(
        mut self,
        root: Option<Vec<u8>>,
        options: &Options,
    ) -> Result<StagedSftp<'a>, PushError> {
        let dry_run = self.connection.dry_run;
        let (entries, looked) = match &root {
            Some(root) => staging_dir::look(&mut self.remote, root, self.source.is_files())?,
            None => Default::default(),
        };
        if let Some(root) = root.as_deref().filter(|_| !dry_run) {
            staging_dir::remove_tried(&mut self.remote, root, &entries);
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
        let (mut staged, mut uploaded) = (None, UploadTotals::default());
        if let Some(root) = root.filter(|_| !dry_run) {
            if !plan.actions.is_empty() {
                self.check_room(&root, &plan, &survey.state)?;
                let stage = self.staging_dir(&root)?;
                uploaded = self.execute(&stage, &root, (&mut plan, &survey.state), &untried)?;
                staged = Some((root, stage));
            } else if !pushed_before && !self.source.is_files() {
                self.mark(&root);
            }
        }
        let removed = Count::of_removed(&plan, &survey.state);
        let mut report = Report { removed, refused, ..Report::of(plan, self.source.hashed()?) };
        (report.bytes_sent, report.retried) = (uploaded.bytes, uploaded.retried);
        report.bytes_received = survey.bytes;
        let Staging { remote, source, cached, kept, .. } = self;
        let (marks, state) = (!source.is_files(), survey.state);
        let uploaded = Uploaded { remote, cached, kept, state, report, staged, marks, dry_run };
        Ok(StagedSftp(uploaded))
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

    /// Uploads everything; where that fails, nothing of it stays.
    fn execute(
        &mut self,
        stage: &StagingDir,
        root: &[u8],
        (plan, state): (&mut Plan, &State),
        untried: &[OneName],
    ) -> Result<UploadTotals, PushError> {
        let proven = aliases::in_stage(&mut self.remote, stage, untried)
            .and_then(|()| proof::prove(&mut self.remote, stage, root, plan, state));
        let uploaded = proven.and_then(|()| {
            self.cached.begin(state, plan);
            self.upload(stage, plan, &PublishOrder::of(plan, state))
        });
        if uploaded.as_ref().is_err_and(|error| !matches!(error, PushError::Closed(_))) {
            stage.close(&mut self.remote, false);
        }
        uploaded
    }

    /// Fails if there is no room for what is uploaded.
    fn check_room(&mut self, root: &[u8], plan: &Plan, state: &State) -> Result<(), PushError> {
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
        Ok(())
    }

    fn upload(
        &mut self,
        stage: &StagingDir,
        plan: &mut Plan,
        steps: &PublishOrder,
    ) -> Result<UploadTotals, PushError> {
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
