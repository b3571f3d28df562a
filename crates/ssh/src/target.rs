//! Parses destinations: a local path, `[user@]host:path` or an `ssh://` URL.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use assetsync_core::text;

use crate::error::TransportError;

/// The address of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A local directory.
    Local(PathBuf),
    /// A directory on a host, over SSH.
    Remote(RemoteTarget),
}

/// A directory on a host, over SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTarget {
    /// The remote user, if given.
    pub user: Option<String>,
    /// The host as written, an IPv6 address without its brackets; may be an alias of ssh_config.
    pub host: String,
    /// The port, if given in an `ssh://` URL.
    pub port: Option<u16>,
    /// The directory; a relative one starts at the login directory.
    pub path: OsString,
}

type Parsed<T> = Result<T, &'static str>;

impl Target {
    /// Parses a destination by rsync's rule: a colon before any slash means a remote host.
    pub fn parse(given: &OsStr) -> Result<Self, TransportError> {
        parse(given.as_bytes()).map_err(|reason| TransportError::Target {
            given: given.to_string_lossy().into_owned(),
            reason,
        })
    }
}

impl fmt::Display for RemoteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => write!(f, "{}", self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, " port {port}")?;
        }
        write!(f, ":{}", text::name(self.path.as_bytes()))
    }
}

fn parse(given: &[u8]) -> Parsed<Target> {
    if given.is_empty() {
        return Err("it is empty");
    }
    if given.contains(&0) {
        return Err("it contains a NUL byte");
    }
    if let Some(rest) = given.strip_prefix(b"ssh://") {
        return url(rest).map(Target::Remote);
    }
    if given.starts_with(b"rsync://") {
        return Err("rsync daemons are not supported");
    }
    match split_host(given)? {
        Some((authority, path)) => scp_form(authority, path).map(Target::Remote),
        None if given.starts_with(b"-") => Err("a path must not start with '-' (write ./-...)"),
        None => Ok(Target::Local(OsStr::from_bytes(given).into())),
    }
}

/// Splits at the colon that ends the host, if there is one before any slash.
fn split_host(given: &[u8]) -> Parsed<Option<(&[u8], &[u8])>> {
    let bracket = given.iter().position(|&b| b == b'[');
    let slash = given.iter().position(|&b| b == b'/').unwrap_or(given.len());
    let from = match bracket {
        Some(open) if open < slash && (open == 0 || given[open - 1] == b'@') => {
            match given[open..].windows(2).position(|pair| pair == b"]:") {
                Some(close) => open + close,
                None => return Ok(None),
            }
        }
        _ => 0,
    };
    let colon = given[from..].iter().position(|&b| b == b':').map(|at| from + at);
    match colon {
        Some(colon) if from > 0 || colon < slash => {
            Ok(Some((&given[..colon], &given[colon + 1..])))
        }
        _ => Ok(None),
    }
}

fn scp_form(authority: &[u8], path: &[u8]) -> Parsed<RemoteTarget> {
    if path.starts_with(b":") {
        return Err("rsync daemons (host::module) are not supported");
    }
    let (user, host) = user_and_host(authority)?;
    remote(user, unbracketed(host)?, None, path)
}

/// As git reads them: `/path` is absolute, `/~/path` starts at the login directory, `/~USER/path`
/// at that of a user.
fn url(rest: &[u8]) -> Parsed<RemoteTarget> {
    let slash = rest.iter().position(|&b| b == b'/').ok_or("it has no path")?;
    let (authority, path) = rest.split_at(slash);
    let (user, host) = user_and_host(authority)?;
    let (host, port) = split_port(host)?;
    let path = match path {
        [b'/', b'~', b'/', rest @ ..] => rest,
        [b'/', b'~', ..] => &path[1..],
        _ => path,
    };
    remote(user, unbracketed(host)?, port, path)
}

fn user_and_host(authority: &[u8]) -> Parsed<(Option<&str>, &str)> {
    let text = str::from_utf8(authority).map_err(|_| "user and host must be UTF-8")?;
    match text.rsplit_once('@') {
        Some((user, host)) => Ok((Some(user), host)),
        None => Ok((None, text)),
    }
}

fn split_port(host: &str) -> Parsed<(&str, Option<u16>)> {
    let after_address = host.rfind(']').map_or(0, |close| close + 1);
    let Some(colon) = host[after_address..].find(':') else { return Ok((host, None)) };
    let (host, port) = host.split_at(after_address + colon);
    match port[1..].parse() {
        Ok(port @ 1..) => Ok((host, Some(port))),
        _ => Err("its port is not a number from 1 to 65535"),
    }
}

