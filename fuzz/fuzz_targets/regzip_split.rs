//! A .gz of any text: what is taken apart is put together again.

#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], u8)| {
    let (plain, level) = input;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(u32::from(level % 10)));
    encoder.write_all(plain).unwrap();
    let gz = encoder.finish().unwrap();
    let Some(corrections) = assetsync_regzip::split(&gz, plain) else { return };
    let (bytes, gz_bytes) = (plain.len() as u64, gz.len() as u64);
    let mut rebuilt = Vec::new();
    let mut output = |piece: &[u8]| {
        rebuilt.extend_from_slice(piece);
        Ok(())
    };
    assetsync_regzip::rebuild(&mut &plain[..], bytes, &corrections, gz_bytes, &mut output).unwrap();
    assert!(rebuilt == gz);
});
