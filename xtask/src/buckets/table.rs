//! The table in `docs/buckets.md`.

use assetsync_units::bytes;

use super::cost::{Cost, Row, STEPS, Step};
use crate::error::{Error, Result};

/// The line before the table.
const BEGIN: &str = "<!-- buckets: begin; scripts/benchmark-buckets writes this -->";

/// The line after it.
const END: &str = "<!-- buckets: end -->";

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

/// `page` with this table between the two lines.
pub(super) fn replace(page: &str, rows: &[Row]) -> Result<String> {
    let lacks = || Error::NoTable("docs/buckets.md", "scripts/benchmark-buckets");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(lacks)?;
    let (_, after) = rest.split_once(END).ok_or_else(lacks)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n{END}{after}", table(rows)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_table_replaces_the_one_on_the_page() {
        let cost = Cost { requests: 3, bytes: 1_249_999, time: Duration::from_millis(570) };
        let mut costs = vec![cost; STEPS.len()];
        costs[0].bytes = 999;
        let row = Row { command: "x sync", costs };
        let page = replace(&format!("# A\n{BEGIN}\nold\n{END}\nmore\n"), &[row]).unwrap();
        assert!(page.contains("| n8n, first push | 3, 999 B, 0.6 s |\n"), "{page}");
        assert!(page.contains("| nothing changed | 3, 1.2 MB, 0.6 s |\n"), "{page}");
        assert!(page.ends_with("more\n") && !page.contains("old"), "{page}");
        assert!(matches!(replace("", &[]), Err(Error::NoTable(..))));
    }
}
