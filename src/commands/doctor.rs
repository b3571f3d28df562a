//! `assetsync doctor`: versions and agents, and how hosts would be pushed to.

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use assetsync_core::{limits, text};
use assetsync_ssh::bootstrap::{self, Started};
use assetsync_ssh::sftp::{SftpOpenError, sftp_session};
use assetsync_ssh::{
    Agents, HostFacts, NoPrompt, Prompt, RemoteTarget, SshOptions, Target, TransportError,
    TransportKind, connect, nonce, spawn,
};
use assetsync_sync::{Destination, PushError};
use clap::ArgMatches;

use super::destinations::{Given, Resolved, chosen, stage_option};
#[cfg(feature = "buckets")]
use super::doctor_bucket;
use crate::cli::connection::SshArguments;
use crate::cli::doctor::DoctorArguments;
use crate::cli::given::first_of;
use crate::cli::options::ssh_options;
#[cfg(feature = "buckets")]
use crate::cli::push_paths::is_bucket;
use crate::error::{CommandError, Exit};
use crate::ui::console::Console;
use crate::ui::doctor::{self, AgentObject, DestinationObject, Diagnosis, Way};
use crate::ui::output::Output;
use crate::ui::prompt::TerminalPrompt;

/// What the agent is told: nothing that it knows, so that it ends.
const FIRST_LINE: &[u8] = b"assetsync doctor\n";

/// What a push over SFTP costs.
const SFTP_COSTS: &str = "over SFTP changed files are sent whole and uncompressed, files that this \
    machine did not push before are sent again, and a deploy keeps no history";

/// Looks at this machine and at the destinations.
pub fn run(matches: &ArgMatches, arguments: DoctorArguments) -> Exit {
    let console = Arc::new(Console::new(Output { json: arguments.json, ..Output::default() }));
    let exit = diagnose(matches, arguments, &console).unwrap_or_else(|exit| exit);
    console.finish(exit)
}

fn diagnose(
    matches: &ArgMatches,
    arguments: DoctorArguments,
    console: &Arc<Console>,
) -> Result<Exit, Exit> {
    let DoctorArguments { destinations, hosts, settings, ssh, place, json } = arguments;
    let interactive = console.is_interactive();
    let timeout = Duration::from_secs(ssh.timeout.into());
    let selection = chosen(&hosts, interactive);
    let host_option = first_of::<SshArguments>(matches, &[]);
    let stage_option = stage_option(matches);
    let given = Given { host_option, stage_option, settings: &settings, selection: &selection };
    let resolved = resolve(&given, destinations, ssh_options(ssh, interactive), console)?;
    let person = TerminalPrompt::new(Arc::clone(console));
    let prompt = person.asker();
    let prompt: &dyn Prompt = if interactive { &prompt } else { &NoPrompt };
    let available = assetsync_agents::agents();
    let found = resolved.hosts.iter().map(|(destination, ssh)| {
        Doctor { agents: &available, ssh, timeout, prompt }.look(destination)
    });
    #[cfg(feature = "buckets")]
    let found = found.chain(resolved.buckets.iter().map(doctor_bucket::look));
    let found: Vec<_> = found.collect();
    let exits: Vec<Exit> = found.iter().map(exit_of).collect();
    let store = place.path().map(|path| text::path(&path));
    let diagnosis = Diagnosis {
        version: env!("CARGO_PKG_VERSION"),
        protocol: limits::PROTOCOL_VERSION.into(),
        agents: agents(&available),
        ssh: ssh_version(),
        store,
        destinations: found,
    };
    let shown = if json { doctor::json(&diagnosis) } else { doctor::text(&diagnosis) };
    console.print_stdout(&shown);
    Ok(Exit::of_all(&exits))
}

/// What the names mean: a stage, or hosts, and buckets by their URLs.
#[cfg(feature = "buckets")]
fn resolve(
    given: &Given<'_>,
    names: Vec<OsString>,
    ssh: SshOptions,
    console: &Arc<Console>,
) -> Result<Resolved, Exit> {
    let (urls, names): (Vec<OsString>, Vec<OsString>) = names.into_iter().partition(is_bucket);
    let named = urls.iter().map(doctor_bucket::named).collect::<Result<Vec<_>, _>>();
    let named = named.map_err(|error| {
        console.error(None, &error);
        error.exit
    })?;
    let Resolved { hosts, mut buckets } = given.resolve(&names, ssh, console)?;
    buckets.extend(named);
    Ok(Resolved { hosts, buckets })
}

#[cfg(not(feature = "buckets"))]
fn resolve(
    given: &Given<'_>,
    names: Vec<OsString>,
    ssh: SshOptions,
    console: &Arc<Console>,
) -> Result<Resolved, Exit> {
    given.resolve(&names, ssh, console)
}

fn exit_of(found: &DestinationObject) -> Exit {
    if found.error.is_some() { Exit::Failed } else { Exit::Done }
}

fn agents(available: &Agents) -> Vec<AgentObject> {
    let carried: Vec<_> = assetsync_agents::carried().iter().map(|one| one.platform()).collect();
    let all = available.all().iter();
    all.map(|agent| AgentObject {
        platform: agent.platform(),
        bytes: agent.size(),
        carried: carried.contains(&agent.platform()),
    })
    .collect()
}

