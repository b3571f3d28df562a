//! The sections of the file, with their comments and the defaults they show.

/// One table of the file.
pub(super) struct Section {
    /// Its name; empty for the keys before all tables.
    pub name: &'static str,
    /// Its comment.
    pub about: &'static str,
    /// `key = value` of defaults and examples, shown as comments.
    pub defaults: &'static [&'static str],
    /// Whether it is left out when nothing is set.
    pub only_if_used: bool,
}

/// The file's first lines, for the stage in braces.
pub(super) const HEADING: &str = "\
assetsync.toml: which compiled assets go where, and what happens then.

  assetsync config {stage} --origin    every value, and where it comes from
  assetsync deploy {stage} --dry-run   what a deploy would do

Keys behind a '#' show defaults and examples.";

/// The comment above the lines that were not understood.
pub(super) const ENDING: &str = "\
Not understood, and so not in this file. What of it concerns assets may belong in [hooks], [restart] or a host.";

/// The sections, in the file's order; stages come after them.
pub(super) const SECTIONS: &[Section] = &[
    escaped(
        "",
        "On each host, releases, current and shared are below deploy_to.",
        &["shared_path = \"{deploy_to}/shared\""],
    ),
    escaped(
        "build",
        "Built on this machine, once for all hosts. What was built is deleted here again after a deploy that went \
         well everywhere.",
        &["cleanup = true", "environment.NODE_ENV = \"production\""],
    ),
    escaped(
        "assets",
        "The contents of source become those of shared_path/destination on hosts with one of the roles.\n\
         Files that are no longer built stay for visitors who still have old pages: those of the last deploys, and \
         those that were live in the last days. With \"mirror\" they are deleted at once, as by rsync --delete.",
        &[
            "roles = [\"web\"]",
            "exclude = [\"*.map\"]",
            "delete = \"retain\"",
            "retention.keep = 3",
            "retention.max_age = \"7d\"",
        ],
    ),
    escaped(
        "hooks",
        "Commands at certain moments: on this machine, or with roles on hosts.",
        &[
            "before_build = [\"npm ci\"]",
            "after_publish = [{ run = \"rake cache:clear\", roles = [\"app\"] }]",
        ],
    ),
    escaped(
        "restart",
        "Lets the application see the new assets: \"pumactl\", \"systemd\", \"passenger\", \"passenger-touch\", or a \
         command of your own.",
        &["preset = \"none\"", "roles = [\"app\"]"],
    ),
    escaped(
        "ssh",
        "What is not set here is as your own ssh has it, with ~/.ssh/config.",
        &["user = \"deploy\"", "identities = [\"~/.ssh/deploy\"]"],
    ),
    used("environment", "For commands on hosts."),
    used(
        "rbenv",
        "Ruby's commands on hosts run through rbenv. To run more of them so, append to map_bins.",
    ),
    used(
        "rvm",
        "Ruby's commands on hosts run through RVM. To run more of them so, append to map_bins.",
    ),
    used(
        "chruby",
        "Ruby's commands on hosts run through chruby. To run more of them so, append to map_bins.",
    ),
    used("bundler", "Programs that run by bundle exec."),
    used("puma", "Where pumactl finds puma."),
    used("systemd", "The unit that is restarted."),
];

const fn escaped(
    name: &'static str,
    about: &'static str,
    defaults: &'static [&'static str],
) -> Section {
    Section { name, about, defaults, only_if_used: false }
}

const fn used(name: &'static str, about: &'static str) -> Section {
    Section { name, about, defaults: &[], only_if_used: true }
}
