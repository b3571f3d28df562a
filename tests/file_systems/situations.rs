//! Directories as servers have them: mounts, subvolumes, projects, layers.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Entry;
use crate::interruptions::faults::{Dir, need, run};

/// Two builds, and a destination for them.
pub struct Host {
    dir: Dir,
    /// The destination's parent.
    srv: PathBuf,
}

impl Host {
    pub fn new() -> Host {
        let dir = Dir::new();
        let srv = dir.join("srv");
        Host::serving(dir, srv)
    }

    /// The same with the destination in `srv`, which may be elsewhere.
    pub fn serving(dir: Dir, srv: PathBuf) -> Host {
        let host = Host { dir, srv };
        for build in [0, 1] {
            super::write(&host.source(build), build);
        }
        fs::create_dir_all(host.destination()).unwrap();
        fs::create_dir(host.cache()).unwrap();
        host
    }

    pub fn source(&self, build: usize) -> PathBuf {
        self.dir.join(format!("build{build}"))
    }

    pub fn destination(&self) -> PathBuf {
        self.srv.join("assets")
    }

    /// The work directory beside it.
    pub fn work(&self) -> PathBuf {
        self.srv.join(".assetsync-assets")
    }

    pub fn cache(&self) -> PathBuf {
        self.dir.join("cache")
    }

    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The directory that the destination is in, without it: some FUSE programs mount over no
    /// other.
    fn emptied(&self) -> PathBuf {
        fs::remove_dir(self.destination()).unwrap();
        self.srv.clone()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Gives the destination's directories to a group that may write, and the cache.
    pub fn share(&self) {
        run("chgrp", ["-R".as_ref(), "61234".as_ref(), self.srv.as_os_str()]);
        run("chmod", ["-R".as_ref(), "g+w".as_ref(), self.srv.as_os_str()]);
        run("chown", ["61234".as_ref(), self.cache().as_os_str()]);
    }
}

/// A mount, which ends with this value.
pub struct Mount(PathBuf);

impl Mount {
    /// Runs a command that mounts something at `path`.
    fn by<A: AsRef<OsStr>>(
        program: &str,
        arguments: impl IntoIterator<Item = A>,
        path: &Path,
    ) -> Mount {
        let output = Command::new(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("can't run {program}: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "this test runs {program} as root: {said}");
        Mount(path.into())
    }

    /// Mounts the file system in an image.
    pub fn image(image: &Path, path: &Path, options: &str) -> Mount {
        let options = ["-o", options].map(OsStr::new);
        Mount::by("mount", options.into_iter().chain([image.as_os_str(), path.as_os_str()]), path)
    }

    pub fn bind(from: &Path, path: &Path) -> Mount {
        Mount::by("mount", ["--bind".as_ref(), from.as_os_str(), path.as_os_str()], path)
    }
}

impl Mount {
    /// What something else has mounted.
    pub fn over(path: &Path) -> Mount {
        Mount(path.into())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Mounts a small tmpfs.
pub fn mount_tmpfs(path: &Path) -> Mount {
    mount_tmpfs_with(path, "size=2m")
}

/// Mounts a tmpfs with these options.
pub fn mount_tmpfs_with(path: &Path, options: &str) -> Mount {
    fs::create_dir_all(path).unwrap();
    let options = ["-t", "tmpfs", "-o", options, "none"].map(OsStr::new);
    Mount::by("mount", options.into_iter().chain([path.as_os_str()]), path)
}

/// An attribute, which is taken away with this value.
pub struct Attribute(PathBuf, String);

pub fn chattr(path: &Path, flag: &str) -> Attribute {
    run("chattr", [format!("+{flag}").as_ref(), path.as_os_str()]);
    Attribute(path.into(), format!("-{flag}"))
}

impl Drop for Attribute {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg(&self.1).arg(&self.0).status();
    }
}

/// Mounts an image with a file system, made by a program with options, over the destination's
/// parent.
pub fn image(host: &Host, make: &[&str], package: &str, options: &str) -> Mount {
    need(make[0], package);
    let (file, path) = (host.at("image"), &host.srv);
    fs::File::create(&file).unwrap().set_len(512 << 20).unwrap();
    let made_by = make[1..].iter().chain(&["-q"]).map(OsStr::new);
    run(make[0], made_by.chain([file.as_os_str()]));
    Mount::image(&file, path, options)
}

/// Mounts what a situation has.
pub type Prepare = fn(&Host) -> Vec<Mount>;

/// What a situation does not keep.
pub fn forgotten(situation: &str) -> fn(&mut Entry) {
    // Over SFTP, the time that is set is that of what a link leads to.
    let link_time = |entry: &mut Entry| {
        if entry.content.starts_with("-> ") {
            entry.mtime = (0, 0);
        }
    };
    if situation == "sshfs" { link_time } else { |_| () }
}

/// Where a push works as it does in a plain directory.
pub const WORKING: &[(&str, Prepare)] = &[
    ("plain directory", |_| Vec::new()),
    ("bind mount", |host| vec![bind(host, "")]),
    ("bind mount below", |host| vec![bind(host, "packs")]),
    ("bind mount in a bind mount", |host| {
        let above = bind(host, "packs");
        vec![bind(host, "packs/deep"), above]
    }),
    ("tmpfs", |host| vec![mount_tmpfs(&host.destination())]),
    ("tmpfs below", |host| vec![mount_tmpfs(&host.destination().join("packs"))]),
    ("btrfs subvolume", |host| btrfs(host, "assets")),
    ("btrfs subvolume below", |host| btrfs(host, "assets/packs")),
    ("btrfs subvolume that goes", |host| btrfs(host, "assets/old")),
    ("XFS project", |host| xfs(host, "assets")),
    ("XFS project below", |host| xfs(host, "assets/packs")),
    ("XFS project that goes", |host| xfs(host, "assets/m")),
    ("overlay", |host| overlay(host)),
    ("bindfs", |host| fuse(host, "bindfs", "bindfs", &[])),
    ("bindfs below", bindfs_below),
    ("mergerfs", |host| mergerfs(host, "category.create=mfs,minfreespace=0")),
    ("mergerfs, path-preserving", |host| mergerfs(host, "category.create=epmfs,minfreespace=0")),
    ("unionfs", unionfs),
    ("sshfs", sshfs),
];

fn bind(host: &Host, below: &str) -> Mount {
    let (path, from) = (host.destination().join(below), host.at(&format!("data-{}", below.len())));
    fs::create_dir_all(&path).unwrap();
    fs::create_dir_all(&from).unwrap();
    Mount::bind(&from, &path)
}

fn btrfs(host: &Host, subvolume: &str) -> Vec<Mount> {
    need("btrfs", "btrfs-progs");
    let srv = host.srv.clone();
    let mount = image(host, &["mkfs.btrfs"], "btrfs-progs", "loop");
    let path = srv.join(subvolume);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    run("btrfs", ["subvolume".as_ref(), "create".as_ref(), path.as_os_str()]);
    vec![mount]
}

fn xfs(host: &Host, project: &str) -> Vec<Mount> {
    need("chattr", "e2fsprogs");
    let srv = host.srv.clone();
    let mount = image(host, &["mkfs.xfs"], "xfsprogs", "loop");
    let path = srv.join(project);
    fs::create_dir_all(&path).unwrap();
    run("chattr", ["-p".as_ref(), "42".as_ref(), "+P".as_ref(), path.as_os_str()]);
    vec![mount]
}

/// The first build is in the lower layer.
fn overlay(host: &Host) -> Vec<Mount> {
    let [lower, upper, work] = ["lower", "upper", "layers"].map(|name| host.at(name));
    super::write(&lower.join("assets"), 0);
    [&upper, &work].into_iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let (lower, upper, work) = (lower.display(), upper.display(), work.display());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    let srv = host.srv.clone();
    let arguments = ["-t", "overlay", "-o", &options, "overlay"].map(OsStr::new);
    vec![Mount::by("mount", arguments.into_iter().chain([srv.as_os_str()]), &srv)]
}

/// Mounts a directory by a FUSE program over the destination's parent.
fn fuse(host: &Host, program: &str, package: &str, options: &[&str]) -> Vec<Mount> {
    need(program, package);
    let (from, srv) = (host.at("from"), host.emptied());
    fs::create_dir_all(from.join("assets")).unwrap();
    let options = options.iter().map(OsStr::new);
    vec![Mount::by(program, options.chain([from.as_os_str(), srv.as_os_str()]), &srv)]
}

fn bindfs_below(host: &Host) -> Vec<Mount> {
    need("bindfs", "bindfs");
    let (from, packs) = (host.at("from"), host.destination().join("packs"));
    fs::create_dir_all(&from).unwrap();
    fs::create_dir_all(&packs).unwrap();
    vec![Mount::by("bindfs", [from.as_os_str(), packs.as_os_str()], &packs)]
}

/// Two branches, of which only one has the directory `packs`.
fn mergerfs(host: &Host, policy: &str) -> Vec<Mount> {
    need("mergerfs", "mergerfs");
    let (one, two, srv) = (host.at("one"), host.at("two"), host.emptied());
    let branches = [mount_tmpfs(&one), mount_tmpfs(&two)];
    fs::create_dir(one.join("assets")).unwrap();
    fs::create_dir_all(two.join("assets/packs")).unwrap();
    let both = format!("{}:{}", one.display(), two.display());
    let merged = Mount::by("mergerfs", ["-o", policy, &both, &srv.display().to_string()], &srv);
    let mut mounts = vec![merged];
    mounts.extend(branches);
    mounts
}

/// The first build is in the branch that can't be written.
fn unionfs(host: &Host) -> Vec<Mount> {
    need("unionfs", "unionfs-fuse");
    let (upper, lower, srv) = (host.at("upper"), host.at("lower"), host.emptied());
    fs::create_dir(&upper).unwrap();
    super::write(&lower.join("assets"), 0);
    let both = format!("{}=RW:{}=RO", upper.display(), lower.display());
    let arguments = ["-o", "cow", &both].map(OsStr::new);
    vec![Mount::by("unionfs", arguments.into_iter().chain([srv.as_os_str()]), &srv)]
}

/// Over the machine's own sftp-server, which needs no sshd.
fn sshfs(host: &Host) -> Vec<Mount> {
    need("sshfs", "sshfs");
    let (from, srv) = (host.at("from"), host.emptied());
    fs::create_dir_all(from.join("assets")).unwrap();
    let shell = host.at("shell");
    crate::interruptions::faults::script(&shell, "#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n");
    let command = format!("ssh_command={}", shell.display());
    let far = format!("localhost:{}", from.display());
    vec![Mount::by("sshfs", ["-o", &command, &far, &srv.display().to_string()], &srv)]
}
