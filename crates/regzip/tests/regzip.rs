//! Rebuilding `.gz` files: round trips over real compressors, refusals, and hostile corrections.

use std::io::{self, Read, Write};

use assetsync_regzip::{GZ_BYTES, PLAIN_BYTES, RegzipError, rebuild, split};
use flate2::{Compress, Compression, FlushCompress, GzBuilder};
use proptest::prelude::*;

/// The first byte of corrections.
const VERSION: u8 = 2;

/// Pseudo-random numbers (xorshift), the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// Text like a compiled script: words from a small set, unique names, and repetitions.
fn script(size: usize, seed: u64) -> Vec<u8> {
    let words = [
        "function", "return", "const", "this.", "=>", "(", ")", "{", "}", ";", ",", "=", "null",
        "void 0",
    ];
    let mut random = Random(seed * 2 + 1);
    let mut text = Vec::new();
    while text.len() < size {
        match random.below(16) {
            0 => text.extend(format!("\"{:x}\"", random.below(1 << 40)).into_bytes()),
            1..4 => text.extend(format!("a{}", random.below(500)).into_bytes()),
            4 if text.len() > 2000 => {
                let from = random.below(text.len() - 1000);
                text.extend_from_within(from..from + random.below(1000));
            }
            _ => text.extend(words[random.below(words.len())].bytes()),
        }
    }
    text.truncate(size);
    text
}

fn noise(size: usize) -> Vec<u8> {
    let mut random = Random(99);
    (0..size).map(|_| random.below(256) as u8).collect()
}

fn zlib(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zopfli(plain: &[u8]) -> Vec<u8> {
    let mut gz = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, plain, &mut gz).unwrap();
    gz
}

fn libdeflate(plain: &[u8], level: i32) -> Vec<u8> {
    let level = libdeflater::CompressionLvl::new(level).unwrap();
    let mut compressor = libdeflater::Compressor::new(level);
    let mut gz = vec![0; compressor.gzip_compress_bound(plain.len())];
    let size = compressor.gzip_compress(plain, &mut gz).unwrap();
    gz.truncate(size);
    gz
}

/// A raw deflate stream with the simplest header and its trailer.
fn framed(stream: &[u8], plain: &[u8]) -> Vec<u8> {
    let trailer = zlib(plain, 1).split_off(zlib(plain, 1).len() - 8);
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], stream, &trailer].concat()
}

fn miniz(plain: &[u8], level: u8) -> Vec<u8> {
    framed(&miniz_oxide::deflate::compress_to_vec(plain, level), plain)
}

/// The result of rebuilding.
fn rebuilt(plain: &[u8], corrections: &[u8], gz_size: usize) -> Result<Vec<u8>, RegzipError> {
    let mut gz = Vec::new();
    let mut keep = |bytes: &[u8]| {
        gz.extend_from_slice(bytes);
        Ok(())
    };
    let sizes = (plain.len() as u64, gz_size as u64);
    let result = rebuild(&mut &*plain, sizes.0, corrections, sizes.1, &mut keep);
    assert!(gz.len() <= gz_size, "{} of {gz_size} bytes", gz.len());
    result.map(|()| gz)
}

/// Asserts that `gz` is rebuilt, and returns the size of its corrections.
#[track_caller]
fn check(gz: &[u8], plain: &[u8]) -> usize {
    let corrections = split(gz, plain).expect("it can be split");
    assert!(rebuilt(plain, &corrections, gz.len()).unwrap() == gz);
    corrections.len()
}

#[test]
fn corrections_of_zlib_are_a_few_bytes() {
    for size in [1, 2, 3, 10, 300, 70_000, 1_000_000] {
        let plain = script(size, 1);
        for level in 1..=9 {
            let corrections = check(&zlib(&plain, level), &plain);
            assert!(corrections < 60, "level {level} of {size} bytes: {corrections}");
        }
    }
}

#[test]
fn corrections_of_other_compressors_are_a_part_of_the_file() {
    let plain = script(300_000, 2);
    let share = |gz: &[u8]| 100 * check(gz, &plain) / gz.len();
    assert!(share(&zopfli(&plain)) <= 11);
    for level in 1..=12 {
        assert!(share(&libdeflate(&plain, level)) <= 25, "libdeflate {level}");
    }
    for level in 1..=9 {
        assert!(share(&miniz(&plain, level)) <= 25, "miniz {level}");
    }
}

#[test]
fn corrections_begin_with_their_version() {
    let plain = script(1000, 17);
    let gz = zlib(&plain, 6);
    let mut corrections = split(&gz, &plain).unwrap();
    assert_eq!(corrections[0], VERSION);
    corrections[0] -= 1;
    let result = rebuilt(&plain, &corrections, gz.len());
    assert!(matches!(result, Err(RegzipError::Malformed("front"))), "{result:?}");
}

