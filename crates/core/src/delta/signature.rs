//! Signatures of bases: asked for by the sender, computed by the agent.

use std::io::{self, Read};

use fast_rsync::SignatureOptions;

use crate::limits;

/// Bytes of the weak checksum of each block.
const WEAK_BYTES: usize = 4;

/// Bytes of the header in librsync's format: magic, block size, length of the strong hash. It is
/// not sent; both sides have the [`SignatureSpec`].
const HEADER_BYTES: usize = 12;

/// About how much of a basis is read at a time when it is signed, in bytes.
const SEGMENT_BYTES: usize = 256 * 1024;

/// The block and hash sizes of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureSpec {
    /// Bytes per block; a power of two within [`limits::BLOCK_BYTES`].
    pub block_bytes: u32,
    /// Bytes kept of each block's MD4, within [`limits::STRONG_BYTES`].
    pub strong_bytes: u8,
}

/// Why a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Block size or hash length outside the limits.
    #[error(
        "Signature with blocks of {block_bytes} and hashes of {strong_bytes} bytes is not allowed"
    )]
    Spec {
        /// Bytes per block.
        block_bytes: u64,
        /// Bytes per hash.
        strong_bytes: u64,
    },
    /// A wrong number of blocks for the size of the basis.
    #[error("Signature of {got} bytes for a basis that needs {needed}")]
    Length {
        /// Bytes received.
        got: u64,
        /// Bytes expected.
        needed: u64,
    },
}

impl SignatureSpec {
    /// Checks sizes from the other side.
    pub fn new(block_bytes: u64, strong_bytes: u64) -> Result<SignatureSpec, SignatureError> {
        let refused = SignatureError::Spec { block_bytes, strong_bytes };
        let block = u32::try_from(block_bytes).map_err(|_| refused)?;
        let strong = u8::try_from(strong_bytes).map_err(|_| refused)?;
        let fine = limits::BLOCK_BYTES.contains(&block)
            && block.is_power_of_two()
            && limits::STRONG_BYTES.contains(&strong);
        if fine {
            Ok(SignatureSpec { block_bytes: block, strong_bytes: strong })
        } else {
            Err(refused)
        }
    }

    /// The sizes for a basis of `basis_bytes` and a new file of `size` bytes.
    ///
    /// Blocks grow with the square root of the basis, so that signature and literals around an edit
    /// cost about the same. The hash is long enough that a false match in the whole file has odds
    /// of about 2^-10 (rsync's rule, `BLOCKSUM_BIAS`); the file's BLAKE3 catches the others.
    pub fn for_basis(basis_bytes: u64, size: u64) -> SignatureSpec {
        let root = near_root(basis_bytes);
        SignatureSpec::with_blocks(root, basis_bytes, size)
    }

    /// The sizes for a rewritten basis. If it has the size of the new file, hardly more than
    /// fingerprints has changed, and those are rewritten: few edits are left, so blocks are larger.
    pub fn for_rewritten(basis_bytes: u64, size: u64) -> SignatureSpec {
        if basis_bytes != size {
            return SignatureSpec::for_basis(basis_bytes, size);
        }
        let root = near_root(basis_bytes.saturating_mul(8));
        SignatureSpec::with_blocks(root, basis_bytes, size)
    }

    fn with_blocks(root: u64, basis_bytes: u64, size: u64) -> SignatureSpec {
        let blocks = basis_bytes.div_ceil(root).max(1);
        let bits = 10 + size.max(1).ilog2() + blocks.ilog2();
        let strong = bits.saturating_sub(32).div_ceil(8).clamp(2, 16);
        SignatureSpec { block_bytes: root as u32, strong_bytes: strong as u8 }
    }

    /// Bytes of one block's entry.
    pub fn entry_bytes(&self) -> usize {
        WEAK_BYTES + usize::from(self.strong_bytes)
    }

    /// Bytes of the signature of a basis of `basis_bytes`.
    pub fn signature_bytes(&self, basis_bytes: u64) -> u64 {
        basis_bytes.div_ceil(u64::from(self.block_bytes)) * self.entry_bytes() as u64
    }

    fn options(&self) -> SignatureOptions {
        SignatureOptions {
            block_size: self.block_bytes,
            crypto_hash_size: u32::from(self.strong_bytes),
        }
    }

    /// The entries of whole blocks of `data`, as a signature has them; several blocks are hashed in
    /// parallel lanes.
    pub fn entries(&self, data: &[u8]) -> Vec<u8> {
        let mut signed = fast_rsync::Signature::calculate(data, self.options()).into_serialized();
        signed.drain(..HEADER_BYTES.min(signed.len()));
        signed
    }

    /// The strong checksum of one block, truncated to this signature's length.
    pub fn strong(&self, block: &[u8]) -> StrongHash {
        let options = SignatureOptions { block_size: block.len().max(1) as u32, ..self.options() };
        let signed = fast_rsync::Signature::calculate(block, options);
        let mut hash = StrongHash::default();
        if let Some(bytes) = signed.serialized().get(HEADER_BYTES + WEAK_BYTES..) {
            hash[..bytes.len()].copy_from_slice(bytes);
        }
        hash
    }
}

/// A strong hash, padded with zeros to MD4's length.
pub type StrongHash = [u8; 16];

