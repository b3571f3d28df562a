//! Medians of measurements.

/// The middle value, of an even number the upper one of the two; nothing of none.
pub(crate) fn median<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    let middle = values.len() / 2;
    values.into_iter().nth(middle)
}
