//! The destination and its work directory.

pub(crate) mod destination;
mod hidden;
mod lock;
pub(crate) mod protection;
pub(crate) mod sharing;
pub(crate) mod work_dir;
