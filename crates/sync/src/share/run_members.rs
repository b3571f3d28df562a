//! The pushes of one run, which find out whether two of their destinations are one directory:
//! behind two hosts, or under two paths. One of them does the work then.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assetsync_core::protocol::{LockReport, RunMember};

use crate::connect::nonce::random;
use crate::error::PushError;

/// How long to wait for other pushes before sending a heartbeat.
const WAIT_LIMIT: Duration = Duration::from_millis(500);

/// The pushes of one run.
#[derive(Debug, Default)]
pub struct RunMembers {
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct List {
    run: Option<[u8; 12]>,
    /// By their numbers.
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    /// The position of its destination; a second try is another member.
    position: usize,
    state: MemberState,
}

#[derive(Debug, PartialEq, Eq)]
enum MemberState {
    /// It may lock its destination at any moment.
    Starting,
    /// It waits until none is starting.
    Waiting,
    /// It has locked this directory.
    Locked([u8; 16]),
    /// It has a staging directory of this name on an SFTP server.
    Staging(Vec<u8>),
    /// The destination at this position is the same directory.
    Follows(usize),
    Over,
}

/// One push of a run until it has found its part.
pub struct Membership<'m> {
    members: &'m RunMembers,
    number: u32,
    position: usize,
}

/// What a push does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It does the work for the directory, which the push to the destination at this position had
    /// locked before.
    Works(Option<usize>),
    /// The destination at this position is the same directory, and does the work.
    Follows(usize),
}

impl RunMembers {
    /// Adds the push to the destination at this position.
    pub fn join(&self, position: usize) -> Result<Membership<'_>, PushError> {
        let mut list = self.lock();
        if list.run.is_none() {
            list.run = Some(random()?);
        }
        let number = list.members.len() as u32;
        list.members.push(Member { position, state: MemberState::Starting });
        Ok(Membership { members: self, number, position })
    }

    /// Whether a staging directory of this name on an SFTP server is one of this run.
    pub fn has_staging(&self, name: &[u8]) -> bool {
        let is_it =
            |member: &Member| matches!(&member.state, MemberState::Staging(it) if it == name);
        self.lock().members.iter().any(is_it)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership<'_> {
    /// Its number, and the run.
    pub fn member(&self) -> RunMember {
        RunMember { run: self.members.lock().run.unwrap_or_default(), number: self.number }
    }

    /// Finds its part from what the agent reports. Meanwhile `keep_alive` is called.
    pub fn settle(
        self,
        report: LockReport,
        mut keep_alive: impl FnMut() -> Result<(), PushError>,
    ) -> Result<Role, PushError> {
        match report {
            LockReport::HeldBy { member } => {
                let position = self.members.lock().position_of(member)?;
                Ok(self.become_role(Role::Follows(position)))
            }
            LockReport::Own { directory, is_busy, before } => {
                let before = before.map(|it| self.members.lock().position_of(it)).transpose()?;
                let works = Role::Works(before.filter(|before| *before != self.position));
                if is_busy && let Some(other) = self.holder(&directory, &mut keep_alive)? {
                    return Ok(self.become_role(Role::Follows(other)));
                }
                self.set(MemberState::Locked(directory));
                Ok(works)
            }
        }
    }

    /// Records the staging directory on an SFTP server, before it is made.
    pub fn stages(&self, name: &[u8]) {
        self.set(MemberState::Staging(name.to_vec()));
    }

    /// Finds its part from what is in the work directory on an SFTP server, once the staging
    /// directory is made. Of two pushes at least one finds the other.
    pub fn settle_staging(&self, names: &[Vec<u8>]) -> Role {
        let mut list = self.members.lock();
        let other = list.members.iter().find_map(|member| match &member.state {
            MemberState::Staging(name) if member.position != self.position => {
                names.contains(name).then_some(member.position)
            }
            _ => None,
        });
        match other {
            Some(other) => {
                list.members[self.number as usize].state = MemberState::Follows(other);
                Role::Follows(other)
            }
            None => Role::Works(None),
        }
    }

    fn become_role(&self, role: Role) -> Role {
        if let Role::Follows(other) = role {
            self.set(MemberState::Follows(other));
        }
        role
    }

    /// The position of the push that has locked a busy directory. It may not have heard of its lock
    /// yet, so this waits while others are starting.
    fn holder(
        &self,
        directory: &[u8; 16],
        keep_alive: &mut impl FnMut() -> Result<(), PushError>,
    ) -> Result<Option<usize>, PushError> {
        self.set(MemberState::Waiting);
        loop {
            let list = self.members.lock();
            let other = list.with(directory);
            if other.is_some() || !list.is_any_starting() {
                return Ok(other);
            }
            drop(self.members.changed.wait_timeout(list, WAIT_LIMIT));
            keep_alive()?;
        }
    }

    fn set(&self, state: MemberState) {
        self.members.lock().members[self.number as usize].state = state;
        self.members.changed.notify_all();
    }
}

