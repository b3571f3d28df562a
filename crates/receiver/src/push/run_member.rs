//! Tells the pushes of one run which of their destinations are one directory: behind two hosts, or
//! under two paths.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use assetsync_core::digest::Digest;
use assetsync_core::protocol::{Hello, LockReport, ToSender};
use rustix::fs::{FlockOperation, flock, fstat};
use rustix::io::Errno;

use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::work::error::WorkDirError;
use crate::work::lookup::Found;
use crate::work::work_dir::WorkDir;

/// Locks the work directory of a destination. To a member of a run, reports that, or which other
/// member has it. The directory itself is then locked, too, as long as it is held open.
pub fn open_work(
    conversation: &mut Conversation,
    hello: &Hello,
    destination: &Found,
) -> Result<WorkDir, AgentError> {
    let dir = destination.dir.as_fd();
    let work = WorkDir::open(destination, hello);
    if hello.member.is_none() {
        return Ok(work?);
    }
    let report = match &work {
        Ok(work) => own(dir, work.locked_before())?,
        Err(WorkDirError::Locked { member: Some(member), .. }) => {
            LockReport::HeldBy { member: *member }
        }
        Err(_) => return Ok(work?),
    };
    conversation.send(&ToSender::Lock(report))?;
    conversation.flush()?;
    Ok(work?)
}

fn own(dir: BorrowedFd<'_>, before: Option<u32>) -> Result<LockReport, AgentError> {
    // Where directories can't be locked, it is busy for nobody.
    let locked = flock(dir, FlockOperation::NonBlockingLockExclusive);
    let is_busy = locked == Err(Errno::WOULDBLOCK);
    let directory = directory(dir).map_err(AgentError::WorkFiles)?;
    Ok(LockReport::Own { directory, is_busy, before })
}

/// Identifies a directory among all of this kernel, however it was reached.
fn directory(dir: BorrowedFd<'_>) -> io::Result<[u8; 16]> {
    let stat = fstat(dir)?;
    let mut id = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.extend((stat.st_dev as u64).to_le_bytes());
    id.extend((stat.st_ino as u64).to_le_bytes());
    Ok(Digest::of(&id).short().0)
}
