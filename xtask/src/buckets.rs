//! Pushes to a bucket, and what others use for that, with real programs on one link: for the table
//! in `docs/buckets.md`.
//!
//! Requests are counted in front of the server, bytes on the link, in both directions. Every run
//! has its own prefixes of the bucket; after each step the objects are compared with the source.

mod competitor;
mod cost;
mod source;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use assetsync_link::{Link, LinkSpec};
use assetsync_testbed::corpora;
use assetsync_testbed::s3::{HttpProxy, S3Kind, S3Server, Verdict, ask};

use self::competitor::{Competitor, Push};
pub use self::cost::{Cost, Row};
use self::cost::{STEPS, Step};
use self::source::{compile, files};
pub use self::table::table;
use crate::error::{Error, ErrorContext, Result};
use crate::repository::{build_release, script};

/// The link between the programs and the server.
const LINK: &str = "50ms,20mbit";

/// How long a connection may take to end after its program.
const IDLE: Duration = Duration::from_secs(60);

/// The releases that are pushed one after the other.
const BUILDS: [&str; 2] = ["n8n-2.40.2", "n8n-2.40.3"];

/// Fetches the builds, and measures everything so often, for medians. `assetsync` is the command;
/// if none, it is built.
pub fn run(
    assetsync: Option<PathBuf>,
    runs: usize,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Row>> {
    script("fetch-corpora", &BUILDS)?;
    let assetsync = assetsync.map_or_else(build_release, Ok)?;
    let server = S3Server::start(S3Kind::SeaweedFs)?;
    let proxy = HttpProxy::to(server.port, |_, _| Verdict::Pass).doing("start", "a proxy")?;
    let link = Link::to(proxy.port(), LinkSpec::parse(LINK)?)?;
    let room = tempfile::tempdir().doing("make a directory in", std::env::temp_dir())?;
    let bench = Bench { assetsync, server, proxy, link, room: room.path().to_path_buf() };
    let rows = Competitor::ALL.into_iter().map(|competitor| {
        let runs = (1..=runs).map(|run| {
            progress(&format!("{}, run {run} of {runs}", competitor.command()));
            bench.run(competitor, run)
        });
        Ok(Row {
            command: competitor.command(),
            costs: medians(&runs.collect::<Result<Vec<_>>>()?),
        })
    });
    rows.collect()
}

/// Writes the table into `docs/buckets.md`.
pub fn write(rows: &[Row]) -> Result<()> {
    table::SECTION.write(&table(rows))
}

struct Bench {
    assetsync: PathBuf,
    server: S3Server,
    proxy: HttpProxy,
    link: Link,
    room: PathBuf,
}

impl Bench {
    /// All steps with one program, to prefixes of its own.
    fn run(&self, competitor: Competitor, run: usize) -> Result<Vec<Cost>> {
        let source = self.room.join("source");
        let home = self.room.join(format!("{}-{run}", competitor.name()));
        fs::create_dir_all(&home).doing("make", &home)?;
        let steps = STEPS.iter().map(|Step { compiles, compressed, .. }| {
            if let Some(build) = compiles {
                compile(&corpora::path(BUILDS[*build])?, &source, *compressed)?;
            }
            let suffix = if *compressed { "-gz" } else { "" };
            let push = Push {
                assetsync: &self.assetsync,
                endpoint: &format!("http://127.0.0.1:{}", self.link.port()),
                source: &source,
                prefix: &format!("{}-{run}{suffix}", competitor.name()),
                home: &home,
                compressed: *compressed,
            };
            let cost = self.measure(competitor, &push)?;
            self.compare(&push, competitor.stores_in_place())?;
            Ok(cost)
        });
        steps.collect()
    }

    fn measure(&self, competitor: Competitor, push: &Push<'_>) -> Result<Cost> {
        let before = self.proxy.requests().len();
        self.link.reset();
        let begun = Instant::now();
        competitor.push(push)?;
        let time = begun.elapsed();
        if !self.link.wait_idle(IDLE) {
            let text = format!("a connection of {} does not end", competitor.command());
            return Err(Error::Unexpected(text));
        }
        let counts = self.link.counts();
        let requests = (self.proxy.requests().len() - before) as u64;
        Ok(Cost { requests, bytes: counts.sent + counts.received, time })
    }

    /// Fails unless the objects are the files of the source; `in_place`, a compressed file in place
    /// of its plain one.
    fn compare(&self, push: &Push<'_>, in_place: bool) -> Result<()> {
        let Push { source, prefix, .. } = *push;
        let files = files(source)?;
        let compressed = |path: &String| in_place && files.contains(&format!("{path}.gz"));
        let is_compressed =
            |path: &String| path.strip_suffix(".gz").is_some_and(|it| compressed(&it.to_owned()));
        let expected: BTreeSet<String> =
            files.iter().filter(|path| !is_compressed(path)).cloned().collect();
        for path in &expected {
            let reply = ask(self.server.port, "GET", &format!("/assets/{prefix}/{path}"), b"");
            let found = reply.doing("ask for", path)?;
            let suffix = if compressed(path) { ".gz" } else { "" };
            let file = source.join(format!("{path}{suffix}"));
            if found.body != fs::read(&file).doing("read", &file)? {
                return Err(Error::Unexpected(format!("{prefix}/{path} is not as in the source")));
            }
        }
        match self.keys(prefix)? == expected {
            true => Ok(()),
            false => Err(Error::Unexpected(format!("{prefix} has objects that are no files"))),
        }
    }

    /// The keys of assets below a prefix. None of them has a character that XML escapes.
    fn keys(&self, prefix: &str) -> Result<BTreeSet<String>> {
        let (mut keys, mut last) = (BTreeSet::new(), String::new());
        loop {
            let target = format!("/assets?list-type=2&prefix={prefix}/&start-after={last}");
            let page = ask(self.server.port, "GET", &target, b"").doing("list", prefix)?.text();
            let found = page.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
            let found: Vec<&str> = found.collect();
            let Some(newest) = found.last() else { return Ok(keys) };
            last = (*newest).to_owned();
            let below = found.iter().filter_map(|key| key.strip_prefix(&format!("{prefix}/")));
            let assets = below.filter(|key| !key.starts_with(".assetsync/"));
            keys.extend(assets.map(str::to_owned));
        }
    }
}

/// Of each step the medians of all runs.
fn medians(runs: &[Vec<Cost>]) -> Vec<Cost> {
    let of = |step: usize| {
        let costs = || runs.iter().map(|run| run[step]);
        Some(Cost {
            requests: median(costs().map(|cost| cost.requests))?,
            bytes: median(costs().map(|cost| cost.bytes))?,
            time: median(costs().map(|cost| cost.time))?,
        })
    };
    (0..STEPS.len()).filter_map(of).collect()
}

/// The middle value, of an even number the upper one of the two; nothing of none.
fn median<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    let middle = values.len() / 2;
    values.into_iter().nth(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_own_median() {
        let cost = |requests, bytes, seconds| {
            vec![Cost { requests, bytes, time: Duration::from_secs(seconds) }; STEPS.len()]
        };
        let runs = [cost(3, 10, 2), cost(1, 30, 3), cost(2, 20, 1)];
        assert_eq!(medians(&runs), cost(2, 20, 2));
    }
}