fn unbracketed(host: &str) -> Parsed<&str> {
    let Some(inner) = host.strip_prefix('[') else { return Ok(host) };
    inner.strip_suffix(']').ok_or("a bracket of its host is not closed")
}

fn remote(user: Option<&str>, host: &str, port: Option<u16>, path: &[u8]) -> Parsed<RemoteTarget> {
    check_name(host, "its host is empty", "its host starts with '-'")?;
    if let Some(user) = user {
        check_name(user, "its user is empty", "its user starts with '-'")?;
    }
    if path.is_empty() {
        return Err("it has no path");
    }
    let (user, host) = (user.map(str::to_owned), host.to_owned());
    Ok(RemoteTarget { user, host, port, path: OsStr::from_bytes(path).into() })
}

/// Names are used on command lines and in `%` expansions of ssh_config, so characters with a
/// meaning for shells or option parsers are refused.
fn check_name(name: &str, empty: &'static str, dash: &'static str) -> Parsed<()> {
    if name.is_empty() {
        return Err(empty);
    }
    if name.starts_with('-') {
        return Err(dash);
    }
    let forbidden =
        |c: char| c.is_control() || c.is_whitespace() || "'\"`\\$;&|<>(){}[]*?!#~^=,/".contains(c);
    match name.contains(forbidden) {
        true => Err("its user or host contains a space, a control or a shell character"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &str) -> Result<Target, TransportError> {
        Target::parse(OsStr::new(given))
    }

    #[test]
    fn accepted_forms() {
        let cases = [
            ("host:path", None, "host", None, "path"),
            ("me@host:/srv/www", Some("me"), "host", None, "/srv/www"),
            ("me@corp@host:a b;$(c)", Some("me@corp"), "host", None, "a b;$(c)"),
            ("[::1]:path", None, "::1", None, "path"),
            ("me@[fe80::1%eth0]:/x", Some("me"), "fe80::1%eth0", None, "/x"),
            ("host:a:b", None, "host", None, "a:b"),
            ("ssh://host/srv", None, "host", None, "/srv"),
            ("ssh://me@host:2222/srv", Some("me"), "host", Some(2222), "/srv"),
            ("ssh://[::1]:22/x", None, "::1", Some(22), "/x"),
            ("ssh://host/~/x", None, "host", None, "x"),
            ("ssh://host/~me/x", None, "host", None, "~me/x"),
        ];
        for (given, user, host, port, path) in cases {
            let Target::Remote(target) = parsed(given).unwrap() else { panic!("{given}: local") };
            assert_eq!(target.user.as_deref(), user, "{given}");
            assert_eq!(target.host, host, "{given}");
            assert_eq!(target.port, port, "{given}");
            assert_eq!(target.path, path, "{given}");
        }
    }

    #[test]
    fn a_colon_after_a_slash_is_a_local_path() {
        for given in ["path", "/abs/a:b", "./a:b", "dir/a:b", "[x]/y:z", "."] {
            assert_eq!(parsed(given).unwrap(), Target::Local(given.into()), "{given}");
        }
    }

    #[test]
    fn refused_forms_name_the_accepted_ones() {
        let cases = [
            "",
            "host:",
            ":path",
            "@host:x",
            "me@:x",
            "-oProxyCommand=x:path",
            "a@-oX:path",
            "-x@host:y",
            "ho st:x",
            "host\n:x",
            "a\u{1b}@host:x",
            "$(id):x",
            "`id`:x",
            "a;b:x",
            "a'b:x",
            "host::module",
            "rsync://host/x",
            "ssh://host",
            "ssh://host:0/x",
            "ssh://host:99999/x",
            "ssh://host:x/y",
            "ssh://[::1/x",
            "-local",
            "a\\b:x",
            "ssh:///x",
            "ssh://-oX/x",
        ];
        for given in cases {
            let text = parsed(given).expect_err(given).to_string();
            assert!(text.contains("expected [user@]host:path, ssh://"), "{given}: {text}");
            assert!(!text.contains('\n') && !text.contains('\u{1b}'), "{given}: {text}");
        }
    }

    #[test]
    fn shows_what_was_meant() {
        let Target::Remote(target) = parsed("ssh://me@[::1]:2222/srv").unwrap() else { panic!() };
        assert_eq!(target.to_string(), "me@[::1] port 2222:/srv");
    }
}
