//! One push to one destination, step by step: connect, survey, plan, stage, publish.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use assetsync_transport::{Agents, Prompt, SshOptions, Target, bootstrap, connect};

use super::decision::Wishes;
use super::drafts::{Drafts, OldContents};
use super::effort::{Effort, Verdict};
use super::encode::Encoder;
use super::error::PushError;
use super::monitor::{Event, Monitor};
use super::patching::Patching;
use super::planner::{Answer, Answers, Comparison, content_order};
use super::regzips::{Job, Outcome, Regzips};
use super::report::Report;
use super::source::{Source, read_again};
use super::wire::Wire;
use crate::compressed_names::is_precompressed;
use crate::delta::Signature;
use crate::entry::{Entry, Kind};
use crate::limits;
use crate::plan::{Action, FileAction, Plan, What};
use crate::proto::{Ask, Deploy, Hello, Message, Vitals};
use crate::recipe::{Basis, Recipe, Recipes};
use crate::state::{Leftover, StateId};
use crate::store::Store;

/// A host that answers within this is near: one round trip and the start of a shell.
const NEAR: Duration = Duration::from_millis(40);

/// How to reach a destination and what to expect of it.
#[derive(Clone)]
pub struct Connection<'a> {
    /// Agent builds at hand.
    pub agents: &'a Agents,
    /// How hosts are reached.
    pub ssh: &'a SshOptions,
    /// Who is asked for passphrases.
    pub prompt: &'a (dyn Prompt + Sync),
    /// After so long without a byte the push is given up.
    pub timeout: Duration,
    /// Most bytes a second to send.
    pub bytes_per_second: Option<u64>,
    /// Only look; create and change nothing.
    pub dry_run: bool,
    /// Let the agent read every file, whatever its index says.
    pub checksum: bool,
    /// Where contents and states of destinations are remembered.
    pub store: Option<&'a Store>,
}

/// A conversation with a started agent.
pub struct Session<'a> {
    wire: Wire,
    monitor: &'a dyn Monitor,
    vitals: Vitals,
    leftovers: Vec<Leftover>,
    told_renames: bool,
    /// The destination is on this machine or next to it.
    is_near: bool,
    is_deploy: bool,
    started: Instant,
}

/// What content is made from.
pub struct Materials<'m> {
    /// The files to send.
    pub source: &'m Source,
    /// What they are compared with.
    pub comparison: &'m Comparison<'m>,
    /// What the destination said of its files.
    pub answers: &'m Answers,
    /// Contents the destination had.
    pub old: &'m dyn OldContents,
}

