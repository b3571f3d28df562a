//! A connection that changes one bit on the way: nothing but the source is published.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use assetsync_sync::{PushError, Report};
use rustix::fs::{FlockOperation, flock};

use crate::client::{Client, push_by};
use crate::support::*;

/// Which bit is changed: `in` or `out`, and its number among all bits of that direction.
const FLIP: &str = "ASSETSYNC_TEST_FLIP";

/// Puts the change, if one is wanted, between an agent and its streams.
pub fn between(input: OwnedFd, output: OwnedFd) -> (OwnedFd, OwnedFd, Option<JoinHandle<()>>) {
    let flip = std::env::var(FLIP).unwrap_or_default();
    let Some((direction, bit)) = flip.split_once(' ') else { return (input, output, None) };
    let (bit, (reader, writer)) = (bit.parse().unwrap(), io::pipe().unwrap());
    let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
    match direction {
        "in" => {
            // It ends with its input, or with the process.
            thread::spawn(move || copy(input.into(), writer.into(), bit));
            (reader, output, None)
        }
        _ => {
            let copied = thread::spawn(move || copy(reader.into(), output.into(), bit));
            (input, writer, Some(copied))
        }
    }
}

fn copy(mut from: File, mut to: File, bit: usize) {
    let (mut piece, mut done) = ([0; 4096], 0);
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if (done..done + count).contains(&(bit / 8)) {
            piece[bit / 8 - done] ^= 1 << (bit % 8);
        }
        done += count;
        if to.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}

/// Pushes over a connection that changes this bit.
fn push_with(
    client: &Client,
    host: &Host,
    flip: &str,
    timeout: Duration,
) -> Result<Report, PushError> {
    let this = std::env::current_exe().unwrap();
    let text = format!(
        "#!/bin/sh\nset -- ${{2#*\"' sh \"}}\nexport ASSETSYNC_TEST_NONCE=$1 {FLIP}='{flip}'\n\
         exec '{}' --exact agent_process --nocapture --quiet\n",
        this.display()
    );
    let shell = client.shell("flipping", &text);
    push_by(&shell, &client.at("src"), &host.at("dest").display().to_string(), timeout)
}

/// Waits until no agent works on the destination: a sender may have left it.
fn wait_for_agent(host: &Host) {
    let lock = Path::new(".assetsync-dest").join("lock");
    if let Ok(lock) = File::open(host.at(lock.to_str().unwrap())) {
        flock(&lock, FlockOperation::LockExclusive).unwrap();
    }
}

/// Changes one bit of each byte of one direction, in turn.
fn change_each_byte(direction: &str, bytes_of: impl Fn(&Report) -> u64) {
    let (client, host) = (Client::new(), Host::new());
    let before = host.contents();
    let whole = push_with(&client, &host, "", WAIT_LIMIT).unwrap();
    assert!(whole.recipes.contains_key("delta"), "{:?}", whole.recipes);
    let after = host.contents();
    let (mut refused, bytes) = (0, bytes_of(&whole) as usize);
    for byte in 0..bytes {
        host.reset();
        let flip = format!("{direction} {}", byte * 8 + byte * 5 % 8);
        let pushed = push_with(&client, &host, &flip, Duration::from_millis(400));
        wait_for_agent(&host);
        let contents = host.contents();
        // A sender that gives up ends its agent, maybe while that publishes: then each file is
        // whole.
        let is_whole = contents
            .iter()
            .all(|(path, it)| before.get(path) == Some(it) || after.get(path) == Some(it));
        let stay = before.keys().filter(|path| after.contains_key(*path));
        let is_whole = is_whole && stay.into_iter().all(|path| contents.contains_key(path));
        let is_right = contents == after || (pushed.is_err() && is_whole);
        assert!(is_right, "{flip} of {bytes} bytes: {pushed:?}, {contents:?}");
        refused += usize::from(pushed.is_err());
    }
    assert!(refused > bytes / 2, "{refused} of {bytes} were refused: what is changed?");
}

#[test]
fn no_bit_changed_on_the_way_to_an_agent_is_published() {
    change_each_byte("in", |whole| whole.bytes_sent);
}

#[test]
fn no_bit_changed_on_the_way_from_an_agent_is_published() {
    change_each_byte("out", |whole| whole.bytes_received);
}
