//! The table in `docs/buckets.md`.

use assetsync_units::bytes;

use super::cost::{Cost, Row, STEPS, Step};
use crate::section::Section;

/// Where the table is.
pub(super) const SECTION: Section =
    Section { page: "docs/buckets.md", name: "buckets", script: "scripts/benchmark-buckets" };

/// The table: a line for each step, a column for each program.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let commands: String = rows.iter().map(|row| format!(" `{}` |", row.command)).collect();
    let mut text =
        format!("| requests, bytes, seconds |{commands}\n|---|{}\n", "---|".repeat(rows.len()));
    for (at, Step { name, .. }) in STEPS.iter().enumerate() {
        let cells: String = rows.iter().map(|row| format!(" {} |", cell(row.costs[at]))).collect();
        text += &format!("| {name} |{cells}\n");
    }
    text
}

fn cell(cost: Cost) -> String {
    format!("{}, {}, {:.1} s", cost.requests, bytes(cost.bytes), cost.time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_step() {
        let cost = Cost { requests: 3, bytes: 1_249_999, time: Duration::from_millis(570) };
        let mut costs = vec![cost; STEPS.len()];
        costs[0].bytes = 999;
        let row = Row { command: "x sync", costs };
        let text = table(&[row]);
        assert!(text.contains("| n8n, first push | 3, 999 B, 0.6 s |\n"), "{text}");
        assert!(text.contains("| nothing changed | 3, 1.2 MB, 0.6 s |\n"), "{text}");
        assert_eq!(text.lines().count(), 2 + STEPS.len());
    }
}
