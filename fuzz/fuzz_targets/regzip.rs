//! Corrections of a .gz: an error, or a file of the declared size.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &[u8], u16)| {
    let (plain, corrections, gz_bytes) = input;
    let (gz_bytes, mut written) = (u64::from(gz_bytes), 0);
    let rebuilt = assetsync_regzip::rebuild(
        &mut &plain[..],
        plain.len() as u64,
        corrections,
        gz_bytes,
        &mut |piece| {
            written += piece.len() as u64;
            Ok(())
        },
    );
    assert!(written <= gz_bytes && (rebuilt.is_err() || written == gz_bytes));
});
