//! Pushes a directory with the library: `push SRC DEST`, agents from `ASSETSYNC_AGENTS`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // An example may talk.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use assetsync_ssh::{Agents, NoPrompt, SshOptions, Target};
use assetsync_sync::scan::filter::Filter;
use assetsync_sync::{ConnectOptions, Event, Monitor, Options, Source, push};

struct Tell;

impl Monitor for Tell {
    fn event(&self, event: Event<'_>) {
        if !matches!(event, Event::Progress { .. }) {
            eprintln!("{event:?}");
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [source, target] = arguments.as_slice() else { return Err("usage: push SRC DEST".into()) };
    let source = Source::scan(Path::new(source), &Filter::default())?;
    let target = Target::parse(target)?;
    let (agents, ssh) = (
        Agents::default().search(),
        SshOptions {
            config_file: std::env::var_os("SSH_CONFIG").map(Into::into),
            rsh: std::env::var("RSH").ok(),
            ..SshOptions::default()
        },
    );
    let connection = ConnectOptions {
        agents: &agents,
        ssh: &ssh,
        prompt: &NoPrompt,
        timeout: Duration::from_secs(60),
        bytes_per_second: None,
        dry_run: false,
        checksum: false,
        store: None,
        group: None,
    };
    let mut options = Options::default();
    options.policy.delete = true;
    let report = push(&source, &target, &connection, &options, &Tell)?;
    println!(
        "{} of {} files sent, {} bytes",
        report.files_sent, report.total.files, report.bytes_sent
    );
    println!("{:?} {:?} rss {}", report.recipes, report.elapsed, report.agent_peak_rss_bytes);
    Ok(())
}
