//! Names that belong to work directories.

/// The name of a work directory inside its destination. Beside the destination `assets` it is `.assetsync-assets`.
pub const INSIDE: &str = ".assetsync";

/// The index, which every completed push over an agent leaves in the work directory.
pub const INDEX: &str = "index";

/// An empty file that a push over SFTP leaves in the work directory when it has completed.
pub const PUSHED: &str = "pushed";

/// Files of which one is in the work directory if a push has completed; a damaged index counts as well.
pub const COMPLETED: [&str; 2] = [INDEX, PUSHED];

/// Whether a name is that of a work directory, of this or another destination. Such are never scanned, sent
/// or deleted, at any depth.
pub fn is_work_dir_name(name: &[u8]) -> bool {
    name.strip_prefix(INSIDE.as_bytes()).is_some_and(|rest| rest.is_empty() || rest[0] == b'-')
}
