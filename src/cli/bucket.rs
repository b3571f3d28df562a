//! The arguments that say how buckets are reached, and what objects are like.

use std::time::Duration;

use assetsync_bucket::{Addressing, BucketSettings, Compression, HeaderRule, HeaderRules, Placing};
use assetsync_core::text;
use clap::{Args, ValueEnum};

use crate::error::CommandError;

/// How buckets are reached, and what objects are like.
#[derive(Debug, Args)]
#[command(next_help_heading = "Buckets")]
pub struct BucketArguments {
    /// The URL of the service of s3://BUCKET/PREFIX [default: AWS_ENDPOINT_URL, or AWS]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The region of the bucket [default: AWS_REGION, or that of the profile]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// How the bucket's name gets into URLs [default: host at AWS, path elsewhere]
    #[arg(long, value_name = "WHERE")]
    pub addressing: Option<AddressingArgument>,
    /// Store the .gz, .br or .zst of a file in its place, with Content-Encoding
    #[arg(long, value_name = "ENCODING")]
    pub encoding: Option<EncodingArgument>,
    /// Set a header of matching objects: "*.pdf Cache-Control: max-age=3600"
    #[arg(long, value_name = "RULE")]
    pub header: Vec<String>,
}

/// How the bucket's name gets into URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AddressingArgument {
    /// ENDPOINT/BUCKET/KEY
    Path,
    /// BUCKET.ENDPOINT/KEY
    Host,
}

/// Which compressed files are stored in place of the plain ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EncodingArgument {
    /// FILE.gz
    Gzip,
    /// FILE.br
    Br,
    /// FILE.zst
    Zstd,
}

/// The settings that the arguments make.
pub fn settings(given: BucketArguments, timeout: Duration) -> Result<BucketSettings, CommandError> {
    let compression = given.encoding.map(|encoding| match encoding {
        EncodingArgument::Gzip => Compression::Gzip,
        EncodingArgument::Br => Compression::Brotli,
        EncodingArgument::Zstd => Compression::Zstd,
    });
    let rule = |given: &String| {
        let rule = given.parse::<HeaderRule>();
        rule.map_err(|error| {
            let shown = text::line(given.as_bytes());
            CommandError::usage(format!("--header {shown}: {error}"))
        })
    };
    let rules = given.header.iter().map(rule).collect::<Result<_, _>>()?;
    Ok(BucketSettings {
        endpoint: given.endpoint,
        region: given.region,
        addressing: given.addressing.map(|addressing| match addressing {
            AddressingArgument::Path => Addressing::Path,
            AddressingArgument::Host => Addressing::VirtualHost,
        }),
        rules: HeaderRules {
            placing: compression.map_or(Placing::OwnKeys, Placing::InPlace),
            rules,
        },
        timeout,
    })
}
