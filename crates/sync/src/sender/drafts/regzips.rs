//! Takes `.gz` files apart into their plain siblings and corrections.

use std::collections::HashMap;

use rayon::prelude::*;

use super::basis::read;
use super::{Regzip, is_as_planned};
use crate::path::RelPath;
use crate::regzip;
use crate::sender::planner::Comparison;
use crate::sender::source::Source;

/// Smaller files are sent as they are, in bytes: it is hardly more than the corrections would be.
const SMALLEST: u64 = 512;

/// The changed `.gz` files that can be made from their plain siblings.
pub fn take_apart(
    comparison: &Comparison<'_>,
    source: &Source,
    changed: &[usize],
) -> HashMap<usize, Regzip> {
    let taken = changed.par_iter().filter_map(|&at| {
        let plain = plain_sibling(comparison, at)?;
        let content = |at: usize| {
            let local = &comparison.source()[at];
            read(source, local).filter(|content| is_as_planned(content, local.digest))
        };
        let corrections = regzip::split(&content(at)?, &content(plain)?)?;
        Some((at, Regzip { plain, corrections }))
    });
    taken.collect()
}

/// The position of `app.js`, if `at` is `app.js.gz`.
fn plain_sibling(comparison: &Comparison<'_>, at: usize) -> Option<usize> {
    let entry = &comparison.source()[at].entry;
    let size = entry.file_size()?;
    let plain = entry.path.as_bytes().strip_suffix(b".gz")?;
    let plain = RelPath::new(plain).ok()?;
    let source = comparison.source();
    let found = source.binary_search_by(|local| local.entry.path.cmp(&plain)).ok()?;
    let plain_size = source[found].entry.file_size()?;
    let fits = (SMALLEST..=super::LARGEST).contains(&size) && plain_size <= super::LARGEST;
    fits.then_some(found)
}
