//! Limits this process to the directories of its push, where the kernel can (Landlock, since Linux
//! 5.19): whatever a sender made of a fault in a decoder, it would not leave them, run a program,
//! connect to anything over TCP or signal other processes.
//!
//! Where the kernel can't, nothing happens: everything else protects as before.

// The C library has no functions for these system calls.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long, c_void};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use assetsync_receiver::{Access, Allowed};
use rustix::fs::{Mode, OFlags};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// The numbers are the same on all platforms.
const CREATE_RULESET: c_long = 444;
const ADD_RULE: c_long = 445;
const RESTRICT_SELF: c_long = 446;

/// Asks for the version instead of a ruleset.
const VERSION: c_int = 1;
const PATH_BENEATH: c_int = 1;

/// Before this version, files could not be renamed from one directory to another.
const WITH_RENAMES: c_long = 2;
const WITH_TRUNCATION: c_long = 3;
const WITH_TCP: c_long = 4;
const WITH_DEVICES: c_long = 5;
const WITH_SCOPES: c_long = 6;

/// Rights of the first two versions: executing, writing, reading, listing, removing, making,
/// renaming.
const BASIC: u64 = (1 << 14) - 1;
const EXECUTE: u64 = 1;
const READ: u64 = 1 << 2 | 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const TRUNCATE: u64 = 1 << 14;
const CONTROL_DEVICES: u64 = 1 << 15;

/// What is refused unless a rule allows it.
#[repr(C)]
#[derive(Default)]
struct Ruleset {
    files: u64,
    /// Binding and connecting over TCP.
    network: u64,
    /// Abstract Unix sockets, and signals, of other processes.
    scopes: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: c_int,
}

/// Limits this thread, and those that it starts from now on.
pub fn confine(allowed: &[Allowed<'_>]) {
    let _ = rustix::thread::set_no_new_privs(true);
    let Some((ruleset, all)) = ruleset() else { return };
    for Allowed { dir, access } in allowed {
        let rights = match access {
            Access::Write => all & !EXECUTE & !CONTROL_DEVICES,
            Access::Read => READ,
            Access::RemoveDirs => REMOVE_DIR,
        };
        if !add(&ruleset, dir.as_raw_fd(), rights) {
            return;
        }
    }
    // What the process reads of itself: its memory, and mounts.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    if let Ok(own) = rustix::fs::open("/proc/self", flags, Mode::empty()) {
        add(&ruleset, own.as_raw_fd(), READ);
        // The rule is about this inode. Were it not in use, a kernel that is short of memory would
        // forget it, and make another one that no rule is about.
        std::mem::forget(own);
    }
    // SAFETY: it takes a descriptor and flags.
    unsafe { syscall(RESTRICT_SELF, ruleset.as_raw_fd(), 0 as c_int) };
}

/// The version of Landlock that the kernel has; not positive if it has none.
fn version() -> c_long {
    let none: *const c_void = std::ptr::null();
    // SAFETY: asked for the version, the kernel takes no attributes.
    unsafe { syscall(CREATE_RULESET, none, 0_usize, VERSION) }
}

/// A ruleset without rules, and all rights to files that it knows.
fn ruleset() -> Option<(OwnedFd, u64)> {
    let version = version();
    if version < WITH_RENAMES {
        return None;
    }
    let since = |first, rights| if version >= first { rights } else { 0 };
    let files = BASIC | since(WITH_TRUNCATION, TRUNCATE) | since(WITH_DEVICES, CONTROL_DEVICES);
    let (network, scopes) = (since(WITH_TCP, 0b11), since(WITH_SCOPES, 0b11));
    let attributes = Ruleset { files, network, scopes };
    // SAFETY: the attributes have the size that is given. Older kernels take what they do not know
    // as long as it is zero.
    let made =
        unsafe { syscall(CREATE_RULESET, &raw const attributes, size_of::<Ruleset>(), 0 as c_int) };
    let made = c_int::try_from(made).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has made this descriptor, and nobody else has it.
    Some((unsafe { OwnedFd::from_raw_fd(made) }, files))
}

fn add(ruleset: &OwnedFd, dir: c_int, allowed: u64) -> bool {
    let rule = PathBeneath { allowed, parent: dir };
    // SAFETY: the rule is of the type that is named.
    let added = unsafe {
        syscall(ADD_RULE, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0 as c_int)
    };
    added == 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{self, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::*;

    const DIR: &str = "ASSETSYNC_TEST_DIR";
    const PORT: &str = "ASSETSYNC_TEST_PORT";

    /// Not a test: the process that is limited.
    #[test]
    fn limited_process() {
        let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
        let opened = |name: &str| File::open(dir.join(name)).unwrap();
        let (tree, work, parent) = (opened("tree"), opened("work"), opened("parent"));
        let caches = File::options().write(true).open("/proc/sys/vm/drop_caches");
        confine(&[
            Allowed { dir: tree.as_fd(), access: Access::Read },
            Allowed { dir: work.as_fd(), access: Access::Write },
            Allowed { dir: parent.as_fd(), access: Access::RemoveDirs },
        ]);
        // What a push does.
        assert_eq!(fs::read(dir.join("tree/file")).unwrap(), b"content");
        fs::write(dir.join("work/new"), "new").unwrap();
        fs::create_dir(dir.join("work/below")).unwrap();
        fs::rename(dir.join("work/new"), dir.join("work/below/new")).unwrap();
        File::options().write(true).truncate(true).open(dir.join("work/below/new")).unwrap();
        fs::remove_dir(dir.join("parent/empty")).unwrap();
        // Each thread is limited by itself; in the agent this one is the first.
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        // A kernel that is short of memory forgets what is not in use; root may ask for that.
        if let Ok(mut caches) = caches {
            caches.write_all(b"2").unwrap();
        }
        fs::read_to_string("/proc/self/status").unwrap();
        // What it does not. A thread is limited as the one that has started it.
        std::thread::spawn(move || refused(&dir)).join().unwrap();
    }

    fn refused(dir: &Path) {
        let is_limited = version() >= WITH_RENAMES;
        writeln!(io::stderr(), "Landlock version {}: limited {is_limited}", version()).unwrap();
        let tries: [(&str, io::Result<()>); 8] = [
            ("read elsewhere", fs::read("/etc/passwd").map(drop)),
            ("read beside", fs::read(dir.join("parent/secret")).map(drop)),
            ("write beside", fs::write(dir.join("parent/new"), "new")),
            ("write what is read", fs::write(dir.join("tree/file"), "new")),
            ("make in what is read", fs::create_dir(dir.join("tree/new"))),
            ("remove", fs::remove_file(dir.join("parent/secret"))),
            ("move out", fs::rename(dir.join("work/below"), dir.join("parent/below"))),
            ("run", Command::new("/bin/true").status().map(drop)),
        ];
        for (name, tried) in tries {
            let is_refused = tried.is_err();
            assert_eq!(is_refused, is_limited, "{name}: {tried:?}");
        }
        let port: u16 = std::env::var(PORT).unwrap().parse().unwrap();
        let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        assert_eq!(connected.is_err(), version() >= WITH_TCP, "{connected:?}");
    }

    #[test]
    fn a_limited_process_uses_its_directories_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["tree", "work", "parent", "parent/empty"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("tree/file"), "content").unwrap();
        fs::write(dir.path().join("parent/secret"), "secret").unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "sandbox::tests::limited_process", "--nocapture"]);
        let ran = command.env(DIR, dir.path()).env(PORT, port).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        io::stdout().write_all(said.as_bytes()).unwrap();
        assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stdout));
        assert!(said.contains("Landlock version"), "{said}");
    }
}
