//! Random numbers of the system.

use std::fs::File;
use std::io::Read;

use crate::error::TransportError;

/// 32 random hexadecimal digits, which no other output can contain by chance.
pub fn nonce() -> Result<String, TransportError> {
    Ok(random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], TransportError> {
    let mut bytes = [0; N];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|source| TransportError::Read { path: "/dev/urandom".into(), source })?;
    Ok(bytes)
}
