//! Servers that follow symbolic links where OpenSSH's does not: nothing that a link leads to may be
//! lost.
//!
//! They are OpenSSH's own with this test program in front of it or behind it, which changes
//! requests or replies.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use super::changed_server::{part_of_a_server, put, relay, running, string};
use super::{Host, assert_clean, assert_same, code, file, link, sftp_server, tree_of, written};
use crate::support::{OrFail, scratch};

const MODE: &str = "ASSETSYNC_TEST_SFTP";
const NAME: &str = "sftp::links::not_a_test_but_a_part_of_a_server";

/// What a server does with links.
#[derive(Debug, Clone, Copy)]
enum FollowsLinksIn {
    /// A rename onto a link replaces what the link leads to.
    Rename,
    /// Removing a link removes what it leads to, and the link stays.
    Remove,
    /// Links are listed as directories.
    List,
}

#[test]
fn not_a_test_but_a_part_of_a_server() {
    let change: fn(Vec<u8>) -> Vec<u8> = match std::env::var(MODE).as_deref() {
        Ok("rename") => follow_renames,
        Ok("remove") => follow_removes,
        Ok("list") => list_links_as_directories,
        _ => return,
    };
    relay(change)
}

/// Where a path leads, if it leads anywhere.
fn resolved(path: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
    fs::canonicalize(&path).unwrap_or(path).into_os_string().into_vec()
}

fn follow_renames(packet: Vec<u8>) -> Vec<u8> {
    let is_extended = packet[0] == 200 && string(&packet[5..]).0 == b"posix-rename@openssh.com";
    let names = match packet[0] {
        18 => &packet[5..],
        200 if is_extended => string(&packet[5..]).1,
        _ => return packet,
    };
    let (from, rest) = string(names);
    let mut changed = packet[..packet.len() - names.len()].to_vec();
    put(&mut changed, from);
    put(&mut changed, &resolved(string(rest).0));
    changed
}

fn follow_removes(packet: Vec<u8>) -> Vec<u8> {
    if packet[0] != 13 {
        return packet;
    }
    let mut changed = packet[..5].to_vec();
    put(&mut changed, &resolved(string(&packet[5..]).0));
    changed
}

/// In a list of names, permission bits are the last but two of the words that are sent with each
/// link.
fn list_links_as_directories(packet: Vec<u8>) -> Vec<u8> {
    if packet[0] != 104 {
        return packet;
    }
    let mut changed = packet[..9].to_vec();
    let mut rest = &packet[9..];
    while !rest.is_empty() {
        let before = rest;
        let (long_form, after) = string(string(rest).1);
        let is_link = long_form.starts_with(b"l");
        let flags = u32::from_be_bytes(after[..4].try_into().or_fail());
        let sizes = [(1, 8), (2, 8), (4, 4), (8, 8)];
        let length = |below: u32| -> usize {
            let present = sizes.iter().filter(|(flag, _)| flags & flag != 0 && *flag < below);
            present.map(|(_, bytes)| bytes).sum()
        };
        let names = before.len() - after.len();
        let start = changed.len() + names + 4 + length(4);
        rest = &after[4 + length(16)..];
        changed.extend(&before[..before.len() - rest.len()]);
        if is_link && flags & 4 != 0 {
            changed[start..start + 4].copy_from_slice(&0o040_755_u32.to_be_bytes());
        }
    }
    changed
}

/// A server with a habit, and the directory where the program that it runs is.
fn server(habit: FollowsLinksIn) -> (Host, TempDir) {
    let part = |mode| part_of_a_server(NAME, MODE, mode);
    let sftp = sftp_server();
    let line = match habit {
        FollowsLinksIn::Rename => format!("{} | {sftp}", part("rename")),
        FollowsLinksIn::Remove => format!("{} | {sftp}", part("remove")),
        FollowsLinksIn::List => format!("{sftp} | {}", part("list")),
    };
    let dir = scratch();
    (running(&dir, &line), dir)
}

#[test]
fn what_a_replaced_link_leads_to_is_not_replaced() {
    let (host, _program) = server(FollowsLinksIn::Rename);
    let outside = written(&tree_of(&["precious"], "outside"));
    let precious = outside.path().join("precious");
    let mut old = tree_of(&["app.js"], "1");
    for name in ["changed", "to-dir", "to-file"] {
        old.insert(name.as_bytes(), link(precious.as_os_str().as_bytes()));
    }
    old.insert(b"inside", link(b"app.js"));
    old.write_to(&host.assets()).or_fail();
    let mut new = tree_of(&["app.js"], "1");
    new.insert(b"changed", link(b"nowhere"));
    new.insert(b"inside", link(b"./app.js"));
    new.insert(b"to-dir/x", file(b"x"));
    new.insert(b"to-file", file(b"now a file"));
    let new = written(&new);
    host.push(new.path()).or_fail();
    assert_same(new.path(), &host.assets());
    assert_eq!(fs::read(&precious).or_fail(), b"outside precious");
    assert_clean(&host.assets());
    assert_eq!(host.push(new.path()).or_fail().plan.actions, []);
}

#[test]
fn a_server_that_cannot_remove_a_link_alone_is_refused_before_anything_changes() {
    let (host, _program) = server(FollowsLinksIn::Remove);
    let outside = written(&tree_of(&["precious"], "outside"));
    let mut old = tree_of(&["app.js"], "1");
    old.insert(b"gone", link(outside.path().join("precious").as_os_str().as_bytes()));
    old.write_to(&host.assets()).or_fail();
    let new = written(&tree_of(&["app.js"], "2"));
    let (_, error) = code(host.push(new.path()));
    assert!(error.contains("can't remove a symbolic link"), "{error}");
    assert_eq!(fs::read(host.assets().join("app.js")).or_fail(), b"1 app.js");
    assert_eq!(fs::read(outside.path().join("precious")).or_fail(), b"outside precious");
}

#[test]
fn a_directory_behind_a_link_is_not_taken_for_a_part_of_the_destination() {
    let (host, _program) = server(FollowsLinksIn::List);
    let outside = written(&tree_of(&["precious"], "outside"));
    tree_of(&["app.js"], "1").write_to(&host.assets()).or_fail();
    symlink(outside.path(), host.assets().join("shared")).or_fail();
    let new = written(&tree_of(&["app.js"], "1"));
    host.push(new.path()).or_fail();
    assert_same(new.path(), &host.assets());
    assert_eq!(fs::read(outside.path().join("precious")).or_fail(), b"outside precious");
}
