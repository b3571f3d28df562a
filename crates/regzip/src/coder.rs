//! A binary arithmetic coder with adaptive probabilities (the range coder of LZMA, with 16-bit
//! probabilities that learn quickly at first).
//!
//! Both directions are one trait: the same walk over a file codes corrections on the sender and
//! decodes them on the agent, so that the two can't drift apart.

/// Bits shifted out of the range when its top byte is used up.
const TOP: u32 = 1 << 24;

/// How far a probability moves towards the last bit, by the number of bits so far, in 1/65536.
const RATES: [u16; 128] = rates();

const fn rates() -> [u16; 128] {
    let mut rates = [0; 128];
    let mut seen = 0;
    while seen < rates.len() {
        rates[seen] = (65536 * 2 / (2 * seen + 3)) as u16;
        seen += 1;
    }
    rates
}

/// The probability of a 0, learned from the earlier bits in the same context.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    zero: u16,
    seen: u8,
}

impl Chance {
    /// The initial state, before any bit was coded.
    pub const EVEN: Chance = Chance { zero: 1 << 15, seen: 0 };

    /// The probability, never 0 or 1.
    fn zero(self) -> u32 {
        u32::from(self.zero).clamp(16, 65520)
    }

    fn learn(&mut self, bit: bool) {
        let target = if bit { 0 } else { 65535 };
        let off = target - i32::from(self.zero);
        let rate = i32::from(RATES[usize::from(self.seen) % RATES.len()]);
        // Between the old value and the target, which both are 16-bit.
        self.zero = (i32::from(self.zero) + ((off * (rate >> 1)) >> 15)).clamp(0, 65535) as u16;
        self.seen = (self.seen + 1).min(RATES.len() as u8 - 1);
    }
}

/// One direction of the coder.
pub trait Coder {
    /// Codes one bit: encodes `actual`, or ignores it and decodes. Returns the coded bit.
    fn bit(&mut self, chance: &mut Chance, actual: bool) -> bool;

    /// Whether coding has failed, so that the caller should stop.
    fn is_full(&self) -> bool {
        false
    }
}

/// Exp-Golomb coding, adaptive: the number of bits in unary, then the bits.
#[derive(Debug, Clone)]
pub struct Number {
    widths: [Chance; Number::MOST_BITS],
    bits: [[Chance; 2]; Number::MOST_BITS],
}

impl Number {
    /// Numbers are below `(1 << MOST_BITS) - 1`.
    pub const MOST_BITS: usize = 24;

    /// The initial state, before any bit was coded.
    pub const fn new() -> Number {
        Number {
            widths: [Chance::EVEN; Number::MOST_BITS],
            bits: [[Chance::EVEN; 2]; Number::MOST_BITS],
        }
    }

    /// Codes `actual`, which is below `(1 << MOST_BITS) - 1`.
    pub fn code<C: Coder>(&mut self, coder: &mut C, actual: u32) -> u32 {
        let wanted = (actual + 1).ilog2() as usize;
        let mut width = 0;
        while width < Number::MOST_BITS - 1 && coder.bit(&mut self.widths[width], width < wanted) {
            width += 1;
        }
        let mut value = 1;
        for bit in (0..width).rev() {
            let top = usize::from(bit + 1 == width);
            let one = coder.bit(&mut self.bits[width][top], (actual + 1) >> bit & 1 == 1);
            value = value << 1 | u32::from(one);
        }
        value - 1
    }
}

/// A value of `BITS` bits, each coded in the context of the higher ones. `SIZE` is `1 << BITS`.
#[derive(Debug, Clone, Copy)]
pub struct Tree<const SIZE: usize>([Chance; SIZE]);

impl<const SIZE: usize> Tree<SIZE> {
    /// The initial state, before any bit was coded.
    pub const NEW: Tree<SIZE> = Tree([Chance::EVEN; SIZE]);

    /// Codes `actual`, which is below `SIZE`.
    pub fn code<C: Coder>(&mut self, coder: &mut C, actual: u32) -> u32 {
        let mut node = 1;
        for bit in (0..SIZE.ilog2()).rev() {
            let one = coder.bit(&mut self.0[node], actual >> bit & 1 == 1);
            node = node << 1 | usize::from(one);
        }
        (node - SIZE) as u32
    }
}

/// Decodes the output of [`Encoder`]. After the end it reads zeros, which the encoder omits.
#[derive(Debug)]
pub struct Decoder<'a> {
    bytes: std::slice::Iter<'a, u8>,
    range: u32,
    code: u32,
}