impl<'a> Session<'a> {
    /// Reaches the destination and starts its agent.
    pub fn connect(
        target: &Target,
        connection: &Connection<'_>,
        remembered: Option<StateId>,
        deploy: Option<Deploy>,
        monitor: &'a dyn Monitor,
    ) -> Result<Session<'a>, PushError> {
        let started = Instant::now();
        let nonce = nonce()?;
        let hello = Hello {
            destination: destination_bytes(target)?,
            dry_run: connection.dry_run,
            checksum: connection.checksum,
            timeout_ms: connection.timeout.as_millis().try_into().unwrap_or(u32::MAX),
            remembered,
            deploy,
        };
        let channel = match target {
            Target::Local(_) => bootstrap::local(&nonce, connection.agents)?,
            Target::Remote(remote) => {
                let command = bootstrap::command(&nonce, connection.agents);
                let connected = connect(remote, connection.ssh, connection.prompt, &command)?;
                monitor.event(Event::Connected { how: &connected.how });
                connected.channel
            }
        };
        let line = hello.line();
        let patience = connection.timeout;
        let agent = bootstrap::start(channel, &nonce, connection.agents, &line, patience)?;
        if !agent.noise.is_empty() {
            monitor.event(Event::Noise(&agent.noise));
        }
        if agent.installed {
            monitor.event(Event::AgentInstalled);
        }
        let first_word = agent.first_word;
        let wire = Wire::new(agent, line.len(), connection.timeout, connection.bytes_per_second)?;
        let is_near = matches!(target, Target::Local(_)) || first_word < NEAR;
        let (vitals, leftovers, told_renames) = (Vitals::default(), Vec::new(), false);
        let is_deploy = deploy.is_some();
        Ok(Session { wire, monitor, vitals, leftovers, told_renames, is_near, is_deploy, started })
    }

    /// What the agent says next.
    pub(super) fn receive(&mut self) -> Result<Message<'_>, PushError> {
        self.wire.receive()
    }

    /// Whether the push is part of a deploy.
    pub(super) fn is_deploy(&self) -> bool {
        self.is_deploy
    }

    /// Who hears of events.
    pub(super) fn monitor(&self) -> &'a dyn Monitor {
        self.monitor
    }

    /// Takes note of what a survey told.
    pub(super) fn take_note(&mut self, vitals: Vitals, leftovers: &[Leftover]) {
        self.vitals = vitals;
        self.leftovers = leftovers.to_vec();
    }

    /// Asks what the comparison leaves open.
    pub fn ask(&mut self, comparison: &Comparison<'_>) -> Result<Answers, PushError> {
        let asks = comparison.questions();
        if asks.is_empty() {
            return Ok(Answers::new());
        }
        self.tell_renames(comparison.drafts())?;
        for ask in &asks {
            self.wire.send(&Message::Ask(*ask))?;
        }
        self.wire.send(&Message::AskEnd)?;
        self.wire.flush()?;
        let mut answers = Answers::new();
        for ask in &asks {
            let size = comparison.known_bytes(ask.known);
            let most = if ask.rewritten { limits::rewritten_bytes(size) } else { size };
            answers.insert(ask.known, self.answer(ask, most)?);
        }
        match self.wire.receive()? {
            Message::AnswerEnd => Ok(answers),
            other => Err(out_of_place(&other)),
        }
    }

    /// Tells which paths succeed which, once.
    fn tell_renames(&mut self, drafts: &Drafts) -> Result<(), PushError> {
        if std::mem::replace(&mut self.told_renames, true) {
            return Ok(());
        }
        for (old, new) in &drafts.substitutes {
            self.wire.send(&Message::Substitute { old, new })?;
        }
        let mut renames = drafts.renames.iter();
        renames.try_for_each(|(_, rename)| self.wire.send(&Message::Rename(rename.clone())))
    }

    fn answer(&mut self, ask: &Ask, most: u64) -> Result<Answer, PushError> {
        match self.wire.receive()? {
            Message::Compared(true) if ask.expected.is_some() => Ok(Answer::Same),
            Message::Compared(false) => Ok(Answer::Different),
            Message::Gone => Ok(Answer::Gone),
            Message::Signature { basis_bytes } if basis_bytes <= most => {
                self.signature(ask, basis_bytes)
            }
            other => Err(out_of_place(&other)),
        }
    }

    fn signature(&mut self, ask: &Ask, basis_bytes: u64) -> Result<Answer, PushError> {
        let spec = ask.signature.ok_or_else(|| PushError::Protocol("unasked signature".into()))?;
        let needed = spec.signature_bytes(basis_bytes);
        let mut entries = Vec::new();
        while (entries.len() as u64) < needed {
            match self.wire.receive()? {
                Message::Blocks(piece)
                    if !piece.is_empty() && (entries.len() + piece.len()) as u64 <= needed =>
                {
                    entries.extend_from_slice(piece);
                }
                other => return Err(out_of_place(&other)),
            }
        }
        let signature = Signature::new(spec, basis_bytes, entries);
        Ok(Answer::Signed(signature.map_err(|error| PushError::Protocol(error.to_string()))?))
    }

    /// Whether there is anything for the agent to do.
    pub fn has_work(&self, plan: &Plan, wishes: &Wishes) -> bool {
        !plan.actions.is_empty() || self.vitals.index_is_stale || !wishes.is_empty()
    }

    /// Sends the plan, its content, and what is wanted besides. If `publish` says so, the agent publishes once
    /// everything is staged.
    pub fn send(
        &mut self,
        plan: &Plan,
        materials: &Materials<'_>,
        wishes: &Wishes,
        publish: bool,
    ) -> Result<(), PushError> {
        let leftovers = std::mem::take(&mut self.leftovers);
        self.check_room(plan, &leftovers, wishes.bytes)?;
        let order = content_order(plan);
        let total: u64 = order.iter().map(|&at| content_bytes(&plan.actions[at as usize])).sum();
        self.monitor.event(Event::Planned { files: order.len() as u64, bytes: total });
        let mut effort = Effort::new(expected_bytes(plan), self.is_near);
        self.wire.compress_at(effort.level(), effort.window_log())?;
        self.tell_renames(materials.comparison.drafts())?;
        self.send_plan(plan)?;
        self.send_content(plan, &order, total, &mut effort, materials)?;
        self.send_wishes(wishes)?;
        self.wire.send(&Message::ContentEnd { publish })?;
        self.wire.flush()?;
        self.monitor.event(Event::Sent);
        Ok(())
    }

    /// Tells what is kept besides. It comes after everything that another destination may be sent too.
    fn send_wishes(&mut self, wishes: &Wishes) -> Result<(), PushError> {
        for &(known, digest) in &wishes.set_aside {
            self.wire.send(&Message::SetAside { known, digest })?;
        }
        for &aside in &wishes.drop_aside {
            self.wire.send(&Message::DropAside { aside })?;
        }
        let Some(edit) = &wishes.history else { return Ok(()) };
        self.wire.send(&Message::History { keep: edit.keep })?;
        let mut pieces = edit.append.chunks(limits::LITERAL_BYTES);
        pieces.try_for_each(|piece| self.wire.send(&Message::HistoryPiece(piece)))
    }

    /// Waits until everything is staged and verified; what failed is sent again. Gives the number of those files.
    pub fn confirm(
        &mut self,
        plan: &mut Plan,
        source: &Source,
        publish: bool,
    ) -> Result<u64, PushError> {
        let failed = self.staged(plan)?;
        if !failed.is_empty() {
            self.retry(&failed, plan, source, publish)?;
        }
        Ok(failed.len() as u64)
    }

    /// Whether the destination is on this machine or next to it.
    pub fn is_near(&self) -> bool {
        self.is_near
    }

    /// Which of the `allowed` recipes pay on this link: next door a `.gz` travels in less time than it is taken
    /// apart.
    pub fn worthwhile(&self, allowed: Recipes) -> Recipes {
        Recipes { regzip: allowed.regzip && !self.is_near, ..allowed }
    }

    fn send_plan(&mut self, plan: &Plan) -> Result<(), PushError> {
        for order in plan.orders() {
            self.wire.send(&Message::Action(order))?;
        }
        self.wire.send(&Message::PlanEnd)
    }

    /// Sends the content of the actions in `order`, `total` bytes of it.
    fn send_content(
        &mut self,
        plan: &Plan,
        order: &[u32],
        total: u64,
        effort: &mut Effort,
        materials: &Materials<'_>,
    ) -> Result<(), PushError> {
        let mut tree = materials.source.tree().map_err(PushError::Io)?;
        let (mut done, monitor) = (0, self.monitor);
        let mut progress = |bytes: u64, wire: &Wire| {
            done += bytes;
            monitor.event(Event::Progress { done, total, sent: wire.sent });
        };
        let wire = &mut self.wire;
        let answers = materials.answers;
        let patches = order.iter().take_while(|&&at| is_patch(&plan.actions[at as usize])).count();
        let (patches, order) = order.split_at(patches);
        let (order, regzips) = regzip_jobs(plan, order, materials);
        let regzips = Regzips::new(regzips);
        let encoder = Encoder { tree: &mut tree, wire, answers, progress: &mut progress };
        let mut patching = Patching { encoder, plan, materials, new_bytes: 0 };
        patching.encode(patches, effort)?;
        let encoder = patching.encoder;
        std::thread::scope(|scope| {
            for _ in 0..rayon::current_num_threads() {
                scope.spawn(|| {
                    regzips.work(|job| {
                        corrections(materials, job);
                    });
                });
            }
            let sent = send_files(encoder, plan, order, effort, &regzips, materials);
            regzips.stop();
            sent
        })
    }

    /// Which files the agent could not stage.
    fn staged(&mut self, plan: &Plan) -> Result<Vec<u32>, PushError> {
        let mut failed = Vec::new();
        loop {
            match self.wire.receive()? {
                Message::Failed { action } => failed.push(action),
                Message::StagedEnd => return Ok(failed),
                other => return Err(out_of_place(&other)),
            }
            if failed.len() > plan.actions.len() {
                return Err(PushError::Protocol("too many failures".into()));
            }
        }
    }

    /// Sends files again, whole, as they are now; once.
    fn retry(
        &mut self,
        failed: &[u32],
        plan: &mut Plan,
        source: &Source,
        publish: bool,
    ) -> Result<(), PushError> {
        self.monitor.event(Event::Retrying { files: failed.len() as u64 });
        let mut tree = source.tree().map_err(PushError::Io)?;
        let answers = Answers::new();
        for &position in failed {
            let action = plan.actions.get_mut(position as usize);
            let action = action.ok_or_else(|| PushError::Protocol("failure of no file".into()))?;
            let amend = amend(position, action, source, &mut tree)?;
            self.wire.send(&amend)?;
            let progress = &mut |_: u64, _: &Wire| {};
            let wire = &mut self.wire;
            let mut encoder = Encoder { tree: &mut tree, wire, answers: &answers, progress };
            if !encoder.encode_whole(position, action)? {
                let source = std::io::Error::other("it was not the same twice");
                return Err(PushError::Changing { path: action.path.to_string(), source });
            }
        }
        self.wire.send(&Message::ContentEnd { publish })?;
        self.wire.flush()?;
        match self.staged(plan)?.first() {
            None => Ok(()),
            Some(&position) => {
                let action = plan.actions.get(position as usize);
                Err(PushError::Damaged(action.map_or("?".into(), |action| action.path.to_string())))
            }
        }
    }

    /// Has what is staged published, if that was not said with the content.
    pub fn publish(&mut self) -> Result<(), PushError> {
        self.wire.send(&Message::Publish)?;
        self.wire.flush()
    }

    /// Has the agent carry out what was left for pruning.
    pub fn prune(&mut self) -> Result<(), PushError> {
        self.wire.send(&Message::Prune)?;
        self.wire.flush()
    }

    /// Shows that this side lives, and looks whether the other does.
    pub fn tick(&mut self) -> Result<(), PushError> {
        self.wire.tick()?;
        self.wire.watch()
    }

    /// Waits until everything is published, or everything is pruned.
    pub fn published(&mut self) -> Result<(), PushError> {
        loop {
            match self.wire.receive()? {
                Message::Notice(text) => {
                    self.monitor.event(Event::Notice(&crate::text::printable(text)));
                }
                Message::Published(vitals) => {
                    self.vitals = vitals;
                    return Ok(());
                }
                other => return Err(out_of_place(&other)),
            }
        }
    }

    /// Under which id the agent knows what stands at the destination now, if it does.
    pub fn state(&self) -> Option<StateId> {
        self.vitals.state
    }

    /// Ends the conversation without (further) work.
    pub fn bye(&mut self) -> Result<(), PushError> {
        self.wire.send(&Message::Bye)?;
        self.wire.flush()
    }

    /// The same, and waits until the agent has ended: whoever comes next finds the destination unlocked.
    pub fn end(&mut self) -> Result<(), PushError> {
        self.bye()?;
        match self.wire.receive() {
            Ok(other) => Err(out_of_place(&other)),
            Err(PushError::Closed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes into the report what the conversation came to.
    pub fn measure(&self, report: &mut Report) {
        report.bytes_sent = self.wire.sent;
        report.bytes_received = self.wire.received;
        report.round_trips = self.wire.round_trips;
        report.elapsed = self.started.elapsed();
        report.agent_peak_rss_bytes = self.vitals.peak_rss_bytes;
        report.agent_files_read = self.vitals.files_read;
    }

    /// Old and new files are there at the same time until the deletes at the end.
    fn check_room(
        &self,
        plan: &Plan,
        leftovers: &[Leftover],
        set_aside_bytes: u64,
    ) -> Result<(), PushError> {
        let files = plan.actions.iter().filter_map(Action::file);
        let needed = files.map(FileAction::staged_bytes).sum::<u64>() + set_aside_bytes;
        // What the plan does not use of an interrupted push is removed before anything is staged.
        let free = self.vitals.free_bytes.saturating_add(unused_bytes(plan, leftovers));
        if needed > free { Err(PushError::NoRoom { needed, free }) } else { Ok(()) }
    }
}

/// Bytes of the leftovers that a plan does not use.
fn unused_bytes(plan: &Plan, leftovers: &[Leftover]) -> u64 {
    let all: u64 = leftovers.iter().map(|leftover| leftover.size).sum();
    let files = plan.actions.iter().filter_map(Action::file);
    let used = files.filter_map(|file| match file.recipe {
        Recipe::Copy { from: Basis::Leftover(position) } => leftovers.get(position as usize),
        _ => None,
    });
    all.saturating_sub(used.map(|leftover| leftover.size).sum())
}

/// Sends the files of the actions in `order`, and those of `regzips` as they get ready.
fn send_files(
    mut encoder: Encoder<'_>,
    plan: &Plan,
    order: &[u32],
    effort: &mut Effort,
    regzips: &Regzips,
    materials: &Materials<'_>,
) -> Result<(), PushError> {
    /// How long to wait for a file before showing a sign of life.
    const PATIENCE: Duration = Duration::from_millis(200);
    let action = |position: u32| &plan.actions[position as usize];
    let mut judged = Judged::new(encoder.wire);
    for &position in order {
        // Their plain siblings are made of content that has been sent by now.
        if is_precompressed(action(position).path.as_bytes()) {
            while let Some(job) = regzips.ready() {
                let made = corrections(materials, &job);
                encoder.encode_regzip(job.position, action(job.position), made)?;
            }
        }
        encoder.encode(position, action(position))?;
        judged.judge(effort, encoder.wire)?;
    }
    loop {
        match regzips.next(PATIENCE) {
            Outcome::Done(job) => {
                let made = corrections(materials, &job);
                encoder.encode_regzip(job.position, action(job.position), made)?;
            }
            Outcome::Left(job) => {
                encoder.encode_regzip(job.position, action(job.position), None)?;
            }
            Outcome::Wait => {
                encoder.wire.flush()?;
                encoder.wire.tick()?;
            }
            Outcome::Over => return Ok(()),
        }
    }
}

fn corrections<'m>(materials: &'m Materials<'_>, job: &Job) -> Option<&'m [u8]> {
    let regzip = materials.comparison.drafts().regzips.get(&job.at)?;
    regzip.corrections(materials.source, job.at)
}

/// Splits off, from the end of `order`, what is made from plain siblings.
fn regzip_jobs<'o>(
    plan: &Plan,
    order: &'o [u32],
    materials: &Materials<'_>,
) -> (&'o [u32], Vec<Job>) {
    let comparison = materials.comparison;
    let job = |&position: &u32| {
        let action = &plan.actions[position as usize];
        let Recipe::Regzip { .. } = action.file()?.recipe else { return None };
        let at = comparison.position_of(&action.path)?;
        Some(Job { position, at, size: content_bytes(action) })
    };
    let first = order.iter().position(|position| job(position).is_some()).unwrap_or(order.len());
    let (order, regzips) = order.split_at(first);
    (order, regzips.iter().filter_map(job).collect())
}

/// About how many bytes of content are to be compressed.
fn expected_bytes(plan: &Plan) -> u64 {
    let files = plan.actions.iter().filter_map(Action::file);
    let bytes = files.map(|file| match file.recipe {
        Recipe::Whole => file.size,
        Recipe::Patch { .. } | Recipe::Delta { .. } => file.size / 8,
        _ => 0,
    });
    bytes.sum()
}

fn is_patch(action: &Action) -> bool {
    action.file().is_some_and(|file| matches!(file.recipe, Recipe::Patch { .. }))
}

fn content_bytes(action: &Action) -> u64 {
    action.file().map_or(0, |file| file.size)
}

/// The file as it is now, and the message that says so.
fn amend(
    position: u32,
    action: &mut Action,
    source: &Source,
    tree: &mut crate::fs::tree::Tree,
) -> Result<Message<'static>, PushError> {
    use crate::compare::SourceEntry;
    let changing = |path: &crate::path::RelPath, source| PushError::Changing {
        path: path.to_string(),
        source,
    };
    let What::File(file) = &mut action.what else {
        return Err(PushError::Protocol("failure of no file".into()));
    };
    let path = action.path.clone();
    let (kind, mode, mtime) = (Kind::File { size: file.size }, file.mode, file.mtime);
    let planned = (file.size, file.mtime, file.digest);
    let mut now = SourceEntry { entry: Entry { path, kind, mode, mtime }, digest: None };
    let mut buffer = vec![0; 64 * 1024];
    read_again(tree, &mut now, &mut buffer).map_err(|error| match source.is_given() {
        true => PushError::Missing { path: action.path.to_string() },
        false => changing(&action.path, error),
    })?;
    let (Some(digest), Some(size)) = (now.digest, now.entry.file_size()) else {
        return Err(changing(&action.path, std::io::ErrorKind::InvalidInput.into()));
    };
    (file.size, file.mtime, file.digest) = (size, now.entry.mtime, Some(digest));
    if source.is_given() {
        // What was wanted then is wanted still.
        file.mtime = planned.1;
        if (file.size, file.digest) != (planned.0, planned.2) {
            return Err(PushError::Missing { path: action.path.to_string() });
        }
    }
    Ok(Message::Amend { action: position, size, mtime: file.mtime, digest })
}

