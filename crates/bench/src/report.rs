//! Renders records: a table for the terminal, a page in Markdown, a chart in SVG.

mod chart;
mod page;
mod shortfalls;
mod stats;
mod table;

pub use chart::chart;
pub use page::{PageText, page};
pub use table::table;
