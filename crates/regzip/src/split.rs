//! The sender's half: splits a `.gz` into plain text and corrections.

use std::cmp::Reverse;
use std::io;

use super::coder::Encoder;
use super::gzip;
use super::header::Header;
use super::huffman::Frequencies;
use super::inflate::Blocks;
use super::limits::{CORRECTION_BYTES, CORRECTION_SHARE, GZ_BYTES, HEADER_BYTES, PLAIN_BYTES};
use super::model::{Block, Content, Model};
use super::predictor::Predictor;
use super::preset::{PRESETS, Preset};
use super::token::Token;
use super::window::Window;
use super::{Frame, VERSION, write_gz};

/// Bytes of plain text on which zlib's presets are compared: all of them on the first amount, the
/// best ones on the next.
const SAMPLES: [usize; 2] = [4 * 1024, 64 * 1024];

/// Presets with this many more bytes of corrections than the best are compared again.
const NEAR_BEST: usize = 8;

/// Presets for files that zlib has not written. None of them imitates the compressor exactly, so
/// they differ little.
const OTHERS: [usize; 3] = [0, 2, 12];

/// Plain text on which these are compared, in bytes.
const OTHERS_SAMPLE: usize = 8 * 1024;

/// Another preset than the first, whose many contexts learn more slowly, must save at least one
/// byte in this many.
const OTHERNESS: usize = 4;

/// A slow search is used if it saves at least one byte in this many.
const SLOWNESS: usize = 16;

/// The corrections with which [`super::rebuild`] makes `gz` from `plain`; the result was compared
/// with `gz`.
///
/// `None` if there are none, or they are not worth it: `gz` is not exactly one gzip member, its
/// content is not `plain`, it exceeds the limits, it was written in a way that this code does not
/// support (padding that is not zero, blocks of more than [`super::TOKENS_PER_BLOCK`] tokens), or
/// the corrections would be more than half of `gz`. It takes a little longer than rebuilding, and
/// more if zlib's level has to be determined.
pub fn split(gz: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    if gz.len() as u64 > GZ_BYTES || plain.len() as u64 > PLAIN_BYTES {
        return None;
    }
    let header = gzip::header_length(gz)?;
    let stream = gz.get(header..gz.len().checked_sub(gzip::TRAILER)?)?;
    if header > HEADER_BYTES {
        return None;
    }
    let blocks = blocks(stream, plain)?;
    let preset = best_preset(&blocks, plain)?;
    let coded = encode(&blocks, plain, &PRESETS[preset], (gz, header))?;
    let mut corrections = vec![VERSION, preset as u8];
    corrections.extend_from_slice(&(header as u16).to_le_bytes());
    corrections.extend_from_slice(&gz[..header]);
    corrections.extend_from_slice(&coded);
    (corrections.len() <= CORRECTION_BYTES).then_some(corrections)
}

/// All blocks of `stream`, whose plain text is as long as `plain`.
fn blocks(stream: &[u8], plain: &[u8]) -> Option<Vec<Block>> {
    let mut reader = Blocks::new(stream);
    let mut blocks = Vec::new();
    let mut length = 0;
    while let Some(block) = reader.next() {
        length += block.plain_length();
        if length > plain.len() {
            return None;
        }
        blocks.push(block);
    }
    (reader.is_at_end() && length == plain.len()).then_some(blocks)
}

/// The preset with the smallest corrections of the first blocks.
fn best_preset(blocks: &[Block], plain: &[u8]) -> Option<usize> {
    if has_zlib_codes(blocks) { best_of_zlib(blocks, plain) } else { best_of_others(blocks, plain) }
}

/// Whether the first block with dynamic Huffman codes has the ones that zlib makes. Other
/// compressors hardly ever make the same ones.
fn has_zlib_codes(blocks: &[Block]) -> bool {
    let with_codes = blocks.iter().find_map(|block| match &block.content {
        Content::Tokens { tokens, header: Some(header) } => Some((tokens, header)),
        _ => None,
    });
    with_codes.is_none_or(|(tokens, header)| {
        let mut frequencies = Frequencies::new();
        tokens.iter().for_each(|&token| frequencies.count(token));
        Header::zlib(&frequencies) == *header
    })
}

