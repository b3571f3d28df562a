//! rsync's `--rsync-path`: people give it to become another user on the host.

use assetsync_ssh::RunAs;

/// What `--rsync-path` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsyncPath {
    /// The user to become. Without sudo the program has no effect, as no rsync runs on the host.
    pub run_as: Option<RunAs>,
}

/// Reads a program, or `sudo`, its options and a program.
pub fn parse(given: &str) -> Result<RsyncPath, String> {
    let refused = || {
        "no rsync runs on the host; only sudo is understood before it: \
         \"sudo -u USER rsync\", or --sudo=USER"
            .to_owned()
    };
    let words = shell_words::split(given).map_err(|error| error.to_string())?;
    let mut words = words.iter().map(String::as_str);
    let program = words.next().ok_or_else(refused)?;
    if program.rsplit('/').next() != Some("sudo") {
        return if words.next().is_none() {
            Ok(RsyncPath { run_as: None })
        } else {
            Err(refused())
        };
    }
    let mut user = "root";
    while let Some(word) = words.next() {
        match word {
            "-u" | "--user" => user = words.next().ok_or_else(refused)?,
            "-n" | "-H" | "-E" | "-i" | "--non-interactive" | "--set-home" | "--" => {}
            _ if word.starts_with("-u") => user = &word[2..],
            _ if word.starts_with("--user=") => user = &word[7..],
            _ if word.starts_with('-') => return Err(refused()),
            _ if words.next().is_some() => return Err(refused()),
            _ => {}
        }
    }
    let run_as = user.parse().map_err(|error| format!("{user:?}: {error}"))?;
    Ok(RsyncPath { run_as: Some(run_as) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_and_its_user_are_read() {
        for (given, user) in [
            ("sudo rsync", Some("root")),
            ("sudo -u www-data rsync", Some("www-data")),
            ("/usr/bin/sudo -n -H -uapp /usr/bin/rsync", Some("app")),
            ("sudo --user=app rsync", Some("app")),
            ("rsync", None),
            ("/opt/bin/rsync", None),
        ] {
            let read = parse(given).map(|path| path.run_as.map(|user| user.to_string()));
            assert_eq!(read, Ok(user.map(str::to_owned)), "{given}");
        }
        for given in
            ["", "nice rsync", "sudo -u", "sudo -A rsync", "sudo -u 'a b' rsync", "sudo a b"]
        {
            assert!(parse(given).is_err(), "{given}");
        }
    }
}