impl<'a> Decoder<'a> {
    /// A decoder of these bytes.
    pub fn new(bytes: &'a [u8]) -> Decoder<'a> {
        let mut decoder = Decoder { bytes: bytes.iter(), range: u32::MAX, code: 0 };
        for _ in 0..4 {
            decoder.shift();
        }
        decoder
    }

    fn shift(&mut self) {
        self.code = self.code << 8 | self.bytes.next().map_or(0, |&byte| u32::from(byte));
    }
}

impl Coder for Decoder<'_> {
    #[inline]
    fn bit(&mut self, chance: &mut Chance, _: bool) -> bool {
        let bound = (self.range >> 16) * chance.zero();
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        while self.range < TOP {
            self.range <<= 8;
            self.shift();
        }
        chance.learn(bit);
        bit
    }
}

/// Encodes bits; [`Encoder::finish`] returns the bytes.
#[cfg(feature = "split")]
#[derive(Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
    low: u64,
    range: u32,
    /// The last byte, and the number of 0xFF after it: a carry may still change them.
    cache: u8,
    held: u64,
    most: usize,
}

#[cfg(feature = "split")]
impl Encoder {
    /// An encoder that stops after `most` bytes.
    pub fn new(most: usize) -> Encoder {
        Encoder { bytes: Vec::new(), low: 0, range: u32::MAX, cache: 0, held: 1, most }
    }

    /// The encoded bytes without trailing zeros; `None` if they exceed the limit.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        for _ in 0..5 {
            self.shift();
        }
        // The first byte is the initial cache.
        self.bytes.remove(0);
        while self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        (self.bytes.len() <= self.most).then_some(self.bytes)
    }

    fn shift(&mut self) {
        if self.low < 0xff00_0000 || self.low > u64::from(u32::MAX) {
            let carry = (self.low >> 32) as u8;
            while self.held > 0 {
                self.bytes.push(self.cache.wrapping_add(carry));
                self.cache = 0xff;
                self.held -= 1;
            }
            self.cache = (self.low >> 24) as u8;
        }
        self.held += 1;
        self.low = (self.low << 8) & u64::from(u32::MAX);
    }
}

#[cfg(feature = "split")]
impl Coder for Encoder {
    fn bit(&mut self, chance: &mut Chance, actual: bool) -> bool {
        let bound = (self.range >> 16) * chance.zero();
        if actual {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        while self.range < TOP {
            self.range <<= 8;
            self.shift();
        }
        chance.learn(actual);
        actual
    }

    fn is_full(&self) -> bool {
        // Finishing adds at most these bytes, and removes trailing zeros.
        self.bytes.len() as u64 + self.held > (self.most as u64).saturating_add(6)
    }
}

#[cfg(all(test, feature = "split"))]
mod tests {
    use super::*;

    /// Codes values of each kind and returns the decoded ones.
    fn code<C: Coder>(coder: &mut C, values: &[u32]) -> Vec<u32> {
        let (mut chance, mut number, mut tree) = (Chance::EVEN, Number::new(), Tree::<256>::NEW);
        let mut code = |&value: &u32| {
            coder.bit(&mut chance, value % 7 == 0);
            tree.code(coder, value & 255);
            number.code(coder, value)
        };
        values.iter().map(&mut code).collect()
    }

    #[test]
    fn decoding_returns_what_was_encoded() {
        let largest = (1 << Number::MOST_BITS) - 2;
        let values: Vec<u32> = (0..24).flat_map(|bit| [0, (1 << bit) - 1, 1 << bit]).collect();
        let values = [&values[..], &[largest, 0, 0, largest]].concat();
        let mut encoder = Encoder::new(usize::MAX);
        code(&mut encoder, &values);
        let bytes = encoder.finish().unwrap();
        assert_eq!(code(&mut Decoder::new(&bytes), &vec![0; values.len()]), values);
    }

    #[test]
    fn predictable_bits_cost_almost_nothing() {
        let mut encoder = Encoder::new(usize::MAX);
        let mut chance = Chance::EVEN;
        for _ in 0..100_000 {
            encoder.bit(&mut chance, true);
        }
        assert!(encoder.finish().unwrap().len() < 10);
    }

    #[test]
    fn too_much_is_none() {
        let mut encoder = Encoder::new(10);
        let mut chances = [Chance::EVEN; 1000];
        for chance in &mut chances {
            encoder.bit(chance, true);
        }
        assert!(encoder.is_full());
        assert!(encoder.finish().is_none());
    }
}
