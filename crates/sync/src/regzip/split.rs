//! The sender's half: takes a `.gz` apart and finds the corrections.

use std::cmp::Reverse;

use super::coder::Encoder;
use super::gzip;
use super::inflate::Blocks;
use super::limits::{CORRECTION_BYTES, CORRECTION_SHARE, GZ_BYTES, HEADER_BYTES, PLAIN_BYTES};
use super::model::{Block, Content, Model};
use super::predictor::Predictor;
use super::preset::{PRESETS, Preset};
use super::token::Token;
use super::window::Window;
use super::{VERSION, rebuild};

/// Plain text on which presets are compared: all of them on a little, the best of these on more, in bytes.
const SAMPLES: [usize; 2] = [4 * 1024, 64 * 1024];

/// So many bytes of corrections more than the best still come into the next comparison.
const NEAR_BEST: usize = 8;

/// A slow search is used if it saves one byte of so many.
const SLOWNESS: usize = 16;

/// The corrections with which [`rebuild`] makes `gz` from `plain`; it has been tried.
///
/// None if they can't, or are not worth it: `gz` is not one gzip member and nothing else, its content is not
/// `plain`, it is larger than the limits, has been written in a way this code does not know (padding that is
/// not zero, blocks of more than [`super::TOKENS_PER_BLOCK`] tokens), or the corrections would be more than
/// half of `gz`. It takes about four times as long as rebuilding.
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
    let coded = encode(&blocks, plain, &PRESETS[preset], gz.len() / CORRECTION_SHARE)?;
    drop(blocks);
    let mut corrections = vec![VERSION, preset as u8];
    corrections.extend_from_slice(&(header as u16).to_le_bytes());
    corrections.extend_from_slice(&gz[..header]);
    corrections.extend_from_slice(&coded);
    let is_allowed = corrections.len() <= CORRECTION_BYTES;
    (is_allowed && is_rebuilt(gz, plain, &corrections)).then_some(corrections)
}

/// All blocks of `stream`, whose plain text has the length of `plain`.
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

/// The preset with the smallest corrections, judged by the first blocks.
fn best_preset(blocks: &[Block], plain: &[u8]) -> Option<usize> {
    let mut left: Vec<usize> = (0..PRESETS.len()).collect();
    for size in SAMPLES {
        if left.len() == 1 {
            break;
        }
        let (sample, length) = sample(blocks, size);
        let plain = plain.get(..length)?;
        let mut most = usize::MAX;
        let mut sizes = Vec::new();
        for preset in left {
            let coded = encode(&sample, plain, &PRESETS[preset], most);
            let Some(size) = coded.map(|coded| coded.len()) else { continue };
            most = most.min(size + size / SLOWNESS + NEAR_BEST);
            sizes.push((size, preset));
        }
        sizes.retain(|&(size, _)| size <= most);
        // A slow search must be worth it. Of equal ones the last is the highest level: it has looked farthest.
        sizes.sort_by_key(|&(size, preset)| {
            let slowness = if PRESETS[preset].is_slow() { size / SLOWNESS } else { 0 };
            (size + slowness, Reverse(preset))
        });
        left = sizes.into_iter().map(|(_, preset)| preset).collect();
    }
    left.first().copied()
}

/// The tokens of the first `size` bytes of plain text, a few more or all there are, and how many bytes they are.
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

/// The corrections of `blocks`, if they are at most `most` bytes.
fn encode(blocks: &[Block], plain: &[u8], preset: &Preset, most: usize) -> Option<Vec<u8>> {
    let mut source = plain;
    let window = Window::new(&mut source, plain.len() as u64, preset).ok()?;
    let mut predictor = Predictor::new(window, *preset);
    let (mut encoder, mut model) = (Encoder::new(most), Model::new());
    for block in blocks {
        model.block(&mut encoder, &mut predictor, Some(block)).ok()?;
    }
    encoder.finish()
}

/// Whether rebuilding gives `gz`.
fn is_rebuilt(gz: &[u8], plain: &[u8], corrections: &[u8]) -> bool {
    let mut left = gz;
    let mut is_equal = true;
    let mut compare = |bytes: &[u8]| {
        let (front, rest) = left.split_at(bytes.len().min(left.len()));
        is_equal &= front == bytes;
        left = rest;
        Ok(())
    };
    let sizes = (plain.len() as u64, gz.len() as u64);
    rebuild(&mut &*plain, sizes.0, corrections, sizes.1, &mut compare).is_ok() && is_equal
}
