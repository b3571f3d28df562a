//! All places at once: each has a thread of its own, which stages, waits for the word, publishes, waits, prunes. The word
//! comes from here, once all have got so far.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use assetsync_sync as sender;
use assetsync_sync::{ConnectOptions, Decide, Options, PushError, PushGroup, Report, Source};

use super::Engine;
use super::cancel::Cancel;
use super::each::Semaphore;
use super::event::{Event, Monitor};
use super::outcome::{ServedVersion, TargetError, TargetOutcome};
use super::place::Place;

/// What is pushed, and by what rules; one for each set of assets.
pub(super) struct Load {
    /// The set's position.
    pub set: usize,
    pub source: Source,
    pub options: Options,
    pub decide: Box<dyn Decide + Send>,
}

/// What the places of a set of assets share.
pub(super) struct Work {
    pub load: Load,
    pub group: PushGroup,
}

/// What the threads of all places share.
pub(super) struct Common {
    pub engine: Engine,
    pub monitor: Arc<dyn Monitor>,
    pub silence: Duration,
    pub dry_run: bool,
    pub permits: Semaphore,
}

/// The places of a rollout, each at some step.
pub(super) struct Fleet {
    members: Vec<Member>,
    news: Receiver<(usize, News)>,
    monitor: Arc<dyn Monitor>,
    cancel: Cancel,
    /// A place that is staged then ends.
    dry_run: bool,
}

struct Member {
    place: Place,
    /// Dropping it ends what was not published.
    orders: Option<Sender<Order>>,
    step: Step,
    outcome: TargetOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Staging,
    Staged,
    /// It was asked whether it is still there.
    Asked,
    Publishing,
    Published,
    Ending,
    /// Well or not, see the outcome.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Say whether the agent is still there.
    Answer,
    Publish,
    Prune,
    Finish,
}

enum News {
    Staged(Box<Report>),
    StillThere,
    Published,
    Done(Box<Report>),
    Failed(TargetError),
    /// Nothing more comes from there.
    Ended,
    Cancelled,
}

/// What a place's thread does with the word it waits for.
enum Heard {
    Order(Order),
    /// Nobody gives orders any more.
    Nobody,
}

impl Fleet {
    /// Has all places begin.
    pub fn start(common: &Arc<Common>, places: Vec<(Place, Arc<Work>)>, cancel: &Cancel) -> Fleet {
        let (sender, news) = channel();
        let cancelled = sender.clone();
        cancel.on_cancel(move || drop(cancelled.send((0, News::Cancelled))));
        let members = places.into_iter().enumerate().map(|(at, (place, work))| {
            let (orders, heard) = channel();
            let outcome = TargetOutcome::of(&place);
            let (common, serving) = (Arc::clone(common), place.clone());
            let told = sender.clone();
            // It ends with its connection at the latest; nobody waits for it.
            let started = thread::Builder::new().spawn(move || {
                let end = SendOnDrop(at, told);
                serve(&common, &(serving, work), &heard, &|news| drop(end.1.send((end.0, news))));
            });
            if let Err(error) = started {
                let failed = News::Failed(TargetError::NoThread(error));
                drop(sender.send((at, failed)));
            }
            Member { place, orders: Some(orders), step: Step::Staging, outcome }
        });
        let members = members.collect();
        let (monitor, cancel) = (Arc::clone(&common.monitor), cancel.clone());
        Fleet { members, news, monitor, cancel, dry_run: common.dry_run }
    }

    /// Waits until every place is staged or has failed, or the rollout is cancelled.
    pub fn staged(&mut self) {
        self.wait_while(|step| step == Step::Staging, true);
    }

    /// Has every staged place say whether its agent is still there, and takes note of those that were lost.
    pub fn check_alive(&mut self) {
        self.order(Step::Staged, Step::Asked, Order::Answer);
        self.wait_while(|step| step == Step::Asked, true);
    }

    /// Has all staged places publish, and waits until they have. Once begun it is not cancelled.
    pub fn publish(&mut self) {
        self.order(Step::Staged, Step::Publishing, Order::Publish);
        self.wait_while(|step| step == Step::Publishing, false);
    }

    /// Has all published places end, after pruning if that is wanted, and waits until they have.
    pub fn end(&mut self, prune: bool) {
        let order = if prune { Order::Prune } else { Order::Finish };
        self.order(Step::Published, Step::Ending, order);
        self.wait_while(|step| step == Step::Ending, false);
    }

    /// Leaves out all places of hosts that have a failed one.
    pub fn exclude_failed_hosts(&mut self) {
        let failed: Vec<usize> = self.failed().map(|member| member.place.host).collect();
        for member in &mut self.members {
            if failed.contains(&member.place.host) {
                member.orders = None;
            }
        }
    }

