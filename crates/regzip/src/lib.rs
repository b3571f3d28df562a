//! Rebuilds a `.gz` from the plain file beside it and small corrections, bit for bit.
//!
//! When one byte of a file changes, nearly all of its `.gz` changes, though the destination has the
//! plain text. So the sender splits the `.gz` ([`split`]): a model of the compressor predicts each
//! token, block and Huffman code from the plain text, and only corrections of wrong predictions are
//! sent. The agent runs the same model over its own plain text, and rebuilds the file from
//! corrected predictions ([`rebuild`]). The idea is preflate's (Dirk Steinke, 2018); this is a
//! smaller design for an agent with little memory that trusts no input.
//!
//! ```text
//! model      the walk over blocks, used by both sides
//!  ├ predictor   the next token              ── window    the text and earlier occurrences
//!  │                                          └ preset    how zlib, Node and others search
//!  ├ header      the Huffman codes            ── huffman   as zlib makes them
//!  └ coder       corrections as arithmetic code
//! inflate, split    the sender's half        writer, gzip   bits, header and trailer
//! ```
//!
//! Corrections of files written by zlib (Ruby, Python, gzip, nginx) or Node are a few bytes,
//! whatever their size; of zopfli's, about 9 % of the `.gz`. The agent needs 1 to 2 MiB of memory
//! for this, 4 at most, at any size, and about as long as `gzip -9`.
//!
//! **Format.** Corrections are a version (1 byte), a preset (1), the length of the gzip header (2,
//! little endian), that header, and arithmetic code without its trailing zeros. Checksum and size
//! in the trailer follow from the plain text.

mod coder;
mod crc;
#[cfg(feature = "split")]
mod gzip;
mod header;
mod huffman;
#[cfg(feature = "split")]
mod inflate;
mod limits;
mod model;
mod predictor;
mod preset;
#[cfg(feature = "split")]
mod split;
mod token;
mod window;
mod writer;

use std::io::{self, Read};

use coder::{Coder, Decoder};
use huffman::Code;
pub use limits::{CORRECTION_BYTES, GZ_BYTES, PLAIN_BYTES, TOKENS_PER_BLOCK};
use model::{Block, Content, Model};
use predictor::Predictor;
use preset::{PRESETS, Preset};
#[cfg(feature = "split")]
pub use split::split;
use window::Window;
use writer::{Output, Writer};

/// The version of the format of corrections.
const VERSION: u8 = 2;

