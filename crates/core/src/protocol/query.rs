//! Queries about existing files, on the wire.

use super::codec::{DecodeError, Fields, put_number};
use super::codec_context::CodecContext;
use crate::delta::SignatureSpec;
use crate::digest::ShortDigest;
use crate::index::EntryIndex;

/// A question about the file with index `known` in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Index in the state.
    pub known: EntryIndex,
    /// The expected digest; if the file has it, the answer is [`Compared`](super::ToSender). For a
    /// rewritten file only the first eight bytes are sent, the others are zero.
    pub expected: Option<ShortDigest>,
    /// The signature to answer with if the digest differs.
    pub signature: Option<SignatureSpec>,
    /// Whether the content is rewritten first.
    pub rewritten: bool,
}

const EXPECTED: u8 = 1;
const SIGNATURE: u8 = 2;
const REWRITTEN: u8 = 4;

/// Appends a query.
pub(super) fn put_query(out: &mut Vec<u8>, query: &Query, codec_context: &mut CodecContext) {
    let expected = if query.expected.is_some() { EXPECTED } else { 0 };
    let signature = if query.signature.is_some() { SIGNATURE } else { 0 };
    let rewritten = if query.rewritten { REWRITTEN } else { 0 };
    out.push(expected | signature | rewritten);
    codec_context.put_known(out, query.known);
    if let Some(digest) = query.expected {
        out.extend_from_slice(&digest.0[..expected_bytes(query.rewritten)]);
    }
    if let Some(spec) = query.signature {
        put_number(out, u64::from(spec.block_bytes.ilog2()));
        out.push(spec.strong_bytes);
    }
}

/// Reads a query.
pub(super) fn decode_query(
    fields: &mut Fields<'_>,
    codec_context: &mut CodecContext,
) -> Result<Query, DecodeError> {
    let flags = fields.byte()?;
    if flags & !(EXPECTED | SIGNATURE | REWRITTEN) != 0 {
        return Err(DecodeError::Unknown { what: "query flags", value: u64::from(flags) });
    }
    let (known, kept) = codec_context.peek_known(fields)?;
    let rewritten = flags & REWRITTEN != 0;
    let expected = match flags & EXPECTED {
        0 => None,
        _ => Some(decode_expected(rewritten, fields)?),
    };
    let signature = match flags & SIGNATURE {
        0 => None,
        _ => Some(decode_spec(fields)?),
    };
    *codec_context = kept;
    Ok(Query { known, expected, signature, rewritten })
}

/// Eight bytes are enough for a rewritten file: its whole digest is checked before it is published.
fn expected_bytes(rewritten: bool) -> usize {
    if rewritten { 8 } else { 16 }
}

fn decode_expected(rewritten: bool, fields: &mut Fields<'_>) -> Result<ShortDigest, DecodeError> {
    let mut digest = ShortDigest([0; 16]);
    let bytes = expected_bytes(rewritten);
    digest.0[..bytes].copy_from_slice(fields.take(bytes)?);
    Ok(digest)
}

fn decode_spec(fields: &mut Fields<'_>) -> Result<SignatureSpec, DecodeError> {
    let log = fields.bounded("block size (log2)", 31)?;
    Ok(SignatureSpec::new(1 << log, u64::from(fields.byte()?))?)
}
