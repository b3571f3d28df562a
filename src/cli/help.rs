//! The longer texts of the help.

/// What `push` does.
pub const PUSH: &str = "\
Make the contents of DEST the contents of SRC

A file is sent only as far as DEST does not have its content: under its own name, under another \
name, or in part. New files are built beside the tree that is served, checked, and put in place \
by renaming: first ordinary files, then the pages and manifests that name them, and deletes last. \
An interrupted push leaves every path whole; pushing again completes it.

Regular files, directories, symbolic links, permission bits and times are carried.";

/// How `push` is called.
pub const PUSH_USAGE: &str = "\
assetsync push [OPTIONS] SRC DEST...
       assetsync push [OPTIONS] STAGE";

/// The end of the short help.
pub const SHORT: &str = "'assetsync push --help' says more and gives examples.";

/// Examples of `push`.
pub const EXAMPLES: &str = "  See what a deploy would change:
    assetsync push -n --delete public/assets web1:/srv/app/public/assets

  The same key and options as with rsync:
    assetsync push --delete -e \"ssh -i KEY\" public/assets web1:/srv/assets

  Three hosts at once, with numbers for a script:
    assetsync push --json public/assets web1:assets web2:assets web3:assets

  Leave source maps at home, and publish boot.js after what it names:
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
