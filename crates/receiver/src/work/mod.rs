//! The destination and its work directory.

pub(crate) mod destination;
pub(crate) mod protection;
pub(crate) mod work_dir;