fn best_of_zlib(blocks: &[Block], plain: &[u8]) -> Option<usize> {
    // The high levels first: they are the most common, and if one of them is right, the others fail
    // early.
    let mut left: Vec<usize> = (0..PRESETS.len()).rev().collect();
    for size in SAMPLES {
        if left.len() == 1 {
            break;
        }
        let (sample, length) = sample(blocks, size);
        let plain = plain.get(..length)?;
        let mut most = usize::MAX;
        let mut sizes = Vec::new();
        for preset in left {
            let Some(size) = cost(&sample, plain, &PRESETS[preset], most) else { continue };
            most = most.min(size + size / SLOWNESS + NEAR_BEST);
            sizes.push((size, preset));
        }
        sizes.retain(|&(size, _)| size <= most);
        // A slow search must be worth it. Of equal ones the last is the highest level, which
        // searches most.
        sizes.sort_by_key(|&(size, preset)| {
            let slowness = if PRESETS[preset].is_slow() { size / SLOWNESS } else { 0 };
            (size + slowness, Reverse(preset))
        });
        left = sizes.into_iter().map(|(_, preset)| preset).collect();
    }
    left.first().copied()
}

fn best_of_others(blocks: &[Block], plain: &[u8]) -> Option<usize> {
    let (sample, length) = sample(blocks, OTHERS_SAMPLE);
    let plain = plain.get(..length)?;
    let [mut best, rest @ ..] = OTHERS;
    let first = cost(&sample, plain, &PRESETS[best], usize::MAX)?;
    let mut most = first - first / OTHERNESS;
    for preset in rest {
        if let Some(size) = cost(&sample, plain, &PRESETS[preset], most) {
            (best, most) = (preset, size);
        }
    }
    Some(best)
}

/// The tokens of at least the first `size` bytes of plain text, or all tokens, and their number of
/// bytes.
fn sample(blocks: &[Block], size: usize) -> (Vec<Block>, usize) {
    let (mut sample, mut length) = (Vec::new(), 0);
    for block in blocks {
        let Content::Tokens { tokens, .. } = &block.content else { break };
        if length >= size {
            break;
        }
        let wanted = tokens.iter().take_while(|token| {
            let is_wanted = length < size;
            length += if is_wanted { token.length() } else { 0 };
            is_wanted
        });
        let tokens: Vec<Token> = wanted.copied().collect();
        sample.push(Block { is_last: false, content: Content::Tokens { tokens, header: None } });
    }
    (sample, length)
}

/// Bytes of corrections that the blocks of a sample need, if at most `most`.
fn cost(sample: &[Block], plain: &[u8], preset: &Preset, most: usize) -> Option<usize> {
    let mut source = plain;
    let window = Window::new(&mut source, plain.len() as u64, preset).ok()?;
    let mut predictor = Predictor::new(window, *preset);
    let (mut encoder, mut model) = (Encoder::new(most), Model::new());
    for block in sample {
        model.block(&mut encoder, &mut predictor, Some(block)).ok()?;
    }
    Some(encoder.finish()?.len())
}

/// The corrections of `blocks`, which are all of `gz` after its header; `None` if they are too
/// large, or if the agent would not make `gz` from them.
fn encode(
    blocks: &[Block],
    plain: &[u8],
    preset: &Preset,
    (gz, header): (&[u8], usize),
) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(gz.len() / CORRECTION_SHARE);
    let (plain_size, gz_size) = (plain.len() as u64, gz.len() as u64);
    let frame = Frame { preset, header: &gz[..header], plain_size, gz_size };
    let mut left = gz;
    let mut compare = |bytes: &[u8]| match left.strip_prefix(bytes) {
        Some(rest) => {
            left = rest;
            Ok(())
        }
        None => Err(io::ErrorKind::InvalidData.into()),
    };
    write_gz(&frame, &mut &*plain, &mut encoder, Some(blocks), &mut compare).ok()?;
    encoder.finish()
}
