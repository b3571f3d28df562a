//! Parsing of the gzip header (RFC 1952); only the sender does it.

/// Bytes of the trailer: checksum and size.
pub const TRAILER: usize = 8;

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
mod flag {
    pub const CHECKSUM: u8 = 1 << 1;
    pub const EXTRA: u8 = 1 << 2;
    pub const NAME: u8 = 1 << 3;
    pub const COMMENT: u8 = 1 << 4;
    pub const RESERVED: u8 = 0xe0;
}

/// Length of the header at the start of `gz`; `None` if it is invalid.
pub fn header_length(gz: &[u8]) -> Option<usize> {
    if !gz.starts_with(&MAGIC) {
        return None;
    }
    let flags = *gz.get(3)?;
    let mut at = 10;
    if flags & flag::EXTRA != 0 {
        let length = gz.get(at..at + 2)?;
        at += 2 + usize::from(u16::from_le_bytes(length.try_into().ok()?));
    }
    for text in [flag::NAME, flag::COMMENT] {
        if flags & text != 0 {
            at += gz.get(at..)?.iter().position(|&byte| byte == 0)? + 1;
        }
    }
    if flags & flag::CHECKSUM != 0 {
        at += 2;
    }
    (flags & flag::RESERVED == 0 && at <= gz.len()).then_some(at)
}
