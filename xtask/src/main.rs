//! `cargo xtask`: see the library.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use xtask::benchmarks::Page;
use xtask::random_benchmarks::{self, Draw, PackageList};
use xtask::{Result, buckets, story};

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Measure compiling on a small server, rsync and assetsync; print the README's table
    Story {
        /// Write the table into README.md and the numbers into docs/story.json
        #[arg(long)]
        write: bool,
    },
    /// Push to a bucket, beside programs that others use; print the table of docs/buckets.md
    Buckets {
        /// Write the table into docs/buckets.md
        #[arg(long)]
        write: bool,
        /// The command, in place of a release build
        #[arg(long, value_name = "FILE")]
        assetsync: Option<PathBuf>,
        /// How often everything is measured; medians are shown
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
        runs: usize,
    },
    /// Race against rsync; write docs/benchmarks.md, its chart and the records beside it
    Benchmarks {
        /// Race nothing; write the page and the chart from the records that are there
        #[arg(long)]
        render: bool,
        /// Race with so many packages drawn at random; write docs/benchmarks-random.md, or
        /// docs/benchmarks-applications.md
        #[arg(long, value_name = "N", conflicts_with = "render")]
        random: Option<u32>,
        /// Race against other programs, which must be installed; write docs/benchmarks-peers.md
        #[arg(long, conflicts_with = "random")]
        peers: bool,
        /// Draw the packages that this number draws
        #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
        seed: u32,
        /// Draw from benches/random-LIST.txt: packages, or applications
        #[arg(long, default_value = "packages", value_parser = package_list, requires = "random")]
        list: PackageList,
    },
}

#[expect(clippy::print_stderr, reason = "this is a program")]
fn main() -> ExitCode {
    match run(&Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]
fn run(task: &Task) -> Result<()> {
    let progress = &mut |step: &str| eprintln!("xtask: {step}");
    match task {
        Task::Story { write } => {
            let measurements = story::run(progress)?;
            print!("{}", story::table(&measurements));
            if *write { story::write(&measurements) } else { Ok(()) }
        }
        Task::Buckets { write, assetsync, runs } => {
            let rows = buckets::run(assetsync.clone(), *runs, progress)?;
            print!("{}", buckets::table(&rows));
            if *write { buckets::write(&rows) } else { Ok(()) }
        }
        Task::Benchmarks { random: Some(number), seed, list, .. } => {
            let draw = Draw { list: *list, number: *number, seed: *seed };
            random_benchmarks::race_all(draw, progress)
        }
        Task::Benchmarks { render, peers, .. } => {
            let page = if *peers { Page::Peers } else { Page::Rsync };
            if !render {
                page.race_all(progress)?;
            }
            page.render()
        }
    }
}

fn package_list(text: &str) -> std::result::Result<PackageList, String> {
    let found = PackageList::ALL.into_iter().find(|list| list.name() == text);
    found.ok_or_else(|| "it must be packages or applications".to_owned())
}

/// A number from 1.
fn positive(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it must be a number from 1".to_owned()),
        Ok(number) => Ok(number),
    }
}
