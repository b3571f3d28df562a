//! The longer help texts.

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
pub const SHORT: &str = "See 'assetsync push --help' for details and examples.";

/// Examples of `push`.
pub const EXAMPLES: &str = "  Show what a push would change:
    assetsync push -n --delete public/assets web1:/srv/app/public/assets

  With the same key and options as rsync:
    assetsync push --delete -e \"ssh -i KEY\" public/assets web1:/srv/assets

  To three hosts in parallel, with JSON output for a script:
    assetsync push --json public/assets web1:assets web2:assets web3:assets

  Without source maps, and with boot.js published last:
    assetsync push --exclude '*.map' --entry-point boot.js dist web1:/srv/www";

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
