//! Paths and names on the server, as bytes. Pure.

use assetsync_core::entry::Mtime;
use assetsync_core::index::ActionIndex;
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::work_names::INSIDE;

/// What the name of a run's staging directory begins with; 16 hexadecimal digits follow.
const RUN: &[u8] = b"sftp-";

/// Hexadecimal digits of a run.
pub const PUSH_ID_DIGITS: usize = 16;

/// The destination as a server takes it: it starts where the server does, which is the home
/// directory, so `~/` goes; so do slashes at the end.
pub fn server_path(path: &[u8]) -> Vec<u8> {
    let path = match path {
        b"~" | b"~/" => b".",
        [b'~', b'/', rest @ ..] => rest,
        _ => path,
    };
    let kept = path.iter().rposition(|&byte| byte != b'/').map_or(1, |last| last + 1);
    path[..kept.min(path.len())].to_vec()
}

/// Where `rest` leads from the directory `base`, which has no links in it; what is not there yet is
/// no link either.
pub fn settled(base: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in base.split(|&byte| byte == b'/').chain(rest.split(|&byte| byte == b'/')) {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    [b"/", &names.join(&b'/')[..]].concat()
}

/// `name` in the directory `dir`.
pub fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if dir.ends_with(b"/") { b"" } else { b"/" };
    [dir, slash, name].concat()
}

/// `path` below `root`.
pub fn below(root: &[u8], path: &RelPath) -> Vec<u8> {
    join(root, path.as_bytes())
}

/// The path and every directory above it that has a name, the longest first.
pub fn upwards(path: &[u8]) -> Vec<&[u8]> {
    let mut optional = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        optional.push(rest);
        let parent = rest.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash);
        let kept = rest[..parent].iter().rposition(|&byte| byte != b'/');
        rest = &rest[..kept.map_or(0, |last| last + 1)];
    }
    optional
}

/// The work directory beside the destination, which is `.assetsync-NAME` as the agent names it.
pub fn beside(root: &[u8]) -> Option<Vec<u8>> {
    let slash = root.iter().rposition(|&byte| byte == b'/')?;
    let name = &root[slash + 1..];
    let work = [INSIDE.as_bytes(), b"-", name].concat();
    let fits = !name.is_empty() && work.len() <= limits::NAME_BYTES;
    fits.then(|| join(&root[..slash.max(1)], &work))
}

/// The work directory inside the destination.
pub fn inside(root: &[u8]) -> Vec<u8> {
    join(root, INSIDE.as_bytes())
}

/// The name of a run's staging directory.
pub fn push_dir_name(digits: &str) -> Vec<u8> {
    let digits = digits.as_bytes();
    [RUN, &digits[..digits.len().min(PUSH_ID_DIGITS)]].concat()
}

/// Whether a name is that of a run's staging directory.
pub fn is_push_dir_name(name: &[u8]) -> bool {
    let lower_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.strip_prefix(RUN)
        .is_some_and(|digits| digits.len() == PUSH_ID_DIGITS && digits.iter().all(lower_hex))
}

/// The name in the destination under which the run with this staging directory tries a rename.
pub fn tried_name(run: &[u8]) -> Vec<u8> {
    [INSIDE.as_bytes(), b"-", run].concat()
}

/// Whether a name is one of those.
pub fn is_tried_name(name: &[u8]) -> bool {
    let run = name.strip_prefix(INSIDE.as_bytes()).and_then(|rest| rest.strip_prefix(b"-"));
    run.is_some_and(is_push_dir_name)
}

