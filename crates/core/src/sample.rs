//! A part of many items, where asking for all would take too long.

/// At most `most` items: of `first` as many as fit, and of `others` as many as then do, evenly
/// spread.
pub fn sample<T>(first: Vec<T>, others: Vec<T>, most: usize) -> impl Iterator<Item = T> {
    let room = most.saturating_sub(first.len());
    let step = others.len().div_ceil(room.max(1)).max(1);
    first.into_iter().chain(others.into_iter().step_by(step)).take(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_taken_before_the_others_which_are_spread_evenly() {
        let sampled = |first: u32, others: u32, most| -> Vec<u32> {
            sample((0..first).collect(), (100..100 + others).collect(), most).collect()
        };
        assert_eq!(sampled(2, 8, 4), [0, 1, 100, 104]);
        assert_eq!(sampled(2, 3, 100), [0, 1, 100, 101, 102]);
        assert_eq!(sampled(5, 3, 4), [0, 1, 2, 3]);
        assert!(sampled(0, 0, 4).is_empty());
    }
}