#[test]
fn any_kind_of_text() {
    let zeros = vec![0; 3_000_000];
    let period: Vec<u8> = b"abcdefg".iter().copied().cycle().take(200_000).collect();
    let far = [noise(32_768), noise(32_768), script(1000, 3), noise(32_768)].concat();
    let mixed = [script(50_000, 4), noise(20_000), vec![b' '; 100_000]].concat();
    for plain in [zeros, period, far, mixed] {
        for level in [1, 6, 9] {
            check(&zlib(&plain, level), &plain);
            check(&libdeflate(&plain, level as i32), &plain);
        }
        check(&miniz(&plain, 6), &plain);
    }
}

#[test]
fn stored_and_empty() {
    for plain in [vec![], script(5, 5), script(200_000, 5)] {
        let gz = zlib(&plain, 0);
        let front = [VERSION, 0, 10, 0].len() + 10;
        let size = check(&gz, &plain);
        assert!(size < front + 40, "{size}");
        check(&zlib(&plain, 9), &plain);
    }
}

#[test]
fn flushed_streams() {
    let plain = script(100_000, 6);
    let mut compress = Compress::new(Compression::new(6), false);
    let mut stream = Vec::with_capacity(200_000);
    for (at, piece) in plain.chunks(7_001).enumerate() {
        let kinds = [FlushCompress::Sync, FlushCompress::Full, FlushCompress::Partial];
        compress.compress_vec(piece, &mut stream, kinds[at % 3]).unwrap();
    }
    compress.compress_vec(&[], &mut stream, FlushCompress::Finish).unwrap();
    check(&framed(&stream, &plain), &plain);
}

#[test]
fn headers_are_kept() {
    let plain = script(20_000, 7);
    let headers = [
        GzBuilder::new().mtime(1_700_000_000).operating_system(3).filename("application.js"),
        GzBuilder::new().comment("made by hand").filename("a").extra(vec![1; 300]),
        GzBuilder::new().extra(vec![]).operating_system(255),
    ];
    for header in headers {
        let mut encoder = header.write(Vec::new(), Compression::best());
        encoder.write_all(&plain).unwrap();
        check(&encoder.finish().unwrap(), &plain);
    }
    // A checksum of the header, which nobody writes: it is not checked, but kept.
    let mut gz = zlib(&plain, 6);
    gz[3] |= 2;
    gz.splice(10..10, [7, 7]);
    check(&gz, &plain);
}

#[test]
fn invalid_and_unsupported_gz_files_are_refused() {
    let plain = script(20_000, 8);
    let gz = zlib(&plain, 6);
    let refused = |gz: &[u8], plain: &[u8]| assert_eq!(split(gz, plain), None);
    refused(&gz, &plain[..19_999]);
    refused(&gz, &script(20_000, 9));
    refused(&gz, &[&plain[..], b"x"].concat());
    refused(&[&gz[..], &gz[..]].concat(), &[&plain[..], &plain[..]].concat());
    refused(&[&gz[..], b"\0"].concat(), &plain);
    refused(&plain, &plain);
    for cut in [0, 1, 3, 9, 10, 17, 18, 100, gz.len() - 9, gz.len() - 8, gz.len() - 1] {
        refused(&gz[..cut], &plain);
    }
    for (at, bit) in [(0, 1), (2, 1), (3, 0x20), (gz.len() - 1, 1), (gz.len() - 8, 1)] {
        let mut damaged = gz.clone();
        damaged[at] ^= bit;
        refused(&damaged, &plain);
    }
    let mut random = Random(5);
    for _ in 0..300 {
        let mut damaged = gz.clone();
        let at = 10 + random.below(gz.len() - 18);
        damaged[at] ^= 1 << random.below(8);
        // A match may be one with the same bytes elsewhere, now.
        if let Some(corrections) = split(&damaged, &plain) {
            assert!(rebuilt(&plain, &corrections, damaged.len()).unwrap() == damaged);
        }
    }
}

#[test]
fn files_with_large_corrections_are_refused() {
    let plain = b"a".repeat(10);
    let long_name = GzBuilder::new().filename("n".repeat(17_000));
    let mut encoder = long_name.write(Vec::new(), Compression::best());
    encoder.write_all(&plain).unwrap();
    assert_eq!(split(&encoder.finish().unwrap(), &plain), None);
    let plain = vec![0; PLAIN_BYTES as usize + 1];
    assert_eq!(split(&zlib(&plain, 1), &plain), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_at_any_level_is_rebuilt(
        pieces in prop::collection::vec((0..4u8, 0..20_000usize, 1..50u64), 0..6),
        level in 0..10u32,
    ) {
        let mut plain = Vec::new();
        for (kind, size, seed) in pieces {
            match kind {
                0 => plain.extend(script(size, seed)),
                1 => plain.extend(noise(size)),
                2 => plain.extend(vec![seed as u8; size * 10]),
                _ => plain.extend_from_within(..size.min(plain.len())),
            }
        }
        check(&zlib(&plain, level), &plain);
        let level = level.clamp(1, 9);
        if let Some(corrections) = split(&miniz(&plain, level as u8), &plain) {
            prop_assert!(rebuilt(&plain, &corrections, miniz(&plain, level as u8).len()).is_ok());
        }
    }

    #[test]
    fn any_corrections(corrections in prop::collection::vec(any::<u8>(), 0..200), preset in 0..24u8) {
        let plain = script(3000, 10);
        let _ = rebuilt(&plain, &corrections, 2000);
        let front = [&[VERSION, preset, 0, 0], &corrections[..]].concat();
        let _ = rebuilt(&plain, &front, 2000);
    }
}

/// Samples of every kind of corrections: the plain text, the corrections, and the size of
/// the `.gz`.
fn samples() -> Vec<(Vec<u8>, Vec<u8>, usize)> {
    let plain = [script(4000, 11), noise(500), vec![7; 3000]].concat();
    let files = [
        zlib(&plain, 1),
        zlib(&plain, 9),
        zopfli(&plain),
        libdeflate(&plain, 12),
        miniz(&plain, 6),
        zlib(&plain, 0),
    ];
    let split = |gz: &Vec<u8>| (plain.clone(), split(gz, &plain).unwrap(), gz.len());
    files.iter().map(split).collect()
}

#[test]
fn damaged_corrections_end_without_a_panic() {
    let mut random = Random(12);
    for (plain, corrections, size) in samples() {
        for round in 0..2000 {
            let mut damaged = corrections.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(damaged.len());
                damaged[at] ^= 1 << random.below(8);
            }
            if round % 4 == 0 {
                damaged.truncate(random.below(damaged.len()));
            }
            let _ = rebuilt(&plain, &damaged, size);
        }
        for cut in 0..corrections.len().min(300) {
            let _ = rebuilt(&plain, &corrections[..cut], size);
        }
    }
}

