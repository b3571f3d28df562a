//! Races against programs other than rsync that bring a directory to a server by SSH.

use assetsync_bench::{Competitor, Scenario};

use super::{N8N, Race, SLOW, WITHOUT_LIMITS, race};

/// It has an SSH client of its own, which reads no configuration.
const RCLONE: &str = "rclone sync -q --config /dev/null --sftp-host 127.0.0.1 \
    --sftp-port $(sed -n 's/^ *Port //p' {config} | head -1) \
    --sftp-user $(sed -n 's/^ *User //p' {config} | head -1) \
    --sftp-key-file $(sed -n 's/^ *IdentityFile //p' {config} | head -1 | tr -d '\"') \
    {src} :sftp:{path}";

/// What it remembers is kept apart from what the user's unison remembers, on both sides.
/// `{host}` keeps the setting out of its name in tables.
const UNISON: &str = "UNISON=$XDG_DATA_HOME/unison-{host} \
    unison {src} ssh://{host}/{path} -silent -batch -force {src} -times -perms -1 \
    -confirmbigdel=false -sshargs '-F {config}' -servercmd 'env UNISON={path}.unison unison'";

/// Left to itself it opens connections beside SSH, past the link.
const SYQ: &str = "syq rsync -aq --delete --syq-no-tcp --rsync-path $(command -v syq) \
    -e '{ssh}' {src}/ {dest}/";

const CASYNC: &str = "casync make --store=$XDG_CACHE_HOME/store $XDG_CACHE_HOME/tree.caidx {src} \
    >/dev/null \
    && rsync -a -e '{ssh}' $XDG_CACHE_HOME/store $XDG_CACHE_HOME/tree.caidx {host}:{path}.casync/ \
    && {ssh} {host} 'cd {path}.casync && casync extract --store=store tree.caidx {path}'";

/// What the page says of them.
pub(super) const ABOUT: &str = "\
Programs other than rsync that bring a directory to a server by SSH, and delete there what it does \
not have. Their commands are [below](#who-races). rclone 1.60.1, unison 2.52.1 and casync 2 are \
those of Debian 12, syq 0.7.1 is that of crates.io. `scripts/benchmarks` races against rsync: \
[benchmarks.md](benchmarks.md).

- rclone needs nothing on the server but SFTP and a program for checksums. It transfers four files \
at a time, unless `--transfers` says otherwise.
- unison must be on the server, too, in the same version.
- syq installs its helper on the server; here it is there already.
- casync must be on the server, too. It cuts the whole tree, times included, into chunks, rsync \
brings those that are new, and the server puts the tree together. Old chunks stay on both sides \
until `casync gc`.";

const PEERS: &[&str] = &[RCLONE, UNISON, SYQ, CASYNC];
const BESIDE: &[&str] = &["rsync -az", Competitor::OURS];
const SCENARIOS: &[Scenario] =
    &[Scenario::First, Scenario::Unchanged, Scenario::Touched, Scenario::Update];

/// The races, in the order of the page.
pub(super) const RACES: [Race; 2] = [
    race("peers-far", N8N, SLOW, 1, SCENARIOS).only(BESIDE).against(PEERS),
    race("peers-near", N8N, WITHOUT_LIMITS, 3, SCENARIOS).only(BESIDE).against(PEERS),
];
