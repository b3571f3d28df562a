//! Recipes, bases and prefix parts on the wire.

use super::codec::{DecodeError, Fields, put_number};
use super::message::decode_index;
use crate::limits;
use crate::plan::PrefixPart;
use crate::recipe::{Basis, Recipe, Reference};

const TOUCH: u8 = 1;
const COPY: u8 = 2;
const DELTA: u8 = 3;
const WHOLE: u8 = 4;
const REWRITE: u8 = 5;
const PATCH: u8 = 6;
const REGZIP: u8 = 7;
/// Added to a recipe whose reference is rewritten.
const REWRITTEN: u8 = 8;

/// Appends a recipe.
pub(super) fn put_recipe(out: &mut Vec<u8>, recipe: Recipe) {
    match recipe {
        // A file that is up to date is not in a plan; touching it would have the same effect.
        Recipe::Keep | Recipe::Touch => out.push(TOUCH),
        Recipe::Copy { from } => {
            out.push(COPY);
            put_basis(out, from);
        }
        Recipe::Rewrite { basis } => {
            out.push(REWRITE);
            put_basis(out, basis);
        }
        Recipe::Patch { reference } => put_reference(out, PATCH, reference),
        Recipe::Delta { reference, block_bytes } => {
            put_reference(out, DELTA, reference);
            put_number(out, u64::from(block_bytes));
        }
        Recipe::Regzip { plain } => {
            out.push(REGZIP);
            put_basis(out, plain);
        }
        Recipe::Whole => out.push(WHOLE),
    }
}

/// Reads a recipe.
pub(super) fn decode_recipe(fields: &mut Fields<'_>) -> Result<Recipe, DecodeError> {
    const REWRITTEN_PATCH: u8 = PATCH | REWRITTEN;
    const REWRITTEN_DELTA: u8 = DELTA | REWRITTEN;
    let tag = fields.byte()?;
    let rewritten = tag & REWRITTEN != 0;
    Ok(match tag {
        TOUCH => Recipe::Touch,
        COPY => Recipe::Copy { from: decode_basis(fields)? },
        REWRITE => Recipe::Rewrite { basis: decode_basis(fields)? },
        PATCH | REWRITTEN_PATCH => {
            Recipe::Patch { reference: Reference { basis: decode_basis(fields)?, rewritten } }
        }
        DELTA | REWRITTEN_DELTA => {
            let reference = Reference { basis: decode_basis(fields)?, rewritten };
            let most = u64::from(*limits::BLOCK_BYTES.end());
            Recipe::Delta { reference, block_bytes: fields.bounded("block size", most)? as u32 }
        }
        REGZIP => Recipe::Regzip { plain: decode_basis(fields)? },
        WHOLE => Recipe::Whole,
        other => return Err(DecodeError::Unknown { what: "recipe", value: u64::from(other) }),
    })
}

fn put_reference(out: &mut Vec<u8>, tag: u8, reference: Reference) {
    out.push(tag | if reference.rewritten { REWRITTEN } else { 0 });
    put_basis(out, reference.basis);
}

/// Appends a part of a prefix.
pub(super) fn put_prefix_part(out: &mut Vec<u8>, part: &PrefixPart) {
    let rewritten = if part.reference.rewritten { REWRITTEN } else { 0 };
    out.push(rewritten);
    put_basis(out, part.reference.basis);
    put_number(out, part.offset);
    put_number(out, part.length);
}

/// Reads a part of a prefix.
pub(super) fn decode_prefix_part(fields: &mut Fields<'_>) -> Result<PrefixPart, DecodeError> {
    let rewritten = match fields.byte()? {
        0 => false,
        REWRITTEN => true,
        other => return Err(DecodeError::Unknown { what: "reference", value: u64::from(other) }),
    };
    let reference = Reference { basis: decode_basis(fields)?, rewritten };
    let offset = fields.bounded("part offset", limits::FILE_BYTES)?;
    let length = fields.bounded("part length", limits::PREFIX_BYTES as u64)?;
    Ok(PrefixPart { reference, offset, length })
}

fn put_basis(out: &mut Vec<u8>, basis: Basis) {
    let (tag, position) = match basis {
        Basis::Existing(entry) => (0, entry.number()),
        Basis::Partial(partial) => (1, partial.number()),
        Basis::Planned(action) => (2, action.number()),
        Basis::Retained(content) => (3, content.number()),
    };
    out.push(tag);
    put_number(out, u64::from(position));
}

fn decode_basis(fields: &mut Fields<'_>) -> Result<Basis, DecodeError> {
    match fields.byte()? {
        0 => Ok(Basis::Existing(decode_index(fields)?)),
        1 => Ok(Basis::Partial(decode_index(fields)?)),
        2 => Ok(Basis::Planned(decode_index(fields)?)),
        3 => Ok(Basis::Retained(decode_index(fields)?)),
        other => Err(DecodeError::Unknown { what: "basis", value: u64::from(other) }),
    }
}
