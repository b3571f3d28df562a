//! Numbers and strings on the wire: LEB128 varints and length-prefixed bytes.

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ends too early.
    #[error("Message ends too early")]
    UnexpectedEnd,
    /// Bytes are left over after the message's last field.
    #[error("Message has {0} bytes too many")]
    Trailing(usize),
    /// A varint longer than 64 bits.
    #[error("Number is longer than 64 bits")]
    LongNumber,
    /// A number over its limit.
    #[error("{what} is {value}, the limit is {limit}")]
    OverLimit {
        /// The field.
        what: &'static str,
        /// The number.
        value: u64,
        /// Its limit.
        limit: u64,
    },
    /// A tag, flag or kind that this version does not know.
    #[error("{what} {value} is unknown")]
    Unknown {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u64,
    },
    /// A path that is not allowed.
    #[error(transparent)]
    Path(#[from] crate::path::PathError),
    /// A signature that is not allowed.
    #[error(transparent)]
    Signature(#[from] crate::delta::SignatureError),
}

/// Appends `value` as a varint.
pub fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number, small in both directions (zigzag).
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads fields off the front of a message.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::UnexpectedEnd)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A varint.
    pub fn number(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::LongNumber);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::LongNumber)
    }

    /// A varint that may be at most `limit`.
    pub fn bounded(&mut self, what: &'static str, limit: u64) -> Result<u64, DecodeError> {
        let value = self.number()?;
        if value > limit { Err(DecodeError::OverLimit { what, value, limit }) } else { Ok(value) }
    }

    /// A signed varint.
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A length of at most `limit`, and that many bytes.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.bounded(what, limit as u64)?;
        self.take(length as usize)
    }

    /// All remaining bytes.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Checks that nothing is left.
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.0.len())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, value);
            put_signed(&mut out, value as i64);
            let mut fields = Fields(&out);
            assert_eq!(fields.number(), Ok(value));
            assert_eq!(fields.signed(), Ok(value as i64));
            assert_eq!(fields.end(), Ok(()));
        }
    }

    #[test]
    fn bad_numbers_are_refused() {
        assert_eq!(Fields(&[0x80]).number(), Err(DecodeError::UnexpectedEnd));
        assert_eq!(Fields(&[0xff; 10]).number(), Err(DecodeError::LongNumber));
        assert_eq!(Fields(&[0xff; 20]).number(), Err(DecodeError::LongNumber));
        let over = Fields(&[200, 1]).bytes("text", 100);
        assert_eq!(over, Err(DecodeError::OverLimit { what: "text", value: 200, limit: 100 }));
    }
}
