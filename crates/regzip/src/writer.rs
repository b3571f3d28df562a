//! A bit writer for deflate, which refuses more bytes than the declared size.

use std::io;

use super::RegzipError;
use super::huffman::Code;
use super::token::{END_OF_BLOCK, Token};

/// Bytes that are buffered before they are passed on.
const BUFFER: usize = 16 * 1024;

/// Receives bytes of the file.
pub type Output<'o> = dyn FnMut(&[u8]) -> io::Result<()> + 'o;

/// Writes bits, the lowest first.
pub struct Writer<'o> {
    output: &'o mut Output<'o>,
    /// Bytes that may still be written.
    left: u64,
    buffer: Vec<u8>,
    held: u64,
    count: u32,
}

impl<'o> Writer<'o> {
    /// A writer of `size` bytes to `output`.
    pub fn new(output: &'o mut Output<'o>, size: u64) -> Writer<'o> {
        Writer { output, left: size, buffer: Vec::with_capacity(BUFFER), held: 0, count: 0 }
    }

    /// Writes the lowest `count` bits of `bits`, at most 32; no others are set.
    pub fn bits(&mut self, bits: u32, count: u32) -> Result<(), RegzipError> {
        debug_assert!(count == 32 || bits >> count == 0);
        self.held |= u64::from(bits) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.byte(self.held as u8)?;
            self.held >>= 8;
            self.count -= 8;
        }
        Ok(())
    }

    /// Writes a symbol, which must have a code.
    pub fn symbol(&mut self, code: &Code, symbol: usize) -> Result<(), RegzipError> {
        match code.lengths[symbol] {
            0 => Err(RegzipError::Malformed("symbol without a code")),
            length => self.bits(code.bits[symbol].into(), length.into()),
        }
    }

    /// Writes the tokens of a block, and its end.
    pub fn tokens(
        &mut self,
        tokens: &[Token],
        literals: &Code,
        distances: &Code,
    ) -> Result<(), RegzipError> {
        for &token in tokens {
            match token {
                Token::Literal(byte) => self.symbol(literals, byte.into())?,
                Token::Match(found) => {
                    let (symbol, bits, extra) = found.length_symbol();
                    self.symbol(literals, symbol)?;
                    self.bits(extra, bits)?;
                    let (symbol, bits, extra) = found.distance_symbol();
                    self.symbol(distances, symbol)?;
                    self.bits(extra, bits)?;
                }
            }
        }
        self.symbol(literals, END_OF_BLOCK)
    }

    /// Writes a stored block after its first bit.
    pub fn stored(&mut self, bytes: &[u8]) -> Result<(), RegzipError> {
        self.bits(0, 2)?;
        self.align()?;
        let length = bytes.len() as u16;
        self.bytes(&length.to_le_bytes())?;
        self.bytes(&(!length).to_le_bytes())?;
        self.bytes(bytes)
    }

    /// Pads with zero bits up to the next byte.
    pub fn align(&mut self) -> Result<(), RegzipError> {
        self.bits(0, (8 - self.count) % 8)
    }

    /// Writes whole bytes at a byte boundary.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), RegzipError> {
        bytes.iter().try_for_each(|&byte| self.byte(byte))
    }

    /// Passes on the rest; all declared bytes must have been written.
    pub fn finish(mut self) -> Result<(), RegzipError> {
        self.flush()?;
        if self.left == 0 { Ok(()) } else { Err(RegzipError::WrongSize) }
    }

    fn byte(&mut self, byte: u8) -> Result<(), RegzipError> {
        self.left = self.left.checked_sub(1).ok_or(RegzipError::WrongSize)?;
        self.buffer.push(byte);
        if self.buffer.len() == BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), RegzipError> {
        (self.output)(&self.buffer).map_err(RegzipError::Output)?;
        self.buffer.clear();
        Ok(())
    }
}
