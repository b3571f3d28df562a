//! The steps of a push, each a type that only has the next step:
//! [`Locked`](locked::Locked), [`Surveyed`](surveyed::Surveyed), [`Planned`](planned::Planned),
//! [`Staged`](staged::Staged), [`Live`](live::Live). [`driver`] runs them.

pub mod context;
pub mod driver;
pub mod dry_run;
pub mod live;
pub mod locked;
pub mod planned;
pub mod request;
pub mod run_member;
pub mod staged;
pub mod surveyed;
