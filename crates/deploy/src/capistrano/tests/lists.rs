//! The lists of programs that plugins fill and recipes change.

use super::files;
use crate::capistrano::convert;

const CAPFILE: &str =
    "require 'capistrano/rbenv'\nrequire 'capistrano/bundler'\nrequire 'capistrano/puma'\n";

/// The lines about rbenv and bundler that come of a deploy.rb.
fn made(deploy: &str) -> String {
    let text = convert(&files(CAPFILE, deploy, &[]), None).to_string();
    let starts = ["map_bins.", "bins.", "# config/deploy.rb:1 "];
    let lines = text.lines().filter(|line| starts.iter().any(|start| line.starts_with(start)));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn lists() {
    let rows = [
        ("", ""),
        ("append :rbenv_map_bins, 'foreman'", "map_bins.append = [\"foreman\"]"),
        (
            "set :rbenv_map_bins, fetch(:rbenv_map_bins).to_a.push('foreman')",
            "map_bins.append = [\"foreman\"]",
        ),
        (
            "set :rbenv_map_bins, %w{rake gem bundle ruby rails}",
            "# config/deploy.rb:1 assigns rbenv_map_bins and so drops puma and pumactl, which",
        ),
        (
            "set :rbenv_map_bins, %w{rake gem bundle ruby rails foreman}\nappend :rbenv_map_bins, 'puma', 'pumactl'",
            "map_bins.append = [\"foreman\"]",
        ),
        ("remove :rbenv_map_bins, 'gem'", "map_bins.remove = [\"gem\"]"),
        (
            "append :bundle_bins, 'foreman'\nremove :bundle_bins, 'gem'",
            "bins.append = [\"foreman\"]\nbins.remove = [\"gem\"]",
        ),
    ];
    for (deploy, expected) in rows {
        assert_eq!(made(deploy), expected, "{deploy}");
    }
}
