//! Pushing a prepared source to all its destinations.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, ScopedJoinHandle};

use assetsync_ssh::{Target, TransportError, TransportKind};

use super::followers;
use super::interaction::Interaction;
use super::pushed::Pushed;
use super::settings::PushSettings;
use crate::connect::start_agent::ConnectOptions;
use crate::destination::Destination;
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::push::pipeline::push;
use crate::push::report::Report;
use crate::scan::source::Source;
use crate::sftp;
use crate::share::push_group::PushGroup;
use crate::store::{Store, StoreError};

/// A push whose source is scanned.
#[derive(Debug)]
pub struct PreparedPush<'p> {
    settings: &'p PushSettings,
    /// The source.
    pub source: Source,
    /// The store; if it can't be opened, the push sends more, and is as right.
    pub store: Result<Option<Store>, StoreError>,
}

impl<'p> PreparedPush<'p> {
    pub(super) fn new(settings: &'p PushSettings) -> Result<PreparedPush<'p>, PushError> {
        settings.check_placement()?;
        let source = settings.scan()?;
        // What is known of a destination is about the whole directory.
        let store = if source.is_files() { Ok(None) } else { settings.open_store() };
        Ok(PreparedPush { settings, source, store })
    }

    fn store(&self) -> Option<&Store> {
        self.store.as_ref().ok()?.as_ref()
    }

    /// Pushes to every destination in a thread of its own. A panic is the failure of that
    /// destination alone.
    pub fn run(&self, interaction: &dyn Interaction) -> Vec<Pushed> {
        let destinations = &self.settings.destinations;
        let group = &PushGroup::for_destinations(destinations.len());
        let results = thread::scope(|scope| {
            let start = |(position, destination)| {
                let push = move || self.push_to((position, destination), group, interaction);
                (destination, thread::Builder::new().spawn_scoped(scope, push))
            };
            let threads: Vec<_> = destinations.iter().enumerate().map(start).collect();
            threads
                .into_iter()
                .map(|(destination, thread)| match thread.map(ScopedJoinHandle::join) {
                    Ok(Ok(pushed)) => pushed,
                    // It was `finished` that panicked, so it is not called again.
                    Ok(Err(_)) => Pushed {
                        destination: destination.clone(),
                        result: Err(PushError::Panicked),
                    },
                    Err(error) => finish(destination, Err(PushError::Thread(error)), interaction),
                })
                .collect()
        });
        let results = followers::conclude(results, interaction);
        if let Some(store) = self.store().filter(|_| !self.settings.dry_run) {
            // What can't be pruned now is pruned next time.
            let _ = store.prune_if_due();
        }
        results
    }

    /// Pushes to one destination and tells that it ended.
    fn push_to(
        &self,
        (position, destination): (usize, &Destination),
        group: &PushGroup,
        interaction: &dyn Interaction,
    ) -> Pushed {
        let attempt = || {
            let (monitor, prompt) =
                (interaction.monitor(destination), interaction.prompt(destination));
            let notices = self.source.notices.iter();
            notices.for_each(|notice| monitor.event(Event::ScanNotice(notice)));
            let settings = self.settings;
            let connection = ConnectOptions {
                agents: &settings.agents,
                ssh: &settings.ssh,
                prompt: &*prompt,
                timeout: settings.timeout,
                bytes_per_second: settings.bytes_per_second,
                dry_run: settings.dry_run,
                checksum: settings.checksum,
                store: self.store(),
                group: (settings.destinations.len() > 1).then_some(group),
                run: Some((group, position)),
            };
            self.by_agent_or_sftp(&destination.target, &connection, &*monitor)
        };
        // Nothing that a panic leaves half changed is used again: the rest is shared by reference
        // only, and its locks are taken whether poisoned or not.
        let result = catch_unwind(AssertUnwindSafe(attempt));
        match result.unwrap_or(Err(PushError::Panicked)) {
            // It ends with that of the destination that is the same directory.
            result @ Err(PushError::SameDirectory(_)) => {
                Pushed { destination: destination.clone(), result }
            }
            result => finish(destination, result, interaction),
        }
    }

    /// Pushes by an agent; over SFTP if that is asked for, or if the host can't run one.
    fn by_agent_or_sftp(
        &self,
        target: &Target,
        connection: &ConnectOptions<'_>,
        monitor: &dyn Monitor,
    ) -> Result<Report, PushError> {
        let (source, options) = (&self.source, &self.settings.options);
        let run_as = self.settings.ssh.run_as.as_ref();
        let over_sftp = |notice: String| {
            monitor.event(Event::Notice(&notice));
            sftp::push(source, target, connection, options, monitor)
        };
        if self.settings.ssh.transport == Some(TransportKind::Sftp) {
            if run_as.is_some() {
                let text = "SFTP acts as the user that logs in, so it can't push as another one";
                return Err(TransportError::Options(text).into());
            }
            return over_sftp(format!("Over SFTP {SFTP_COSTS}"));
        }
        let no_agent = match push(source, target, connection, options, monitor) {
            Err(PushError::Transport(error))
                if run_as.is_none() && can_fall_back(target, &error) =>
            {
                error
            }
            other => return other,
        };
        let notice = format!(
            "{no_agent}. So files are pushed over SFTP, where {SFTP_COSTS}; {}",
            no_agent.how_to_avoid_sftp()
        );
        match over_sftp(notice) {
            // Where SFTP fails, too, the first reason is the one to mend.
            Err(PushError::Transport(_)) => Err(no_agent.into()),
            Err(PushError::NoSftp(no_sftp)) => Err(PushError::NoAgentNorSftp {
                no_agent: Box::new(no_agent),
                no_sftp: Box::new(no_sftp),
            }),
            other => other,
        }
    }
}

fn finish(
    destination: &Destination,
    result: Result<Report, PushError>,
    interaction: &dyn Interaction,
) -> Pushed {
    let pushed = Pushed { destination: destination.clone(), result };
    interaction.finished(&pushed);
    pushed
}

/// What a push over SFTP does not do.
const SFTP_COSTS: &str = "changed files are sent whole and uncompressed, and contents can't be \
    compared there: what this machine did not push before is sent again";

fn can_fall_back(target: &Target, error: &TransportError) -> bool {
    matches!(target, Target::Remote(_)) && error.suggests_sftp()
}
