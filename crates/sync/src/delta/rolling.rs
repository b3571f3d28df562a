//! librsync's weak rolling checksum.

/// What librsync adds to every byte, so that zeros count.
const OFFSET: u32 = 31;

/// The sum of a window of fixed length that can move on by a byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rolling {
    /// Sum of the bytes.
    low: u32,
    /// Sum of the running sums.
    high: u32,
    length: u32,
}

impl Rolling {
    /// The sum of `window`.
    pub(super) fn over(window: &[u8]) -> Rolling {
        let length = window.len() as u32;
        // As a sum of products, not of running sums, so that the compiler can use vectors.
        let (mut low, mut high) = (0_u32, 0_u32);
        for (&byte, weight) in window.iter().rev().zip(1_u32..) {
            low = low.wrapping_add(u32::from(byte));
            high = high.wrapping_add(u32::from(byte).wrapping_mul(weight));
        }
        let triangle = (u64::from(length) * (u64::from(length) + 1) / 2) as u32;
        Rolling {
            low: low.wrapping_add(length.wrapping_mul(OFFSET)),
            high: high.wrapping_add(triangle.wrapping_mul(OFFSET)),
            length,
        }
    }

    /// Moves the window on: `gone` leaves at its front, `come` enters at its end.
    #[inline]
    pub(super) fn roll(&mut self, gone: u8, come: u8) {
        self.low = self.low.wrapping_add(u32::from(come)).wrapping_sub(u32::from(gone));
        self.high = self
            .high
            .wrapping_add(self.low)
            .wrapping_sub(self.length.wrapping_mul(u32::from(gone) + OFFSET));
    }

    /// The checksum as a signature holds it.
    #[inline]
    pub(super) fn value(&self) -> u32 {
        (self.high << 16) | (self.low & 0xffff)
    }
}

#[cfg(test)]
mod tests {
    use super::Rolling;

    #[test]
    fn rolling_equals_summing_anew() {
        let data: Vec<u8> = (0..5000_u32).map(|i| (i * i / 7) as u8).collect();
        for length in [1, 2, 3, 700, 1024] {
            let mut rolling = Rolling::over(&data[..length]);
            for start in 1..data.len() - length {
                rolling.roll(data[start - 1], data[start + length - 1]);
                assert_eq!(rolling.value(), Rolling::over(&data[start..start + length]).value());
            }
        }
    }

    #[test]
    fn the_value_is_the_one_in_signatures() {
        let data = b"the quick brown fox jumps over the lazy dog, twice and thrice";
        let options =
            fast_rsync::SignatureOptions { block_size: data.len() as u32, crypto_hash_size: 8 };
        let signature = fast_rsync::Signature::calculate(data, options).into_serialized();
        let weak = u32::from_be_bytes(signature[12..16].try_into().unwrap());
        assert_eq!(Rolling::over(data).value(), weak);
    }
}