fn ssh_version() -> String {
    match Command::new("ssh").arg("-V").output() {
        Ok(output) => text::line(String::from_utf8_lossy(&output.stderr).trim().as_bytes()),
        Err(error) => format!("can't be run: {error}"),
    }
}

/// How hosts are looked at.
struct Doctor<'a> {
    agents: &'a Agents,
    ssh: &'a SshOptions,
    timeout: Duration,
    prompt: &'a dyn Prompt,
}

impl Doctor<'_> {
    fn look(&self, destination: &Destination) -> DestinationObject {
        let mut found =
            DestinationObject { destination: destination.label.clone(), ..Default::default() };
        let looked = match &destination.target {
            Target::Local(_) => self.look_here(&mut found),
            Target::Remote(host) => self.look_at(host, &mut found),
        };
        if let Err(error) = looked {
            let CommandError { message, hints, .. } = CommandError::from(&error);
            found.error = Some([vec![message.into()], hints].concat().join("; "));
        }
        found
    }

    fn look_here(&self, found: &mut DestinationObject) -> Result<(), PushError> {
        let nonce = nonce()?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &HostFacts::command(&nonce)]);
        let facts = HostFacts::read(spawn(command, "this machine")?, &nonce, self.timeout)?;
        note_facts(found, facts);
        let channel = bootstrap::local(&nonce, self.agents)?;
        let started = bootstrap::start(channel, &nonce, self.agents, FIRST_LINE, self.timeout)?;
        note_agent(found, started);
        Ok(())
    }

    fn look_at(&self, host: &RemoteTarget, found: &mut DestinationObject) -> Result<(), PushError> {
        if self.ssh.transport == Some(TransportKind::Sftp) {
            return self.over_sftp(host, found, None);
        }
        match self.start_agent(host, found) {
            Ok(started) => {
                note_agent(found, started);
                note_facts(found, self.facts(host)?);
                Ok(())
            }
            Err(error) if error.suggests_sftp() => self.over_sftp(host, found, Some(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts the agent as a push does, which installs a missing one.
    fn start_agent(
        &self,
        host: &RemoteTarget,
        found: &mut DestinationObject,
    ) -> Result<Started, TransportError> {
        let (nonce, run_as) = (nonce()?, self.ssh.run_as.as_ref());
        let command = bootstrap::command(&nonce, FIRST_LINE, self.agents, run_as);
        let started = connect(host, self.ssh, self.prompt, &command, |connected| {
            found.reached_by = Some(connected.how);
            bootstrap::start(connected.channel, &nonce, self.agents, FIRST_LINE, self.timeout)
        });
        started.map_err(|error| error.with_run_as(run_as))
    }

    fn facts(&self, host: &RemoteTarget) -> Result<Option<HostFacts>, TransportError> {
        let nonce = nonce()?;
        connect(host, self.ssh, self.prompt, &HostFacts::command(&nonce), |connected| {
            HostFacts::read(connected.channel, &nonce, self.timeout)
        })
    }

    /// Whether SFTP works, and what it costs; `no_agent` is why it is needed, unless it is asked
    /// for.
    fn over_sftp(
        &self,
        host: &RemoteTarget,
        found: &mut DestinationObject,
        no_agent: Option<TransportError>,
    ) -> Result<(), PushError> {
        match (sftp_session(host, self.ssh, self.prompt), no_agent) {
            (Ok((session, how)), no_agent) => {
                // Everything is known, so errors of closing the session do not matter.
                let _ = session.finish();
                (found.reached_by, found.transport) = (Some(how), Some(Way::Sftp));
                if let Some(TransportError::NoAgentFor { platform, .. }) = &no_agent {
                    found.platform = Some(platform.clone());
                }
                found.notes.extend(no_agent.map(|error| error.to_string()));
                found.notes.push(SFTP_COSTS.into());
                Ok(())
            }
            // The first reason is the one to mend.
            (Err(SftpOpenError::Transport(_)), Some(no_agent)) => Err(no_agent.into()),
            (Err(no_sftp), Some(no_agent)) => Err(PushError::NoAgentNorSftp {
                no_agent: Box::new(no_agent),
                no_sftp: Box::new(no_sftp),
            }),
            (Err(SftpOpenError::Transport(error)), None) => Err(error.into()),
            (Err(no_sftp), None) => Err(PushError::NoSftp(no_sftp)),
        }
    }
}

fn note_facts(found: &mut DestinationObject, facts: Option<HostFacts>) {
    let Some(facts) = facts else { return };
    if !facts.has_xz {
        let note = "there are no XZ Utils: a new agent is uploaded by gzip, which is larger";
        found.notes.push(note.into());
    }
    found.platform = Some(facts.platform);
    found.login_shell = Some(facts.shell).filter(|shell| !shell.is_empty());
}

fn note_agent(found: &mut DestinationObject, started: Started) {
    found.transport = Some(Way::Agent);
    found.installed = started.installed.map(|installed| installed.path);
    if !started.noise.is_empty() {
        found.notes.push(format!(
            "the login shell prints this in sessions without a terminal, where it should print \
             nothing: {}",
            started.noise.trim()
        ));
    }
}
