//! Pushes to a bucket, and what others use for that, with real programs on one link: for the table
//! in `docs/buckets.md`.
//!
//! Requests are counted in front of the server, bytes on the link, in both directions. Every run
//! has its own prefix of the bucket; after its last step the objects are compared with the source.

mod cost;
mod rival;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assetsync_link::{Link, LinkSpec};
use assetsync_testbed::corpora;
use assetsync_testbed::s3::{HttpProxy, S3Kind, S3Server, Verdict, ask};

use self::cost::STEPS;
pub use self::cost::{Cost, Row};
use self::rival::{Push, Rival};
pub use self::table::table;
use crate::error::{Error, ErrorContext, Result};
use crate::repository::{build_release, root, script};

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
    let rows = Rival::ALL.into_iter().map(|rival| {
        let runs = (1..=runs).map(|run| {
            progress(&format!("{}, run {run} of {runs}", rival.command()));
            bench.run(rival, run)
        });
        Ok(Row { command: rival.command(), costs: medians(&runs.collect::<Result<Vec<_>>>()?) })
    });
    rows.collect()
}

/// Writes the table into `docs/buckets.md`.
pub fn write(rows: &[Row]) -> Result<()> {
    let path = root().join("docs/buckets.md");
    let page = fs::read_to_string(&path).doing("read", &path)?;
    fs::write(&path, table::replace(&page, rows)?).doing("write", &path)
}

struct Bench {
    assetsync: PathBuf,
    server: S3Server,
    proxy: HttpProxy,
    link: Link,
    room: PathBuf,
}

impl Bench {
    /// All steps with one program, to a prefix of its own.
    fn run(&self, rival: Rival, run: usize) -> Result<Vec<Cost>> {
        let prefix = format!("{}-{run}", rival.name());
        let source = self.room.join("source");
        let home = self.room.join(&prefix);
        fs::create_dir_all(&home).doing("make", &home)?;
        let mut costs = Vec::new();
        for (_, build, is_compiled) in STEPS {
            if is_compiled {
                compile(&corpora::path(BUILDS[build])?, &source)?;
            }
            let push = Push {
                assetsync: &self.assetsync,
                endpoint: &format!("http://127.0.0.1:{}", self.link.port()),
                source: &source,
                prefix: &prefix,
                home: &home,
            };
            costs.push(self.measure(rival, &push)?);
        }
        self.compare(&source, &prefix)?;
        Ok(costs)
    }

    fn measure(&self, rival: Rival, push: &Push<'_>) -> Result<Cost> {
        let before = self.proxy.requests().len();
        self.link.reset();
        let begun = Instant::now();
        rival.push(push)?;
        let seconds = begun.elapsed().as_secs_f64();
        if !self.link.wait_idle(IDLE) {
            let text = format!("a connection of {} does not end", rival.command());
            return Err(Error::Unexpected(text));
        }
        let counts = self.link.counts();
        let requests = (self.proxy.requests().len() - before) as u64;
        Ok(Cost { requests, bytes: counts.sent + counts.received, seconds })
    }

    /// Fails unless the objects are the files of the source.
    fn compare(&self, source: &Path, prefix: &str) -> Result<()> {
        let mut expected = BTreeSet::new();
        for path in files(source, source)? {
            let reply = ask(self.server.port, "GET", &format!("/assets/{prefix}/{path}"), b"");
            let found = reply.doing("ask for", &path)?;
            if found.body != fs::read(source.join(&path)).doing("read", &path)? {
                return Err(Error::Unexpected(format!("{prefix}/{path} is not as in the source")));
            }
            expected.insert(path);
        }
        let there = self.keys(prefix)?;
        match there == expected {
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

/// Writes all files of a build afresh, as a compile does.
fn compile(build: &Path, source: &Path) -> Result<()> {
    if source.exists() {
        fs::remove_dir_all(source).doing("empty", source)?;
    }
    for path in files(build, build)? {
        let to = source.join(&path);
        let folder = to.parent().unwrap_or(source);
        fs::create_dir_all(folder).doing("make", folder)?;
        let content = fs::read(build.join(&path)).doing("read", &path)?;
        fs::write(&to, content).doing("write", &to)?;
    }
    Ok(())
}

/// The paths of all files in a directory, below `root`.
fn files(root: &Path, directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).doing("read", directory)? {
        let path = entry.doing("read", directory)?.path();
        match path.is_dir() {
            true => found.extend(files(root, &path)?),
            false => {
                let below = path.strip_prefix(root).unwrap_or(&path);
                found.push(below.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

/// Of each step the medians of all runs.
fn medians(runs: &[Vec<Cost>]) -> Vec<Cost> {
    let of = |step: usize| {
        let costs = || runs.iter().map(|run| run[step]);
        let mut seconds: Vec<f64> = costs().map(|cost| cost.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        Cost {
            requests: median(costs().map(|cost| cost.requests)),
            bytes: median(costs().map(|cost| cost.bytes)),
            seconds: seconds[seconds.len() / 2],
        }
    };
    (0..STEPS.len()).map(of).collect()
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_own_median() {
        let cost = |requests, bytes, seconds| vec![Cost { requests, bytes, seconds }; STEPS.len()];
        let runs = [cost(3, 10, 2.0), cost(1, 30, 3.0), cost(2, 20, 1.0)];
        let expected = Cost { requests: 2, bytes: 20, seconds: 2.0 };
        assert_eq!(medians(&runs), vec![expected; STEPS.len()]);
    }
}
