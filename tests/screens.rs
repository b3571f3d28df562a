//! Promise: what people see on a terminal fits it, whatever its width, and nothing is left over.
//! Captured from tmux.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Machine, OrFail, scratch, text};

const LABELS: [&str; 8] = [
    "deploy@web1.example.com:/srv/shop/shared/public/assets",
    "web2:/srv/www",
    "web3:/srv/www",
    "web4:/srv/www",
    "web5:/srv/www",
    "web6:/srv/www",
    "web7:/srv/www",
    "web8:/srv/www",
];

/// A terminal in which one command runs.
struct Terminal {
    room: TempDir,
    machine: Machine,
}

impl Terminal {
    /// Runs `assetsync ARGUMENTS` in a terminal of so many columns; `variables` are set as well.
    fn run(columns: u16, variables: &str, arguments: &str) -> Terminal {
        let terminal = Terminal { room: scratch(), machine: Machine::new() };
        let room = terminal.room.path();
        fs::create_dir(room.join("source")).or_fail();
        fs::write(room.join("source/app.js"), "app").or_fail();
        // The remote shell of a host that never answers.
        let silent = room.join("silent");
        fs::write(&silent, "#!/bin/sh\nexec sleep 1000\n").or_fail();
        fs::set_permissions(&silent, fs::Permissions::from_mode(0o755)).or_fail();
        let program = env!("CARGO_BIN_EXE_assetsync");
        // A shell that an interrupt does not end, too.
        let line = format!(
            "trap : INT; {variables} {program} {arguments}; echo status $?; exec sleep 1000"
        );
        let mut tmux = terminal.tmux();
        tmux.args(["-f", "/dev/null", "new-session", "-d", "-y", "30", "-x", &columns.to_string()]);
        let started = tmux.arg("-c").arg(room).args(["sh", "-c", &line]).status().or_fail();
        assert!(started.success(), "tmux starts");
        terminal
    }

    fn socket(&self) -> PathBuf {
        self.room.path().join("tmux")
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        for (name, value) in self.machine.command([""; 0]).get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.arg("-S").arg(self.socket());
        command
    }

    fn captured(&self, with_colors: bool) -> String {
        let mut tmux = self.tmux();
        tmux.args(["capture-pane", "-p"]).args(with_colors.then_some("-e"));
        let output = tmux.output().or_fail();
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The screen once it has `awaited`.
    fn screen_with(&self, awaited: &str) -> String {
        loop {
            let screen = self.captured(false);
            if screen.contains(awaited) {
                return screen;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn interrupt(&self) {
        let sent = self.tmux().args(["send-keys", "C-c"]).status().or_fail();
        assert!(sent.success(), "tmux sends keys");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").stderr(Stdio::null()).status();
    }
}

/// Seconds differ from run to run.
fn without_seconds(screen: &str) -> String {
    let lines = screen.lines().map(|line| match line.split_once("surveying") {
        Some((before, _)) => format!("{before}surveying"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn push_to(labels: &[&str]) -> String {
    format!("push --timeout 600 -e ./silent source {}", labels.join(" "))
}

#[test]
fn progress_of_eight_hosts_fits_every_width() {
    // The longest name in each, and the others as they are.
    let widths = [
        (40, "web1.ex...sets"),
        (80, "web1.example.com:...ic/assets"),
        (120, "web1.example.com:...hop/shared/public/assets"),
    ];
    for (columns, longest) in widths {
        let terminal = Terminal::run(columns, "", &push_to(&LABELS));
        // All hosts are there, and each says for how long.
        terminal.screen_with("0 of 8 done");
        let screen = without_seconds(&terminal.screen_with("surveying 2 s"));
        let mut found: Vec<&str> = screen.lines().collect();
        found.sort_unstable();
        let width = longest.len();
        let names = [longest].into_iter().chain(LABELS[1..].iter().copied());
        let mut expected: Vec<String> =
            names.map(|name| format!("{name:width$}  surveying")).collect();
        expected.push(format!("{:width$}  0 of 8 done", "total"));
        expected.sort_unstable();
        assert_eq!(found, expected, "{columns} columns:\n{screen}");
    }
}

#[test]
fn progress_of_one_host_fits_every_width() {
    let widths = [
        (40, "web1.ex...sets"),
        (80, "web1.example.com:...ic/assets"),
        (120, "web1.example.com:...hop/shared/public/assets"),
    ];
    for (columns, name) in widths {
        let terminal = Terminal::run(columns, "", &push_to(&LABELS[..1]));
        let screen = without_seconds(&terminal.screen_with("surveying 2 s"));
        assert_eq!(screen.trim(), format!("{name}  surveying"), "{columns} columns:\n{screen}");
    }
}

#[test]
fn nothing_is_left_over_after_an_interrupt() {
    let terminal = Terminal::run(80, "", &push_to(&LABELS[1..2]));
    assert!(!terminal.screen_with("surveying").contains("total"), "one host is its own total");
    terminal.interrupt();
    let screen = terminal.screen_with("status");
    let lines: Vec<&str> = screen.lines().filter(|line| !line.is_empty()).collect();
    let expected = "error: interrupted; nothing was published; run the push again to complete it";
    assert_eq!(lines, [expected, "status 130"], "{screen}");
}

#[test]
fn a_terminal_without_escape_sequences_gets_lines() {
    let terminal = Terminal::run(80, "TERM=dumb", &push_to(&LABELS[1..2]));
    let screen = terminal.screen_with("web2:/srv/www: surveying ");
    assert!(screen.starts_with("web2:/srv/www: surveying ") && screen.ends_with(" s"), "{screen}");
}

#[test]
fn labels_are_coloured_unless_no_color_is_set() {
    let arguments = "push -e ./silent missing web1:/srv";
    let plain = "error: Can't use source missing: No such file or directory (os error 2)\nstatus 2";
    for (variables, colored) in [("", true), ("NO_COLOR=1", false), ("TERM=dumb", false)] {
        let terminal = Terminal::run(80, variables, arguments);
        let screen = terminal.screen_with("status");
        assert_eq!(screen, plain, "{variables}");
        let has_color = terminal.captured(true).contains("\u{1b}[");
        assert_eq!(has_color, colored, "{variables}: {:?}", terminal.captured(true));
    }
}

#[test]
fn results_fit_eighty_columns() {
    let room = scratch();
    let dest = room.path().join("dest");
    let terminal = Terminal::run(80, "", &format!("push source {}", text(&dest)));
    let screen = terminal.screen_with("status 0");
    assert!(Path::new(&dest).join("app.js").exists());
    let shape: Vec<&str> =
        screen.lines().map(|line| line.split_whitespace().next().unwrap_or("")).collect();
    assert_eq!(shape[1..], ["sent", "sent", "took", "status"], "{screen}");
}
