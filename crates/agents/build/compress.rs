//! Compresses the agent when it is built, so that no push has to.

use std::error::Error;
use std::io::Write;

use libdeflater::{CompressionLvl, Compressor};
use liblzma::stream::{Check, Filters, LzmaOptions, PRESET_EXTREME, Stream};
use liblzma::write::XzEncoder;

/// As well as gzip's format allows.
pub fn gzip(plain: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compressor = Compressor::new(CompressionLvl::best());
    let mut room = vec![0; compressor.gzip_compress_bound(plain.len())];
    let length = compressor.gzip_compress(plain, &mut room)?;
    room.truncate(length);
    Ok(room)
}

/// As well as xz's format allows. The dictionary is no larger than it has to be: a small server
/// needs that much memory to unpack it.
pub fn xz(plain: &[u8], arch: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut options = LzmaOptions::new_preset(9 | PRESET_EXTREME)?;
    options.dict_size(u32::try_from(plain.len().next_power_of_two())?);
    let mut filters = Filters::new();
    if arch == "x86_64" {
        // Instructions start at any byte, and jumps to the same place become equal once their
        // operands are absolute.
        options.literal_context_bits(4).position_bits(0);
        filters.x86();
    }
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
}