    fn failed(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.outcome.error.is_some())
    }

    /// Whether a place has failed.
    pub fn has_failed(&self) -> bool {
        self.failed().next().is_some()
    }

    /// How many places have failed, of how many.
    pub fn failures(&self) -> (usize, usize) {
        (self.failed().count(), self.members.len())
    }

    /// Whether a place of the host has failed.
    pub fn has_failed_target(&self, host: usize) -> bool {
        self.failed().any(|member| member.place.host == host)
    }

    /// Whether any place is live and still connected.
    pub fn has_published(&self) -> bool {
        self.members.iter().any(|member| member.step == Step::Published)
    }

    /// Whether any place could be published.
    pub fn has_staged(&self) -> bool {
        self.members.iter().any(|member| member.step == Step::Staged && member.orders.is_some())
    }

    /// What has become of every place; what was only staged stays as it was.
    pub fn outcomes(self) -> Vec<TargetOutcome> {
        self.members.into_iter().map(|member| member.outcome).collect()
    }

    /// Gives an order to all places at a step. A place that can't take it any more has failed: its thread has ended,
    /// and what it said last is heard now, for nobody may wait for it later.
    fn order(&mut self, from: Step, to: Step, order: Order) {
        let mut gone = Vec::new();
        for (at, member) in self.members.iter_mut().enumerate() {
            match &member.orders {
                Some(orders) if member.step == from => match orders.send(order) {
                    Ok(()) => member.step = to,
                    Err(_) => gone.push(at),
                },
                _ => {}
            }
        }
        while let Ok((at, news)) = self.news.try_recv() {
            self.note(at, news);
        }
        for at in gone {
            if self.members[at].step != Step::Over {
                self.note(at, News::Failed(TargetError::Ended));
            }
        }
    }

    fn wait_while(&mut self, waits: impl Fn(Step) -> bool, until_cancelled: bool) {
        while self.members.iter().any(|member| waits(member.step)) {
            if until_cancelled && self.cancel.is_cancelled() {
                return;
            }
            // Every thread says how it ends, so this can't go on for ever.
            let Ok((at, news)) = self.news.recv() else { return };
            self.note(at, news);
        }
    }

    fn note(&mut self, at: usize, news: News) {
        let monitor = Arc::clone(&self.monitor);
        let Some(member) = self.members.get_mut(at) else { return };
        let place = member.place.label.as_str();
        match news {
            News::Staged(report) => {
                member.step = Step::Staged;
                monitor.event(&Event::Staged { place, report: &report });
                member.outcome.report = Some(*report);
            }
            News::StillThere => member.step = Step::Staged,
            News::Published => {
                (member.step, member.outcome.stands) = (Step::Published, ServedVersion::New);
                monitor.event(&Event::Published { place });
            }
            News::Done(report) => {
                if report.pruned > 0 {
                    monitor.event(&Event::Pruned {
                        place,
                        paths: report.pruned,
                        removed: report.removed,
                    });
                }
                (member.step, member.outcome.report) = (Step::Over, Some(*report));
            }
            News::Failed(error) => {
                monitor.event(&Event::Failed { place, reason: &error });
                if member.step == Step::Publishing {
                    member.outcome.stands = ServedVersion::Unknown;
                }
                (member.step, member.outcome.error) = (Step::Over, Some(error));
            }
            // Whoever ends in order has said so, or was told to: in a dry run, or because there are no orders any more.
            News::Ended if member.step == Step::Over || member.orders.is_none() => {}
            News::Ended if self.dry_run && member.step == Step::Staged => {}
            News::Ended => self.note(at, News::Failed(TargetError::Ended)),
            News::Cancelled => {}
        }
    }
}

/// Says that a thread has ended, however it does.
struct SendOnDrop(usize, Sender<(usize, News)>);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let _ = self.1.send((self.0, News::Ended));
    }
}

/// The work of one place's thread.
fn serve(
    common: &Common,
    served: &(Place, Arc<Work>),
    orders: &Receiver<Order>,
    tell: &dyn Fn(News),
) {
    let (place, work) = served;
    if let Err(error) = common.serve(place, work, orders, tell) {
        tell(News::Failed(error));
    }
}

impl Common {
    fn serve(
        &self,
        place: &Place,
        work: &Work,
        orders: &Receiver<Order>,
        tell: &dyn Fn(News),
    ) -> Result<(), TargetError> {
        let watch = Watch { place: &place.label, monitor: &*self.monitor };
        let connection = ConnectOptions {
            group: Some(&work.group),
            dry_run: self.dry_run,
            ..self.engine.connection(place, self.silence)
        };
        let mut staged = {
            let _permit = self.permits.take();
            let Load { source, options, decide, .. } = &work.load;
            sender::stage(source, &place.target, &connection, options, &**decide, &watch)?
        };
        tell(News::Staged(Box::new(staged.report().clone())));
        if self.dry_run {
            staged.abandon();
            return Ok(());
        }
        let every = heartbeat(self.silence);
        loop {
            match wait(orders, every, || staged.keep_alive())? {
                Heard::Order(Order::Publish) => break,
                Heard::Order(Order::Answer) => {
                    staged.keep_alive()?;
                    tell(News::StillThere);
                }
                _ => {
                    staged.abandon();
                    return Ok(());
                }
            }
        }
        let mut live = staged.publish()?;
        tell(News::Published);
        let report = match wait(orders, every, || live.keep_alive())? {
            Heard::Order(Order::Prune) => live.prune()?,
            _ => live.finish()?,
        };
        tell(News::Done(Box::new(report)));
        Ok(())
    }
}

/// Waits for an order, and shows the agent now and then that somebody is there.
fn wait(
    orders: &Receiver<Order>,
    every: Duration,
    mut keep_alive: impl FnMut() -> Result<(), PushError>,
) -> Result<Heard, PushError> {
    loop {
        match orders.recv_timeout(every) {
            Ok(order) => return Ok(Heard::Order(order)),
            Err(RecvTimeoutError::Disconnected) => return Ok(Heard::Nobody),
            Err(RecvTimeoutError::Timeout) => keep_alive()?,
        }
    }
}

/// How often an agent is shown that its sender lives.
fn heartbeat(silence: Duration) -> Duration {
    (silence / 4).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// Tells of the push to one place.
pub(super) struct Watch<'a> {
    pub place: &'a str,
    pub monitor: &'a dyn Monitor,
}

impl sender::Monitor for Watch<'_> {
    fn event(&self, event: sender::Event<'_>) {
        self.monitor.event(&Event::Push { place: self.place, event });
    }
}
