//! What reads files of others, for fuzzing. Nothing here is promised to anyone else.

use std::ffi::OsString;
use std::path::Path;

use crate::host_config::parse;
use crate::known_hosts::matching;
use crate::ssh_options::SshOptions;
use crate::target::RemoteTarget;

/// How many lines of a known_hosts file are of this host.
pub fn known_keys(text: &str, name: &str) -> usize {
    matching(text, name, Path::new("known_hosts")).len()
}

/// Reads the output of `ssh -G`; gives the port.
pub fn read_ssh_config(text: &str) -> u16 {
    let (user, port, path) = (None, None, OsString::from("/srv"));
    let target = RemoteTarget { user, host: "web1".into(), port, path };
    parse(text, &target, &SshOptions::default(), Some(Path::new("/home/ada"))).port
}
