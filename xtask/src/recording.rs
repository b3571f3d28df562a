//! The terminal in the README: a deploy of a small project to two hosts, each a real sshd on
//! loopback, as tmux shows it.
//!
//! [`record`] runs it, [`write()`] makes `docs/terminal.svg` of it: `scripts/record-terminal` does
//! both. Numbers differ from run to run; [`words`] is what does not.

mod project;
mod svg;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use assetsync_loopback_sshd::Sshd;

pub use svg::svg;

use crate::error::{ErrorContext, Result};
use crate::repository::{check, root};

/// The width of the terminal.
const COLUMNS: usize = 100;

/// What is done before: the first deploy, which installs the agents.
const BEFORE: &str = "assetsync deploy production -q\nclear\n";

/// What is typed. The marks of the shell are added by [`record`].
const COMMANDS: [&str; 3] = [
    "sed -i '1s/Buy/Order/' src/shop.js",
    "assetsync deploy production",
    "assetsync rollback production",
];

/// In place of the name of the machine that records.
const MACHINE: &str = "laptop";

/// What the last line is, when all is done.
const END: &str = "end of the recording";

/// How often the terminal is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Writes `docs/terminal.svg`.
pub fn write(lines: &[String]) -> Result<()> {
    fs::write(path(), svg(lines)).doing("write", path())
}

/// The picture that is shown.
pub fn read() -> Result<String> {
    fs::read_to_string(path()).doing("read", path())
}

fn path() -> PathBuf {
    root().join("docs/terminal.svg")
}

/// Runs the commands with the program `assetsync` in a terminal; returns its lines.
pub fn record(assetsync: &Path, scratch: &Path) -> Result<Vec<String>> {
    let hosts = [Sshd::builder().in_home().start()?, Sshd::builder().in_home().start()?];
    let project = project::create(scratch, &hosts)?;
    let typed = COMMANDS.map(|line| format!("echo '$ {}'\n{line}\n", line.replace('\'', r"'\''")));
    let script = scratch.join("script");
    let all = format!("{BEFORE}{}echo '{END}'\nexec sleep 1000\n", typed.concat());
    fs::write(&script, all).doing("write", &script)?;
    let terminal = Terminal { socket: scratch.join("tmux") };
    terminal.start(assetsync, scratch, &project, &script)?;
    loop {
        let screen = terminal.screen()?;
        if let Some((before, _)) = screen.split_once(END) {
            let before = before.replace(&format!("@{}", machine()?), &format!("@{MACHINE}"));
            return Ok(before.lines().map(|line| line.trim_end().to_owned()).collect());
        }
        sleep(LOOK);
    }
}

/// The name of this machine, as the commands say it.
fn machine() -> Result<String> {
    let output = Command::new("uname").arg("-n").output().doing("run", "uname")?;
    check("uname", &output)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A server of tmux with one terminal; it ends when this is dropped.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-f").arg("/dev/null").arg("-S").arg(&self.socket);
        command
    }

    fn start(&self, assetsync: &Path, home: &Path, project: &Path, script: &Path) -> Result<()> {
        let program = assetsync.parent().unwrap_or(Path::new(""));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut tmux = self.tmux();
        for name in ["XDG_CACHE_HOME", "SSH_AUTH_SOCK", "ASSETSYNC_STORE", "NO_COLOR"] {
            tmux.env_remove(name);
        }
        tmux.env("HOME", home)
            .env("USER", "deploy")
            .env("LOGNAME", "deploy")
            .env("PATH", format!("{}:{path}", program.display()));
        let (width, height) = (COLUMNS.to_string(), "200");
        tmux.args(["new-session", "-d", "-x", &width, "-y", height, "-c"]).arg(project);
        let output = tmux.arg("sh").arg(script).output().doing("run", "tmux")?;
        check("tmux", &output)
    }

    fn screen(&self) -> Result<String> {
        let output =
            self.tmux().args(["capture-pane", "-p", "-J"]).output().doing("run", "tmux")?;
        check("tmux", &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

/// The words of a picture, in alphabetical order: what differs from run to run is left out, which
/// are words with digits and their units.
pub fn words(picture: &str) -> Vec<String> {
    let texts = picture.lines().filter_map(|line| line.split_once("<text "));
    let texts = texts.filter_map(|(_, rest)| {
        rest.split_once('>').and_then(|(_, text)| text.strip_suffix("</text>"))
    });
    let is_constant = |word: &&str| {
        let is_unit = ["B", "kB", "MB", "s", "ms"].contains(&word.trim_end_matches(','));
        !is_unit && !word.contains(|character: char| character.is_ascii_digit())
    };
    let mut words: Vec<String> = texts
        .flat_map(|text| text.split_whitespace().filter(is_constant))
        .map(str::to_owned)
        .collect();
    // Hosts are reported as they are ready.
    words.sort_unstable();
    words
}
