//! What goes wrong on a line, and after how many bytes.

/// The faults a direction still has before it. Offsets count its bytes over all connections.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) cut: Option<u64>,
    pub(super) freeze: Option<u64>,
    pub(super) flips: Vec<u64>,
}

/// What happens after the bytes that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: the rest may follow.
    Go,
    /// The connection is reset.
    Cut,
    /// Everything stops.
    Freeze,
}

impl Faults {
    /// Says how many of `bytes`, which are the ones from `offset` on, may pass and what happens
    /// then; spoils those to be spoiled. Each fault strikes once.
    pub(super) fn strike(&mut self, offset: u64, bytes: &mut [u8]) -> (usize, Then) {
        let end = offset + bytes.len() as u64;
        let due = |fault: Option<u64>| fault.filter(|at| *at <= end);
        let (stop, then) = match (due(self.cut), due(self.freeze)) {
            (None, None) => (end, Then::Go),
            (Some(cut), freeze) if freeze.is_none_or(|freeze| cut <= freeze) => (cut, Then::Cut),
            (_, Some(freeze)) => (freeze, Then::Freeze),
            (Some(cut), None) => (cut, Then::Cut),
        };
        match then {
            Then::Go => {}
            Then::Cut => self.cut = None,
            Then::Freeze => self.freeze = None,
        }
        // A fault set for a place already passed strikes at once.
        let pass = usize::try_from(stop.saturating_sub(offset)).unwrap_or(bytes.len());
        self.flip(offset, &mut bytes[..pass]);
        (pass, then)
    }

    /// Turns the lowest bit of every byte that is to be spoiled.
    fn flip(&mut self, offset: u64, bytes: &mut [u8]) {
        self.flips.retain(|at| {
            let place = at.checked_sub(offset).and_then(|place| usize::try_from(place).ok());
            match place.and_then(|place| bytes.get_mut(place)) {
                Some(byte) => *byte ^= 1,
                None => return true,
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strike(faults: &mut Faults, offset: u64) -> (usize, Then) {
        faults.strike(offset, &mut [0; 10])
    }

    #[test]
    fn without_faults_everything_passes() {
        assert_eq!(strike(&mut Faults::default(), 5), (10, Then::Go));
    }

    #[test]
    fn a_cut_lets_exactly_its_bytes_pass_and_strikes_once() {
        for (cut, expected) in [(4, (0, Then::Cut)), (5, (0, Then::Cut)), (9, (4, Then::Cut))] {
            let mut faults = Faults { cut: Some(cut), ..Faults::default() };
            assert_eq!(strike(&mut faults, 5), expected, "{cut}");
            assert_eq!(strike(&mut faults, 5), (10, Then::Go));
        }
    }

    #[test]
    fn a_cut_at_the_end_of_a_chunk_does_not_wait_for_the_next() {
        let mut faults = Faults { cut: Some(15), ..Faults::default() };
        assert_eq!(strike(&mut faults, 5), (10, Then::Cut));
        let mut faults = Faults { cut: Some(16), ..Faults::default() };
        assert_eq!(strike(&mut faults, 5), (10, Then::Go));
    }

    #[test]
    fn the_nearer_fault_comes_first() {
        let mut faults = Faults { cut: Some(8), freeze: Some(3), flips: vec![] };
        assert_eq!(strike(&mut faults, 0), (3, Then::Freeze));
        assert_eq!(strike(&mut faults, 3), (5, Then::Cut));
    }

    #[test]
    fn one_bit_of_the_named_byte_turns() {
        let mut faults = Faults { flips: vec![12, 40], ..Faults::default() };
        let mut bytes = [6; 10];
        faults.strike(5, &mut bytes);
        assert_eq!(bytes, [6, 6, 6, 6, 6, 6, 6, 7, 6, 6]);
        assert_eq!(faults.flips, [40]);
    }
}