impl Drop for Membership<'_> {
    /// A push that failed before it found its part holds up no other one.
    fn drop(&mut self) {
        let mut list = self.members.lock();
        let state = &mut list.members[self.number as usize].state;
        if matches!(state, MemberState::Starting | MemberState::Waiting) {
            *state = MemberState::Over;
        }
        self.members.changed.notify_all();
    }
}

impl List {
    fn position_of(&self, member: u32) -> Result<usize, PushError> {
        let found = self.members.get(member as usize).map(|member| member.position);
        found.ok_or_else(|| PushError::Protocol("it names a push that there is not".into()))
    }

    fn is_any_starting(&self) -> bool {
        self.members.iter().any(|member| member.state == MemberState::Starting)
    }

    /// The position of the member that has locked this directory.
    fn with(&self, directory: &[u8; 16]) -> Option<usize> {
        let is_it = |member: &&Member| member.state == MemberState::Locked(*directory);
        self.members.iter().find(is_it).map(|member| member.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(directory: u8, is_busy: bool, before: Option<u32>) -> LockReport {
        LockReport::Own { directory: [directory; 16], is_busy, before }
    }

    fn settle(membership: Membership<'_>, report: LockReport) -> Result<Role, PushError> {
        membership.settle(report, || Ok(()))
    }

    #[test]
    fn a_push_whose_lock_another_one_of_the_run_has_follows_it() {
        let members = RunMembers::default();
        let (one, two) = (members.join(4).unwrap(), members.join(7).unwrap());
        let (member, other) = (one.member(), two.member());
        assert!(member.run == other.run && member.run != [0; 12] && member.number != other.number);
        assert_eq!(settle(one, own(1, false, None)).unwrap(), Role::Works(None));
        let held = LockReport::HeldBy { member: member.number };
        assert_eq!(settle(two, held).unwrap(), Role::Follows(4));
        let invented = LockReport::HeldBy { member: 99 };
        assert!(matches!(settle(members.join(8).unwrap(), invented), Err(PushError::Protocol(_))));
    }

    #[test]
    fn who_had_the_lock_before_is_told() {
        let members = RunMembers::default();
        let [one, two, again] = [4, 7, 7].map(|position| members.join(position).unwrap());
        assert_eq!(settle(one, own(1, false, None)).unwrap(), Role::Works(None));
        assert_eq!(settle(two, own(1, false, Some(0))).unwrap(), Role::Works(Some(4)));
        assert_eq!(settle(again, own(1, false, Some(1))).unwrap(), Role::Works(None), "itself");
    }

    #[test]
    fn a_busy_directory_is_that_of_a_push_that_reports_the_same_one_and_no_other() {
        let members = RunMembers::default();
        let [one, two, three] = [0, 1, 2].map(|position| members.join(position).unwrap());
        std::thread::scope(|scope| {
            // It hears of its directory before the one that has locked it does.
            let two = scope.spawn(|| settle(two, own(1, true, None)).unwrap());
            let three = scope.spawn(|| settle(three, own(3, true, None)).unwrap());
            assert_eq!(settle(one, own(1, false, None)).unwrap(), Role::Works(None));
            assert_eq!(two.join().unwrap(), Role::Follows(0));
            assert_eq!(three.join().unwrap(), Role::Works(None), "busy for somebody else");
        });
    }

    #[test]
    fn equal_directories_that_are_not_busy_are_two() {
        let members = RunMembers::default();
        let (one, two) = (members.join(0).unwrap(), members.join(1).unwrap());
        assert_eq!(settle(one, own(1, false, None)).unwrap(), Role::Works(None));
        assert_eq!(settle(two, own(1, false, None)).unwrap(), Role::Works(None));
    }

    #[test]
    fn a_push_that_fails_holds_up_no_other_one() {
        let members = RunMembers::default();
        let (one, two) = (members.join(0).unwrap(), members.join(1).unwrap());
        std::thread::scope(|scope| {
            let two = scope.spawn(|| settle(two, own(1, true, None)).unwrap());
            drop(one);
            assert_eq!(two.join().unwrap(), Role::Works(None));
        });
    }

    #[test]
    fn of_pushes_over_sftp_that_find_each_other_one_works() {
        let members = RunMembers::default();
        let [one, two, three] = [0, 1, 2].map(|position| members.join(position).unwrap());
        let names = [b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
        one.stages(b"a");
        two.stages(b"b");
        three.stages(b"other server");
        assert!(members.has_staging(b"a") && !members.has_staging(b"c"));
        assert_eq!(one.settle_staging(&names), Role::Follows(1));
        assert_eq!(two.settle_staging(&names), Role::Works(None), "the other one follows");
        assert_eq!(three.settle_staging(&[]), Role::Works(None));
    }
}
