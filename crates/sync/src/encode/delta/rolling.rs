//! librsync's weak rolling checksum.
//!
//! Both halves of the checksum are sums modulo 2^16, and are worked out in lanes of sixteen bits:
//! the plain loops here are those a compiler turns into vector instructions, even those every
//! processor has.

/// librsync adds this to every byte, so that zeros count.
const OFFSET: u16 = 31;

/// Windows summed at once.
pub(crate) const WINDOWS: usize = 256;

/// The sum of one window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeakSum {
    /// Sum of the bytes.
    low: u16,
    /// Sum of the running sums.
    high: u16,
}

impl WeakSum {
    pub(crate) fn over(window: &[u8]) -> WeakSum {
        let length = window.len();
        // As a sum of products, not of running sums: its terms don't depend on each other.
        let (mut low, mut high) = (0_u16, 0_u16);
        for (at, &byte) in window.iter().enumerate() {
            low = low.wrapping_add(u16::from(byte));
            high = high.wrapping_add(u16::from(byte).wrapping_mul((length - at) as u16));
        }
        let triangle = (length as u64 * (length as u64 + 1) / 2) as u16;
        WeakSum {
            low: low.wrapping_add((length as u16).wrapping_mul(OFFSET)),
            high: high.wrapping_add(triangle.wrapping_mul(OFFSET)),
        }
    }

    /// The checksum as a signature holds it.
    pub(crate) fn value(self) -> u32 {
        u32::from(self.high) << 16 | u32::from(self.low)
    }
}

/// The sums of up to [`WINDOWS`] windows, each a byte further than the one before.
#[derive(Debug)]
pub(crate) struct Sums {
    /// Length of a window, of which all that counts is what it is modulo 2^16.
    length: u16,
    before: WeakSum,
    pub(crate) lows: [u16; WINDOWS],
    pub(crate) highs: [u16; WINDOWS],
    totals: Totals,
}

impl Sums {
    /// To be rolled on from a window of `length` bytes with the sum `first`.
    pub(crate) fn new(first: WeakSum, length: usize) -> Sums {
        Sums {
            length: length as u16,
            before: first,
            lows: [0; WINDOWS],
            highs: [0; WINDOWS],
            totals: Totals::new(),
        }
    }

    /// Sums the next windows: at each step a byte of `gone` leaves at the front, one of `come`
    /// enters at the end. Gives their number, which is less than [`WINDOWS`] only where bytes run
    /// out.
    pub(crate) fn roll(&mut self, gone: &[u8], come: &[u8]) -> usize {
        let count = WINDOWS.min(gone.len()).min(come.len());
        let (gone, come) = (&gone[..count], &come[..count]);
        for (step, (&gone, &come)) in self.totals.terms().iter_mut().zip(gone.iter().zip(come)) {
            *step = u16::from(come).wrapping_sub(u16::from(gone));
        }
        self.totals.running(self.before.low, &mut self.lows);
        for ((turn, &low), &gone) in self.totals.terms().iter_mut().zip(&self.lows).zip(gone) {
            *turn = low.wrapping_sub(self.length.wrapping_mul(u16::from(gone) + OFFSET));
        }
        self.totals.running(self.before.high, &mut self.highs);
        if let Some(last) = count.checked_sub(1) {
            self.before = WeakSum { low: self.lows[last], high: self.highs[last] };
        }
        count
    }

    /// The sum of one of the windows.
    pub(crate) fn value(&self, window: usize) -> u32 {
        WeakSum { low: self.lows[window], high: self.highs[window] }.value()
    }
}

/// Running totals, by doubling (W. Hillis and G. Steele, "Data Parallel Algorithms", 1986): each
/// term with the seven before it, then every eighth on top of each other.
#[derive(Debug)]
struct Totals {
    /// Seven zeros, and the terms.
    terms: [u16; WINDOWS + 7],
    /// Each term and the one before it.
    twos: [u16; WINDOWS + 6],
    /// Each term and the three before it.
    fours: [u16; WINDOWS + 4],
}

impl Totals {
    fn new() -> Totals {
        Totals { terms: [0; WINDOWS + 7], twos: [0; WINDOWS + 6], fours: [0; WINDOWS + 4] }
    }

    fn terms(&mut self) -> &mut [u16] {
        &mut self.terms[7..]
    }

    /// Writes the totals of `start` and all terms so far.
    fn running(&mut self, start: u16, totals: &mut [u16; WINDOWS]) {
        add(&self.terms, &self.terms[1..], &mut self.twos);
        add(&self.twos, &self.twos[2..], &mut self.fours);
        add(&self.fours, &self.fours[4..], totals);
        let mut running = [start; 8];
        for totals in totals.as_chunks_mut::<8>().0 {
            for (total, running) in totals.iter_mut().zip(&mut running) {
                *running = running.wrapping_add(*total);
                *total = *running;
            }
        }
    }
}

fn add(a: &[u16], b: &[u16], sums: &mut [u16]) {
    for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
        *sum = a.wrapping_add(*b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_equals_recomputing() {
        let data: Vec<u8> = (0..70_000_u32).map(|i| (i.wrapping_mul(i) / 7) as u8).collect();
        for length in [1, 2, 3, 256, 700, 1024, 65_536] {
            let mut sums = Sums::new(WeakSum::over(&data[..length]), length);
            let mut start = 0;
            loop {
                let count = sums.roll(&data[start..], &data[start + length..]);
                for window in 0..count.min(40) {
                    let window = if window < 20 { window } else { count - window + 19 };
                    let bytes = &data[start + window + 1..][..length];
                    assert_eq!(sums.value(window), WeakSum::over(bytes).value());
                }
                start += count;
                if count < WINDOWS {
                    assert_eq!(start + length, data.len());
                    break;
                }
            }
        }
    }

    #[test]
    fn few_bytes_at_a_time_give_the_same_sums() {
        let data: Vec<u8> = (0..4000_u32).map(|i| (i.wrapping_mul(i) / 11) as u8).collect();
        let mut sums = Sums::new(WeakSum::over(&data[..512]), 512);
        let mut start = 0;
        for count in (0..60).cycle() {
            let come = &data[start + 512..data.len().min(start + 512 + count)];
            assert_eq!(sums.roll(&data[start..], come), come.len());
            start += come.len();
            if let Some(last) = come.len().checked_sub(1) {
                assert_eq!(sums.value(last), WeakSum::over(&data[start..start + 512]).value());
            }
            if start + 512 == data.len() {
                break;
            }
        }
    }

    #[test]
    fn the_value_is_the_one_in_signatures() {
        let data: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(i) / 13) as u8).collect();
        for length in [1, 61, 1024, 65_535, 65_536, 200_000] {
            let options =
                fast_rsync::SignatureOptions { block_size: length as u32, crypto_hash_size: 8 };
            let signature = fast_rsync::Signature::calculate(&data[..length], options);
            let weak = u32::from_be_bytes(signature.serialized()[12..16].try_into().unwrap());
            assert_eq!(WeakSum::over(&data[..length]).value(), weak);
        }
    }
}
