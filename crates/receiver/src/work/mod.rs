//! The destination and its work directory.

pub(crate) mod destination;
pub(crate) mod error;
pub(crate) mod file_names;
mod hidden;
pub(crate) mod inherited;
mod lock;
pub(crate) mod lookup;
pub(crate) mod protection;
pub(crate) mod sharing;
pub(crate) mod work_dir;