/// When the link was judged last.
struct Judged {
    at: Instant,
    blocked: Duration,
}

impl Judged {
    fn new(wire: &Wire) -> Judged {
        Judged { at: Instant::now(), blocked: wire.blocked }
    }

    fn judge(&mut self, effort: &mut Effort, wire: &mut Wire) -> Result<(), PushError> {
        match effort.adapt(self.at.elapsed(), wire.blocked - self.blocked, wire.sent) {
            Verdict::TooEarly => return Ok(()),
            Verdict::Stay => {}
            Verdict::Change => wire.compress_at(effort.level(), effort.window_log())?,
        }
        *self = Judged::new(wire);
        Ok(())
    }
}

pub(super) fn out_of_place(message: &Message<'_>) -> PushError {
    let name = format!("{message:?}");
    let end = name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len());
    PushError::Protocol(format!("{} out of place", &name[..end]))
}

/// A local path is made absolute: an agent starts wherever it is put.
pub(super) fn destination_bytes(target: &Target) -> Result<Vec<u8>, PushError> {
    match target {
        Target::Local(path) => {
            let path = std::path::absolute(path).map_err(PushError::Io)?;
            Ok(path.as_os_str().as_bytes().to_vec())
        }
        Target::Remote(remote) => Ok(remote.path.as_bytes().to_vec()),
    }
}

/// 32 hexadecimal digits nobody can have printed before.
pub(crate) fn nonce() -> Result<String, PushError> {
    use std::io::Read;
    let mut random = [0; 16];
    let read =
        std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random));
    read.map_err(PushError::Io)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
