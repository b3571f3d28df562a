//! Names of work directories and of files in them.

/// The name of a work directory inside its destination. Beside the destination `assets` it is
/// `.assetsync-assets`.
pub const INSIDE: &str = ".assetsync";

/// The index, which every completed push over an agent leaves in the work directory.
pub const INDEX: &str = "index";

/// An empty file that a push over SFTP leaves in the work directory when it has completed.
pub const PUSHED: &str = "pushed";

/// A file that is touched to read the file system's clock.
pub const CLOCK: &str = "clock";

/// If a push has completed, the work directory has one of these; a damaged index counts, too.
pub const COMPLETED: [&str; 2] = [INDEX, PUSHED];

/// Whether a name is that of a work directory, of this or another destination. These are never
/// scanned, sent or deleted, at any depth.
pub fn is_work_dir_name(name: &[u8]) -> bool {
    name.strip_prefix(INSIDE.as_bytes()).is_some_and(|rest| rest.is_empty() || rest[0] == b'-')
}
