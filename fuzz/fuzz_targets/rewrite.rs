//! Rewriting in one go and in pieces gives the same.

#![no_main]

use assetsync_rewrite::Rewriter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<(&[u8], &[u8])>, &[u8], u8)| {
    let (pairs, content, piece) = input;
    let Ok(rewriter) = Rewriter::new(pairs) else { return };
    let (mut rewriting, mut out) = (rewriter.start(), Vec::new());
    for piece in content.chunks(usize::from(piece) + 1) {
        rewriting.feed(piece, &mut out);
    }
    rewriting.finish(&mut out);
    assert!(out == rewriter.rewrite(content));
});
