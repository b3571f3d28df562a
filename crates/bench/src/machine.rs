//! The machine of a race, and the versions of its programs.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;

use crate::record::Machine;

/// Programs of competitors, and their options to print a version.
const PROGRAMS: [(&str, &str); 3] = [("rsync", "--version"), ("ssh", "-V"), ("zstd", "--version")];

/// This machine.
pub(crate) fn machine() -> Machine {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model(&text));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Machine {
        cpu: cpu.unwrap_or_else(|| first_line("uname", "-m")),
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        kernel: format!("{} {}", first_line("uname", "-s"), first_line("uname", "-r")),
    }
}

/// The versions of this program and of the competitors' programs that are installed.
pub(crate) fn programs() -> BTreeMap<String, String> {
    let ours = ("assetsync".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let others = PROGRAMS.iter().filter_map(|(name, option)| {
        Some(((*name).to_owned(), version(&first_line(name, option))?))
    });
    others.chain([ours]).collect()
}

/// The first line of `program`'s output or, without output, of its standard error.
fn first_line(program: &str, option: &str) -> String {
    let Ok(output) = Command::new(program).arg(option).output() else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}

/// The first word with a digit and a dot, from its first digit on, as far as it is a version.
fn version(line: &str) -> Option<String> {
    let words = line.split(|c: char| c.is_whitespace() || c == ',' || c == '_');
    let word = words.into_iter().find(|word| {
        let mut chars = word.trim_start_matches('v').chars();
        chars.next().is_some_and(|c| c.is_ascii_digit()) && word.contains('.')
    })?;
    Some(word.trim_start_matches('v').to_owned())
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_output() {
        let rows = [
            ("rsync  version 3.2.7  protocol version 31", Some("3.2.7")),
            ("OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.11 19 Sep 2023", Some("9.2p1")),
            ("*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***", Some("1.5.4")),
            ("nothing of the kind", None),
        ];
        for (line, expected) in rows {
            assert_eq!(version(line).as_deref(), expected);
        }
    }

    #[test]
    fn the_model_is_one_line() {
        let text = "processor : 0\nmodel name\t: Some  CPU @ 2.00GHz\nflags : x\n";
        assert_eq!(model(text).as_deref(), Some("Some CPU @ 2.00GHz"));
    }
}