/// Why a file can't be rebuilt. All but the last two are the sender's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegzipError {
    /// [`split`] makes no such corrections for this plain text.
    #[error("Malformed corrections of a .gz: {0}")]
    Malformed(&'static str),
    /// The file has another size than declared, or exceeds the limit.
    #[error("Corrections of a .gz that has another size")]
    WrongSize,
    /// They need more searching than allowed.
    #[error("Corrections of a .gz that take too long")]
    TooMuchWork,
    /// The plain text can't be read, or is shorter than declared.
    #[error("Can't read what a .gz is rebuilt from")]
    Plain(#[source] io::Error),
    /// The result can't be written.
    #[error("Can't write a rebuilt .gz")]
    Output(#[source] io::Error),
}

/// Rebuilds the `.gz` of `gz_size` bytes that `corrections` describe from `plain_size` bytes of
/// `plain`, and writes it to `output` in pieces of at most 16 KiB.
///
/// `output` gets at most `gz_size` bytes, and exactly that many on success. The caller has to check
/// the digest: with other plain text than [`split`] had, the result is another file or an error.
///
/// # Security
/// `corrections` are not trusted. Whatever they are, this ends without a panic, after at most
/// [`PLAIN_BYTES`] of plain text, [`GZ_BYTES`] of output, about a second for each MB of plain text,
/// and with 4 MiB of memory.
pub fn rebuild(
    plain: &mut dyn Read,
    plain_size: u64,
    corrections: &[u8],
    gz_size: u64,
    output: &mut Output<'_>,
) -> Result<(), RegzipError> {
    if plain_size > PLAIN_BYTES || gz_size > GZ_BYTES {
        return Err(RegzipError::WrongSize);
    }
    let front = Front::read(corrections).ok_or(RegzipError::Malformed("front"))?;
    let preset = PRESETS.get(front.preset).ok_or(RegzipError::Malformed("preset"))?;
    let frame = Frame { preset, header: front.header, plain_size, gz_size };
    write_gz(&frame, plain, &mut Decoder::new(front.coded), None, output)
}

/// The properties of a `.gz` outside its deflate stream.
struct Frame<'a> {
    preset: &'a Preset,
    header: &'a [u8],
    plain_size: u64,
    gz_size: u64,
}

/// Writes the `.gz` while its corrections are coded. The sender passes the `actual` blocks, whose
/// last one is marked, and encodes; the agent decodes. Both get the same bytes, so the sender can
/// check the agent's result.
fn write_gz<C: Coder>(
    frame: &Frame<'_>,
    plain: &mut dyn Read,
    coder: &mut C,
    actual: Option<&[Block]>,
    output: &mut Output<'_>,
) -> Result<(), RegzipError> {
    let window = Window::new(plain, frame.plain_size, frame.preset).map_err(RegzipError::Plain)?;
    let mut predictor = Predictor::new(window, *frame.preset);
    let mut writer = Writer::new(output, frame.gz_size);
    writer.bytes(frame.header)?;
    write_stream(&mut writer, &mut predictor, coder, actual)?;
    writer.bytes(&trailer(predictor.window().crc(), frame.plain_size))?;
    writer.finish()
}

/// All blocks, up to the end of the plain text.
fn write_stream<C: Coder>(
    writer: &mut Writer<'_>,
    predictor: &mut Predictor<'_>,
    coder: &mut C,
    actual: Option<&[Block]>,
) -> Result<(), RegzipError> {
    let mut model = Model::new();
    let mut actual = actual.into_iter().flatten();
    loop {
        let block = model.block(coder, predictor, actual.next())?;
        write_block(writer, &block)?;
        if block.is_last {
            break;
        }
    }
    if predictor.window().remaining() > 0 {
        return Err(RegzipError::Malformed("end of the stream"));
    }
    writer.align()
}

fn write_block(writer: &mut Writer<'_>, block: &Block) -> Result<(), RegzipError> {
    writer.bits(block.is_last.into(), 1)?;
    let (tokens, header) = match &block.content {
        Content::Stored(bytes) => return writer.stored(bytes),
        Content::Tokens { tokens, header } => (tokens, header),
    };
    let codes = match header {
        None => {
            writer.bits(1, 2)?;
            Code::fixed_literals().zip(Code::fixed_distances())
        }
        Some(header) => {
            writer.bits(2, 2)?;
            header.write(writer)?;
            header.codes()
        }
    };
    let (literals, distances) = codes.ok_or(RegzipError::Malformed("code"))?;
    writer.tokens(tokens, &literals, &distances)
}

/// The end of a gzip file: checksum and size of the plain text (RFC 1952).
fn trailer(crc: u32, plain_size: u64) -> [u8; 8] {
    (u64::from(plain_size as u32) << 32 | u64::from(crc)).to_le_bytes()
}

/// The start of corrections: version, preset, length of the gzip header in two bytes, gzip header.
struct Front<'a> {
    preset: usize,
    header: &'a [u8],
    coded: &'a [u8],
}

impl<'a> Front<'a> {
    fn read(corrections: &'a [u8]) -> Option<Front<'a>> {
        let (&[version, preset, low, high], rest) = corrections.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes([low, high]));
        let (header, coded) = rest.split_at_checked(length)?;
        (version == VERSION).then_some(Front { preset: preset.into(), header, coded })
    }
}
