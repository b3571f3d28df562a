//! One option of rsync.

/// An option of rsync.
pub(super) struct RsyncOption {
    /// Its long names, without dashes.
    pub(super) long: &'static [&'static str],
    pub(super) short: Option<char>,
    pub(super) takes_value: bool,
    pub(super) meaning: Meaning,
}

/// What an option of rsync is here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// An option of the same name.
    Same,
    /// Accepted without effect, for this reason.
    Always(&'static str),
    /// Refused, for this reason.
    Refused(&'static str),
}