/// Whether a name from the server is valid.
pub fn is_name(name: &[u8]) -> bool {
    let odd = name.is_empty() || name == b"." || name == b"..";
    !odd && name.len() <= limits::NAME_BYTES && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// Whether anybody may change what is in a directory with this mode.
pub fn is_open(mode: u32) -> bool {
    [0o300, 0o030, 0o003].into_iter().any(|bits| mode & bits == bits)
}

/// The staged name of what an action makes.
pub fn staged(action: ActionIndex) -> Vec<u8> {
    format!("new-{:08}", action.number()).into_bytes()
}

/// The name of the `number`th thing moved aside.
pub fn retained_contents(number: u32) -> Vec<u8> {
    format!("old-{number:08}").into_bytes()
}

/// The name that the file which an action replaces has until all is published.
pub fn kept(action: ActionIndex) -> Vec<u8> {
    format!("kept-{:08}", action.number()).into_bytes()
}

/// A time as SFTP carries it: whole seconds from 1970 to 2106, the nearest of them for any other.
pub fn carried(time: Mtime) -> Mtime {
    Mtime { secs: i64::from(seconds(time)), nanos: 0 }
}

/// The seconds of [`carried`].
pub fn seconds(time: Mtime) -> u32 {
    time.secs.clamp(0, u32::MAX.into()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn destinations_start_where_the_server_does() {
        let rows = [
            ("/srv/www", "/srv/www"),
            ("/srv/www//", "/srv/www"),
            ("/", "/"),
            ("//", "/"),
            ("www", "www"),
            ("~", "."),
            ("~/", "."),
            ("~/www/", "www"),
            ("~me/www", "~me/www"),
            ("-x", "-x"),
        ];
        for (given, expected) in rows {
            assert_eq!(text(&server_path(given.as_bytes())), expected, "{given}");
        }
    }

    #[test]
    fn paths_are_settled_by_name() {
        let rows = [
            ("/home/u", "www/..", "/home/u"),
            ("/home/u", "", "/home/u"),
            ("/", "srv//new/./x/", "/srv/new/x"),
            ("/srv/", "../../..", "/"),
        ];
        for (base, rest, expected) in rows {
            assert_eq!(text(&settled(base.as_bytes(), rest.as_bytes())), expected, "{base} {rest}");
        }
    }

    #[test]
    fn joining_and_climbing() {
        let path = RelPath::new(b"a/b").unwrap();
        assert_eq!(text(&below(b"/", &path)), "/a/b");
        assert_eq!(text(&below(b"/srv", &path)), "/srv/a/b");
        let rows: [(&str, &[&str]); 4] = [
            ("/a/b/c", &["/a/b/c", "/a/b", "/a"]),
            ("a//b", &["a//b", "a"]),
            ("a", &["a"]),
            ("", &[]),
        ];
        for (given, expected) in rows {
            let optional: Vec<_> = upwards(given.as_bytes()).into_iter().map(text).collect();
            assert_eq!(optional, expected, "{given}");
        }
    }

    #[test]
    fn work_directories_are_where_the_agent_has_them() {
        let optional = |root: &str| beside(root.as_bytes()).map(|path| text(&path));
        assert_eq!(optional("/srv/assets").as_deref(), Some("/srv/.assetsync-assets"));
        assert_eq!(optional("/assets").as_deref(), Some("/.assetsync-assets"));
        assert_eq!(optional("/"), None);
        assert_eq!(optional(&format!("/{}", "x".repeat(250))), None);
        assert_eq!(text(&inside(b"/srv/assets")), "/srv/assets/.assetsync");
    }

    #[test]
    fn only_our_own_names_are_ours() {
        assert!(is_push_dir_name(&push_dir_name("0123456789abcdef0123")));
        let others: [&[u8]; 6] = [
            b"sftp-",
            b"sftp-0123456789abcde",
            b"sftp-0123456789abcdeF",
            b"sftp-0123456789abcdef0",
            b"stage",
            b"xsftp-0123456789abcdef",
        ];
        for other in others {
            assert!(!is_push_dir_name(other), "{}", text(other));
        }
    }

    #[test]
    fn hostile_names_are_no_names() {
        let long = [b'a'; 256];
        let hostile: [&[u8]; 7] = [b"", b".", b"..", b"a/b", b"/", b"a\0", &long];
        for name in hostile {
            assert!(!is_name(name), "{}", text(name));
        }
        let odd: [&[u8]; 4] = [b"...", b"a\nb", b"\xff", b"-rf"];
        assert!(odd.into_iter().all(is_name));
    }

    #[test]
    fn times_are_whole_seconds_within_32_bits() {
        for (secs, expected) in [(-1, 0), (5, 5), (1 << 32, u32::MAX)] {
            let time = Mtime { secs, nanos: 9 };
            assert_eq!(seconds(time), expected);
            assert_eq!(carried(time), Mtime { secs: expected.into(), nanos: 0 });
        }
    }
}
