//! OpenSSH's SFTP server with this test program in front of it or behind it, which changes requests
//! or replies.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;

use assetsync_testbed::Sshd;
use tempfile::TempDir;

use super::Host;
use crate::support::OrFail;

/// A shell command that runs the test `name` of this program as a part of a server, with the
/// environment variable `variable`. The test calls [`relay`].
pub fn part_of_a_server(name: &str, variable: &str, value: &str) -> String {
    let this = std::env::current_exe().or_fail();
    // The test harness says something on standard output; the pipe is the third.
    let harness = format!("--exact {name} --nocapture 3>&1 >/dev/null");
    format!("{variable}='{value}' '{}' {harness}", this.display())
}

/// Changes each packet from standard input to the third file, and ends the process.
pub fn relay(mut change: impl FnMut(Vec<u8>) -> Vec<u8>) -> ! {
    let (mut input, mut output) = (io::stdin().lock(), File::create("/dev/fd/3").or_fail());
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        input.read_exact(&mut packet).or_fail();
        let packet = change(packet);
        let _ = output.write_all(&(packet.len() as u32).to_be_bytes());
        let _ = output.write_all(&packet);
    }
    std::process::exit(0);
}

/// A server that runs this shell command for SFTP, by a program in `dir`.
pub fn running(dir: &TempDir, line: &str) -> Host {
    let program = dir.path().join("server");
    fs::write(&program, format!("#!/bin/sh\n{line}\n")).or_fail();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).or_fail();
    let command = format!("ForceCommand {}", program.display());
    Host::at(Sshd::builder().config(&command).start().or_fail())
}

/// A string at the front of `bytes`, and the rest.
pub fn string(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_at(4);
    rest.split_at(u32::from_be_bytes(length.try_into().or_fail()) as usize)
}

pub fn put(packet: &mut Vec<u8>, string: &[u8]) {
    packet.extend((string.len() as u32).to_be_bytes());
    packet.extend(string);
}
