//! What sending costs: what the line carries, what compressing takes, and which way ends soonest.
//! Pure.

pub mod levels;
pub mod line;
pub mod line_rate;
#[cfg(test)]
mod replay;
