//! Compresses the agent when it is built, so that no push has to.

use std::error::Error;
use std::io::{self, Read, Write};

use liblzma::read::XzDecoder;
use liblzma::stream::{Check, Filters, LzmaOptions, PRESET_EXTREME, Stream};
use liblzma::write::XzEncoder;

/// As well as xz's format allows. The dictionary is no larger than it has to be: a small server
/// needs that much memory to unpack it.
pub fn xz(plain: &[u8], arch: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut options = LzmaOptions::new_preset(9 | PRESET_EXTREME)?;
    options.dict_size(u32::try_from(plain.len().next_power_of_two())?);
    let mut filters = Filters::new();
    match arch {
        // Instructions start at any byte, and jumps to the same place become equal once their
        // operands are absolute.
        "x86_64" => {
            options.literal_context_bits(4).position_bits(0);
            filters.x86();
        }
        // Instructions are words of four bytes. The filter for them is too new for many servers.
        _ => {
            options.literal_context_bits(2).literal_position_bits(2).position_bits(2);
        }
    }
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
}

/// What an agent compressed by xz was.
pub fn unpacked(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    XzDecoder::new(packed).read_to_end(&mut plain)?;
    Ok(plain)
}
