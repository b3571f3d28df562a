//! Promise: the server's memory stays flat. The agent's peak is at most 16 MiB, however large a
//! file and however many files there are, and it works where no more than 64 MiB can be had.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use assetsync_testbed::Sshd;
use assetsync_testbed::memory::Cgroup;

use crate::support::{
    Done, Machine, OrFail, Way, assert_equal, fresh_corpus, scratch, scratch_on_disk, sshd, tell,
};

/// The most an agent may take.
const PEAK: u64 = 16 << 20;

fn assert_flat(what: &str, done: &Done) {
    let peak = done.agent_peak_rss_bytes;
    tell(&format!("{what}: agent peak {:.1} MiB; {done:?}", peak as f64 / f64::from(1 << 20)));
    assert!(peak > 0, "{what}: the peak is not known");
    assert!(peak <= PEAK, "{what}: the agent took {peak} bytes, {PEAK} are allowed");
}

/// Bytes that look random and are the same every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        // xorshift64*, by Marsaglia and Vigna.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            eight.copy_from_slice(&self.next().to_le_bytes()[..eight.len()]);
        }
    }
}

/// Writes a file of `bytes` bytes that nothing compresses.
fn write_noise(path: &Path, bytes: u64) {
    const PIECE: u64 = 1 << 20;
    let (mut noise, mut file) = (Noise(1), File::create(path).or_fail());
    let mut piece = vec![0; PIECE as usize];
    for _ in 0..bytes / PIECE {
        noise.fill(&mut piece);
        file.write_all(&piece).or_fail();
    }
}

/// Overwrites 64 bytes at each of `count` places all over a file.
fn scatter_edits(path: &Path, count: u64) {
    let mut noise = Noise(2);
    let file = File::options().write(true).open(path).or_fail();
    let length = file.metadata().or_fail().len();
    for _ in 0..count {
        let mut bytes = [0; 64];
        noise.fill(&mut bytes);
        file.write_all_at(&bytes, noise.next() % (length - 64)).or_fail();
    }
}

#[test]
fn a_file_of_one_gibibyte_with_scattered_edits() {
    const SIZE: u64 = 1 << 30;
    let (machine, dir) = (Machine::new(), scratch_on_disk());
    let source = dir.path().join("source");
    let destination = dir.path().join("srv/assets");
    fs::create_dir(&source).or_fail();
    write_noise(&source.join("model.bin"), SIZE);
    let way = Way::local(&destination);
    assert_flat("1 GiB, first push", &machine.push(&way, &[], &source));

    scatter_edits(&source.join("model.bin"), 100);
    let done = machine.push(&way, &[], &source);
    assert_flat("1 GiB, 100 edits", &done);
    assert_eq!(done.files_sent, 1);
    assert!(done.bytes_sent <= SIZE / 50, "{} bytes sent, 2 % are allowed", done.bytes_sent);
    assert_same_bytes(&source.join("model.bin"), &destination.join("model.bin"));
}

/// Compares two large files a piece at a time.
fn assert_same_bytes(a: &Path, b: &Path) {
    let (one, other) = (File::open(a).or_fail(), File::open(b).or_fail());
    let length = one.metadata().or_fail().len();
    assert_eq!(length, other.metadata().or_fail().len());
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for offset in (0..length).step_by(left.len()) {
        one.read_exact_at(&mut left, offset).or_fail();
        other.read_exact_at(&mut right, offset).or_fail();
        assert!(left == right, "the files differ after byte {offset}");
    }
}

#[test]
fn home_assistant() {
    let (machine, dir) = (Machine::new(), scratch());
    let destination = dir.path().join("srv/assets");
    for release in ["home-assistant-20250109.1", "home-assistant-20250109.2"] {
        let source = fresh_corpus(release, &dir.path().join(release));
        let done = machine.push(&Way::local(&destination), &["--delete"], &source);
        assert_flat(release, &done);
        assert_equal(&source, &destination);
    }
}

/// Over SSH, with the whole session, sshd's own part aside, inside a memory cgroup.
#[test]
fn a_hundred_thousand_small_files_within_64_mib() {
    const FILES: u64 = 100_000;
    let (machine, here, there) = (Machine::new(), scratch(), scratch_on_disk());
    let source = many_files(&here.path().join("source"), FILES);
    let destination = there.path().join("srv/assets");
    let group = group(64 << 20);
    let sshd = group.as_ref().map_or_else(sshd, sshd_within);
    let way = Way::ssh(sshd.route(), &destination);

    let first = machine.push(&way, &["--delete"], &source);
    assert_flat("100,000 files, first push", &first);
    assert_eq!((first.files_total, first.files_sent), (FILES, FILES));
    assert_equal(&source, &destination);

    let again = machine.push(&way, &["--delete"], &source);
    assert_flat("100,000 files, nothing changed", &again);
    assert_eq!((again.files_total, again.files_sent), (FILES, 0));
    if let Some(group) = group {
        tell(&format!("100,000 files: the cgroup's peak was {:?} bytes", group.peak()));
        assert_eq!(group.oom_kills(), 0);
        assert!(group.peak().is_none_or(|peak| peak > 1 << 20), "nothing ran in the cgroup");
    }
}

/// A memory cgroup; where none can be made, the test fails, unless somebody said that this is
/// known.
fn group(limit: u64) -> Option<Cgroup> {
    const KNOWN: &str = "ASSETSYNC_TESTS_WITHOUT_CGROUP";
    match Cgroup::new(limit) {
        Ok(group) => Some(group),
        Err(error) if std::env::var_os(KNOWN).is_some() => {
            tell(&format!("SKIPPED, as {KNOWN} is set: the limit of {limit} bytes ({error})"));
            None
        }
        Err(error) => panic!("{error}; run as root, or set {KNOWN}=1 to go without this check"),
    }
}

/// A server whose sessions run in the group.
fn sshd_within(group: &Cgroup) -> Sshd {
    let join = format!("echo $$ >{}", group.procs().display());
    Sshd::builder().prelude(&join).start().or_fail()
}

/// `count` files of 1 kB, a thousand in each directory, no two alike.
fn many_files(root: &Path, count: u64) -> PathBuf {
    let mut noise = Noise(3);
    for number in 0..count {
        let dir = root.join(format!("{:03}", number / 1_000));
        if number % 1_000 == 0 {
            fs::create_dir_all(&dir).or_fail();
        }
        let mut bytes = [0; 1_000];
        noise.fill(&mut bytes[..500]);
        let file = File::create(dir.join(format!("chunk-{number:06}.js"))).or_fail();
        BufWriter::new(file).write_all(&bytes).or_fail();
    }
    root.to_path_buf()
}
