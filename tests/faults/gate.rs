//! A push that waits in its middle until a test lets it go on.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Dir, run, script};

/// Lets the agent have `FAULT_BYTES`, then waits for a line from the FIFO `FAULT_GATE`.
pub fn gated_shell(dir: &Dir) -> (PathBuf, PathBuf) {
    let (path, gate) = (dir.join("gated"), dir.join("gate"));
    run("mkfifo", [&gate]);
    script(
        &path,
        "#!/bin/sh\nshift\n\
         { dd bs=64k count=\"$FAULT_BYTES\" iflag=count_bytes 2>&-; read -r go < \"$FAULT_GATE\"; cat; } |\n\
         /bin/sh -c \"$1\"\n",
    );
    (path, gate)
}

/// Lets the push at a gate go on. It is held until that has ended: a FIFO that is open for reading,
/// too, can be written to if nobody waits at it any more.
#[must_use]
pub fn open_gate(gate: &Path) -> File {
    let mut open = File::options().read(true).write(true).open(gate).unwrap();
    open.write_all(b"go\n").unwrap();
    open
}
