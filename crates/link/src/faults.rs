//! Faults of one direction, and after how many bytes each happens.

/// The faults to come in one direction. Offsets count its bytes over all connections.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) cut: Option<u64>,
    pub(crate) freeze: Option<u64>,
    pub(crate) flips: Vec<u64>,
}

/// What happens after the bytes that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: the rest may follow.
    Go,
    /// The connection is reset.
    Cut,
    /// Everything stops.
    Freeze,
}

impl Faults {
    /// How many of `bytes`, which start at `offset`, may pass, and what happens next; flips the
    /// bits to be flipped. Each fault happens once.
    pub(crate) fn apply(&mut self, offset: u64, bytes: &mut [u8]) -> (usize, Next) {
        let end = offset + bytes.len() as u64;
        let due = |fault: Option<u64>| fault.filter(|at| *at <= end);
        let (stop, next) = match (due(self.cut), due(self.freeze)) {
            (None, None) => (end, Next::Go),
            (Some(cut), freeze) if freeze.is_none_or(|freeze| cut <= freeze) => (cut, Next::Cut),
            (_, Some(freeze)) => (freeze, Next::Freeze),
            (Some(cut), None) => (cut, Next::Cut),
        };
        match next {
            Next::Go => {}
            Next::Cut => self.cut = None,
            Next::Freeze => self.freeze = None,
        }
        // A fault at an offset already passed happens at once.
        let pass = usize::try_from(stop.saturating_sub(offset)).unwrap_or(bytes.len());
        self.flip(offset, &mut bytes[..pass]);
        (pass, next)
    }

    /// Flips the lowest bit of every byte that has such a fault.
    fn flip(&mut self, offset: u64, bytes: &mut [u8]) {
        self.flips.retain(|at| {
            let index = at.checked_sub(offset).and_then(|index| usize::try_from(index).ok());
            match index.and_then(|index| bytes.get_mut(index)) {
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

    fn apply(faults: &mut Faults, offset: u64) -> (usize, Next) {
        faults.apply(offset, &mut [0; 10])
    }

    #[test]
    fn without_faults_everything_passes() {
        assert_eq!(apply(&mut Faults::default(), 5), (10, Next::Go));
    }

    #[test]
    fn a_cut_lets_exactly_its_bytes_pass_and_happens_once() {
        for (cut, expected) in [(4, (0, Next::Cut)), (5, (0, Next::Cut)), (9, (4, Next::Cut))] {
            let mut faults = Faults { cut: Some(cut), ..Faults::default() };
            assert_eq!(apply(&mut faults, 5), expected, "{cut}");
            assert_eq!(apply(&mut faults, 5), (10, Next::Go));
        }
    }

    #[test]
    fn a_cut_at_the_end_of_a_chunk_does_not_wait_for_the_next() {
        let mut faults = Faults { cut: Some(15), ..Faults::default() };
        assert_eq!(apply(&mut faults, 5), (10, Next::Cut));
        let mut faults = Faults { cut: Some(16), ..Faults::default() };
        assert_eq!(apply(&mut faults, 5), (10, Next::Go));
    }

    #[test]
    fn the_nearer_fault_comes_first() {
        let mut faults = Faults { cut: Some(8), freeze: Some(3), flips: vec![] };
        assert_eq!(apply(&mut faults, 0), (3, Next::Freeze));
        assert_eq!(apply(&mut faults, 3), (5, Next::Cut));
    }

    #[test]
    fn one_bit_of_the_named_byte_flips() {
        let mut faults = Faults { flips: vec![12, 40], ..Faults::default() };
        let mut bytes = [6; 10];
        faults.apply(5, &mut bytes);
        assert_eq!(bytes, [6, 6, 6, 6, 6, 6, 6, 7, 6, 6]);
        assert_eq!(faults.flips, [40]);
    }
}