#[test]
fn noise_after_the_header_ends_without_a_panic() {
    let mut random = Random(13);
    let plain = [script(4000, 14), vec![7; 3000]].concat();
    for round in 0..6000 {
        let mut corrections = vec![VERSION, (round % 21) as u8, 0, 0];
        let bias = [0, 0xff, 0x55, 0][round % 4];
        let size = random.below(400);
        corrections.extend((0..size).map(|_| match random.below(4) {
            0 => bias,
            _ => random.below(256) as u8,
        }));
        let _ = rebuilt(&plain, &corrections, 5000);
    }
}

#[test]
fn another_plain_text_ends_without_a_panic() {
    let mut random = Random(15);
    for (plain, corrections, size) in samples() {
        for _ in 0..500 {
            let mut other = plain.clone();
            let at = random.below(other.len());
            match random.below(3) {
                0 => other[at] ^= 1,
                1 => other.truncate(at),
                _ => drop(other.splice(at..at, [1, 2, 3])),
            }
            let _ = rebuilt(&other, &corrections, size);
        }
    }
}

#[test]
fn sizes_are_kept() {
    let (plain, corrections, size) = samples().remove(1);
    for wrong in [0, 1, 17, size - 1, size + 1, size * 2] {
        let result = rebuilt(&plain, &corrections, wrong);
        assert!(matches!(result, Err(RegzipError::WrongSize)), "{wrong}: {result:?}");
    }
    let rebuild_as = |plain_size, gz_size| {
        rebuild(&mut &plain[..], plain_size, &corrections, gz_size, &mut |_| Ok(()))
    };
    assert!(matches!(rebuild_as(1 << 50, 100), Err(RegzipError::WrongSize)));
    assert!(matches!(rebuild_as(100, GZ_BYTES + 1), Err(RegzipError::WrongSize)));
    let short = rebuild_as(plain.len() as u64 + 1, size as u64);
    assert!(matches!(short, Err(RegzipError::Plain(_))), "{short:?}");
}

#[test]
fn endless_corrections_end() {
    // A stream of zeros or ones decodes to blocks as well; empty ones must not go on forever.
    for byte in [0, 0xff, 0xaa] {
        for preset in 0..21 {
            let corrections = [&[VERSION, preset, 0, 0], &vec![byte; 100_000][..]].concat();
            let _ = rebuild(&mut &b""[..], 0, &corrections, GZ_BYTES, &mut |_| Ok(()));
            let _ = rebuild(&mut &[5; 70_000][..], 70_000, &corrections, GZ_BYTES, &mut |_| Ok(()));
        }
    }
}

/// Returns its bytes in small and uneven pieces.
struct Dribble<'a>(&'a [u8], Random);

impl Read for Dribble<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(1 + self.1.below(5000));
        self.0.read(&mut into[..most])
    }
}

#[test]
fn plain_text_may_come_in_pieces_and_fail() {
    let plain = script(400_000, 16);
    let gz = zlib(&plain, 9);
    let corrections = split(&gz, &plain).unwrap();
    let mut whole = Vec::new();
    let mut keep = |bytes: &[u8]| {
        assert!(bytes.len() <= 16 * 1024);
        whole.extend_from_slice(bytes);
        Ok(())
    };
    let mut dribble = Dribble(&plain, Random(3));
    rebuild(&mut dribble, plain.len() as u64, &corrections, gz.len() as u64, &mut keep).unwrap();
    assert!(whole == gz);
    let full = &mut |_: &[u8]| Err(io::ErrorKind::StorageFull.into());
    let result = rebuild(&mut &plain[..], plain.len() as u64, &corrections, gz.len() as u64, full);
    assert!(matches!(result, Err(RegzipError::Output(_))));
}
