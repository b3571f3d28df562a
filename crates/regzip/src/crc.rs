//! The checksum in a gzip trailer: CRC-32 (ISO 3309, as in RFC 1952), eight bytes at a time.

/// Bytes per step.
const STEP: usize = 8;

/// The effect of a byte on the checksum, by the number of bytes after it in the step.
const TABLES: [[u32; 256]; STEP] = tables();

const fn tables() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut behind = 1;
    while behind < STEP {
        let mut byte = 0;
        while byte < 256 {
            let sum = tables[behind - 1][byte];
            tables[behind][byte] = sum >> 8 ^ tables[0][(sum & 0xff) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
}

/// A checksum that is being computed.
#[derive(Debug, Clone, Copy)]
pub struct Crc(u32);

impl Crc {
    pub fn new() -> Crc {
        Crc(!0)
    }

    pub fn update(&mut self, bytes: &[u8]) {
        let (steps, rest) = bytes.as_chunks::<STEP>();
        for step in steps {
            let word = u64::from_le_bytes(*step) ^ u64::from(self.0);
            let sums = word.to_le_bytes().into_iter().zip(TABLES.iter().rev());
            self.0 = sums.fold(0, |sum, (byte, table)| sum ^ table[usize::from(byte)]);
        }
        for &byte in rest {
            self.0 = self.0 >> 8 ^ TABLES[0][usize::from(self.0 as u8 ^ byte)];
        }
    }

    pub fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Crc;

    #[test]
    fn the_check_value() {
        let mut crc = Crc::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!(crc.value(), 0xcbf4_3926);
    }

    #[test]
    fn the_checksum_does_not_depend_on_the_pieces() {
        let bytes: Vec<u8> = (0..100u8).map(|byte| byte.wrapping_mul(37)).collect();
        let mut whole = Crc::new();
        whole.update(&bytes);
        for cut in 0..=bytes.len() {
            let mut cut_up = Crc::new();
            cut_up.update(&bytes[..cut]);
            bytes[cut..].iter().for_each(|byte| cut_up.update(&[*byte]));
            assert_eq!(cut_up.value(), whole.value(), "{cut}");
        }
    }
}