/// Signs `basis` a segment at a time; `emit` receives the entries in order. Returns the bytes read.
pub fn sign(
    mut basis: impl Read,
    spec: SignatureSpec,
    mut emit: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let block = spec.block_bytes as usize;
    let mut segment = vec![0; SEGMENT_BYTES.max(block)];
    let mut total = 0;
    loop {
        let filled = read_full(&mut basis, &mut segment)?;
        if filled > 0 {
            let signed = fast_rsync::Signature::calculate(&segment[..filled], spec.options());
            emit(&signed.serialized()[HEADER_BYTES..])?;
            total += filled as u64;
        }
        if filled < segment.len() {
            return Ok(total);
        }
    }
}

/// Reads until `buffer` is full or the input ends.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The signature of a basis, as the sender received it: complete and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    spec: SignatureSpec,
    basis_bytes: u64,
    entries: Vec<u8>,
}

impl Signature {
    /// Makes a signature of the entries of a basis of `basis_bytes`; their number must be right.
    pub fn new(
        spec: SignatureSpec,
        basis_bytes: u64,
        entries: Vec<u8>,
    ) -> Result<Signature, SignatureError> {
        let needed = spec.signature_bytes(basis_bytes);
        if entries.len() as u64 != needed {
            return Err(SignatureError::Length { got: entries.len() as u64, needed });
        }
        Ok(Signature { spec, basis_bytes, entries })
    }

    /// Its block and hash sizes.
    pub fn spec(&self) -> SignatureSpec {
        self.spec
    }

    /// Bytes of the basis.
    pub fn basis_bytes(&self) -> u64 {
        self.basis_bytes
    }

    /// The entries of all blocks, as on the wire.
    pub fn entries(&self) -> &[u8] {
        &self.entries
    }

    /// Number of blocks; the last one may be short.
    pub fn blocks(&self) -> usize {
        self.entries.len() / self.spec.entry_bytes()
    }

    /// Bytes of the last block, if it is shorter than the others.
    pub fn short_tail(&self) -> usize {
        (self.basis_bytes % u64::from(self.spec.block_bytes)) as usize
    }

    /// The weak checksum of a block.
    pub fn weak(&self, block: usize) -> u32 {
        let at = block * self.spec.entry_bytes();
        let mut bytes = [0; WEAK_BYTES];
        bytes.copy_from_slice(&self.entries[at..at + WEAK_BYTES]);
        u32::from_be_bytes(bytes)
    }

    /// Number of whole blocks from `block` on that have the given entries.
    pub fn equal_run(&self, block: usize, entries: &[u8]) -> usize {
        let size = self.spec.entry_bytes();
        let ours = self.entries[block * size..].chunks_exact(size);
        ours.zip(entries.chunks_exact(size)).take_while(|(a, b)| a == b).count()
    }

    /// The strong checksum of a block, truncated.
    pub fn strong(&self, block: usize) -> &[u8] {
        let at = block * self.spec.entry_bytes();
        &self.entries[at + WEAK_BYTES..at + self.spec.entry_bytes()]
    }
}

/// The power of two that is nearest to the square root, within the allowed block sizes.
fn near_root(bytes: u64) -> u64 {
    (1 << bytes.max(1).ilog2().div_ceil(2)).clamp(1024, 1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_segments_equals_signing_at_once() {
        let data: Vec<u8> =
            (0..700_001_u32).map(|i| (i.wrapping_mul(2654435761) >> 13) as u8).collect();
        let spec = SignatureSpec::new(1024, 5).unwrap();
        let mut ours = Vec::new();
        let total = sign(&data[..], spec, |entries| {
            ours.extend_from_slice(entries);
            Ok(())
        });
        assert_eq!(total.unwrap(), data.len() as u64);
        let theirs = fast_rsync::Signature::calculate(&data, spec.options());
        assert_eq!(ours, theirs.serialized()[HEADER_BYTES..]);
        assert!(Signature::new(spec, data.len() as u64, ours).is_ok());
    }

    #[test]
    fn signature_specs_outside_the_limits_are_refused() {
        for (block, strong) in
            [(0, 8), (255, 8), (1000, 8), (1 << 21, 8), (1024, 0), (1024, 17), (u64::MAX, 8)]
        {
            assert!(SignatureSpec::new(block, strong).is_err(), "{block} {strong}");
        }
    }

    #[test]
    fn a_signature_has_as_many_entries_as_its_basis_has_blocks() {
        let spec = SignatureSpec::new(1024, 2).unwrap();
        assert!(Signature::new(spec, 1025, vec![0; 12]).is_ok());
        for entries in [0, 6, 11, 13, 18] {
            assert!(Signature::new(spec, 1025, vec![0; entries]).is_err(), "{entries}");
        }
    }

    #[test]
    fn blocks_grow_with_the_basis() {
        let rows = [
            (2_000, 1024, 2),
            (1 << 20, 1024, 2),
            (4_800_000, 2048, 2),
            (1 << 23, 4096, 2),
            (1 << 24, 4096, 2),
            (1 << 30, 32_768, 3),
        ];
        for (basis, block_bytes, strong_bytes) in rows {
            let spec = SignatureSpec::for_basis(basis, basis);
            assert_eq!(spec, SignatureSpec { block_bytes, strong_bytes }, "{basis}");
        }
    }

    #[test]
    fn blocks_are_larger_where_rewriting_leaves_few_edits() {
        let blocks = |basis, size| SignatureSpec::for_rewritten(basis, size).block_bytes;
        assert_eq!(blocks(1 << 20, 1 << 20), 4096);
        assert_eq!(blocks(1 << 20, (1 << 20) + 1), 1024);
        assert_eq!(blocks(1 << 24, 1 << 20), 4096);
    }
}
