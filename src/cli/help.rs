//! The longer help texts, and which options `-h` shows: it fits on a screen of 80 columns and 24
//! lines.

use clap::Command;

/// The options of `push` that `-h` shows.
const COMMON_OF_PUSH: [&str; 12] = [
    "dry_run",
    "delete",
    "max_delete",
    "exclude",
    "chmod",
    "checksum",
    "identities",
    "port",
    "rsh",
    "verbose",
    "json",
    "help",
];

/// Commands with many options, and the options that their `-h` leaves out.
const RARE: [(&str, &[&str]); 9] = [
    ("deploy", RARE_ON_STAGES),
    ("rollback", RARE_ON_STAGES),
    ("status", RARE_ON_STAGES),
    ("verify", RARE_ON_STAGES),
    ("prune", RARE_ON_STAGES),
    ("doctor", RARE_ON_DOCTOR),
    ("explain", &["roles", "project", "set"]),
    ("uninstall", RARE_ON_UNINSTALL),
    ("bench", &["config_file", "port", "svg", "markdown", "from_json"]),
];

const RARE_ON_STAGES: &[&str] =
    &["roles", "file", "project", "set", "store", "no_store", "recipes", "quiet"];

const RARE_ON_DOCTOR: &[&str] = &[
    "config_file",
    "sudo",
    "ipv4",
    "ipv6",
    "bwlimit",
    "store",
    "roles",
    "hosts",
    "file",
    "project",
    "set",
];

const RARE_ON_UNINSTALL: &[&str] = &[
    "config_file",
    "sudo",
    "ipv4",
    "ipv6",
    "transport",
    "timeout",
    "bwlimit",
    "roles",
    "file",
    "project",
    "set",
];

/// Leaves options that are rarely needed to `--help`.
pub fn shorten(command: Command) -> Command {
    command.mut_subcommands(|subcommand| {
        let name = subcommand.get_name().to_owned();
        subcommand.mut_args(|arg| {
            let id = arg.get_id().as_str();
            let is_shown = match name.as_str() {
                "push" => arg.is_positional() || COMMON_OF_PUSH.contains(&id),
                name => !RARE.iter().any(|(of, rare)| *of == name && rare.contains(&id)),
            };
            arg.hide_short_help(!is_shown)
        })
    })
}

/// The few options of the short help of `push` need no headings.
pub fn without_headings(push: Command) -> Command {
    push.mut_args(|arg| if arg.is_positional() { arg } else { arg.help_heading("Options") })
}

/// The description of `push`.
pub const PUSH: &str = "\
Make DEST equal to SRC

Only content that DEST does not have, under any name, is sent. New files are written to a staging \
area beside DEST, verified, and then renamed into place: ordinary files first, then the pages and \
manifests that name them. Deletes come last. An interrupted push leaves no file half written; run \
it again to complete it.

Regular files, directories, symlinks, permission bits and file times are preserved.";

/// The usage lines of `push`.
pub const PUSH_USAGE: &str = "\
assetsync push [OPTIONS] SRC DEST...
       assetsync push [OPTIONS] STAGE";

/// The end of the short help.
pub const SHORT: &str = "More options and examples: assetsync push --help";

/// Examples of `push`.
pub const EXAMPLES: &str = "  Show what a push would change:
    assetsync push -n --delete public/assets web1:/srv/app/public/assets

  With the same key and options as rsync:
    assetsync push --delete -e \"ssh -i KEY\" public/assets web1:/srv/assets

  To three hosts in parallel, with JSON output for a script:
    assetsync push --json public/assets web1:assets web2:assets web3:assets

  Without source maps, and with boot.js published last:
    assetsync push --exclude '*.map' --entry-point boot.js dist web1:/srv/www";

/// The files that are read or written, for the manual page.
pub const FILES: &[(&str, &str)] = &[
    ("assetsync.toml", "The settings of a project: assetsync.toml(5)."),
    (
        "~/.cache/assetsync/store",
        "The store: contents and states of destinations. If it is lost, the next push sends more.",
    ),
    ("~/.ssh/config, ~/.ssh/known_hosts", "Read, and never written."),
    (
        "DEST/.assetsync, or .assetsync-* beside DEST",
        "On a host, the work directory of a destination: staged files and the index.",
    ),
    (
        "~/.cache/assetsync, or a directory that programs may be run from",
        "On a host, the agent: one program of about 1 MB, installed by the first push. \
         assetsync uninstall removes it and the work directory.",
    ),
];

/// The environment variables that are read, for the manual page.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("ASSETSYNC_STORE", "The directory of the store."),
    ("ASSETSYNC_AGENTS", "Directories with agents for other platforms, separated by colons."),
    ("ASSETSYNC_<KEY>", "A setting of a stage: ASSETSYNC_DEPLOY_TO is deploy_to."),
    ("RSYNC_RSH", "The command that connects, if -e is not given, as for rsync."),
    ("SSH_AUTH_SOCK", "The socket of ssh-agent."),
    ("SSH_ASKPASS", "The program that asks for a password or passphrase, as for ssh."),
    ("XDG_CACHE_HOME", "Where caches are, in place of ~/.cache; here and on hosts."),
];

/// The description of the settings' file, for its manual page.
pub const SETTINGS: &str = "\
assetsync.toml is in the project's directory. Later layers override earlier ones: built-in \
defaults, the file, its stage ([stages.NAME]), the host ([[stages.NAME.hosts]]), environment \
variables (ASSETSYNC_DEPLOY_TO for deploy_to), --set. KEY.append adds items to a list and \
KEY.remove removes them. assetsync init writes a commented file, assetsync config STAGE --origin \
shows every value and where it comes from. Defaults are in brackets.";

/// The exit codes.
pub const EXIT_CODES: &str =
    "0 done, 1 failed, 2 bad usage or configuration, 3 some destinations failed.";

/// The end of the program's help.
pub fn end() -> String {
    format!("Exit status: {EXIT_CODES}")
}

/// The end of the long help.
pub fn long_end() -> String {
    format!("Examples:\n{EXAMPLES}\n\n{}", end())
}

#[cfg(test)]
mod tests {
    use super::super::command;
    use super::*;

    const LINES: usize = 24;

    #[test]
    fn the_short_help_of_each_command_fits_on_a_screen() {
        let mut whole = command().term_width(80);
        whole.build();
        for subcommand in whole.get_subcommands().filter(|one| !one.is_hide_set()) {
            let short = match subcommand.get_name() {
                "push" => without_headings(subcommand.clone()),
                _ => subcommand.clone(),
            };
            let help = short.term_width(80).render_help().to_string();
            let lines = help.lines().count();
            assert!(lines <= LINES, "{lines} lines: {help}");
        }
    }

    #[test]
    fn the_options_named_here_exist() {
        let whole = command();
        let ids = |name: &str| -> Vec<String> {
            let arguments = whole.find_subcommand(name).map(Command::get_arguments);
            arguments.into_iter().flatten().map(|arg| arg.get_id().to_string()).collect()
        };
        let of_push = ids("push");
        assert!(COMMON_OF_PUSH.iter().all(|id| of_push.contains(&(*id).to_owned())));
        for (name, rare) in RARE {
            let known = ids(name);
            assert!(rare.iter().all(|id| known.contains(&(*id).to_owned())), "{name}: {known:?}");
        }
    }
}
