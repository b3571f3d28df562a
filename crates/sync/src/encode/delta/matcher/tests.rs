use assetsync_core::delta::{SignatureSpec, sign};
use proptest::prelude::*;

use super::*;

fn signed(basis: &[u8], spec: SignatureSpec) -> Signature {
    let mut entries = Vec::new();
    sign(basis, spec, |bytes| {
        entries.extend_from_slice(bytes);
        Ok(())
    })
    .unwrap();
    Signature::new(spec, basis.len() as u64, entries).unwrap()
}

/// Runs a thorough search over pieces of `piece` bytes; gives the rebuilt file and the number of
/// literal bytes.
fn rebuild(basis: &[u8], new: &[u8], spec: SignatureSpec, piece: usize) -> (Vec<u8>, usize) {
    rebuild_by(Search::Thorough, basis, new, spec, piece)
}

fn rebuild_by(
    search: Search,
    basis: &[u8],
    new: &[u8],
    spec: SignatureSpec,
    piece: usize,
) -> (Vec<u8>, usize) {
    let signature = signed(basis, spec);
    let mut matcher = Matcher::new(&signature);
    let (mut rebuilt, mut literals) = (Vec::new(), 0);
    let mut emit = |op: Op<'_>| match op {
        Op::Literal(bytes) => {
            literals += bytes.len();
            rebuilt.extend_from_slice(bytes);
        }
        Op::Copy { offset, length } => {
            rebuilt.extend_from_slice(&basis[offset as usize..(offset + length) as usize]);
        }
    };
    let (mut buffer, mut fed) = (Vec::new(), 0);
    loop {
        let more = piece.min(new.len() - fed);
        buffer.extend_from_slice(&new[fed..fed + more]);
        fed += more;
        let last = fed == new.len();
        let covered = matcher.scan(&buffer, last, search, &mut emit);
        buffer.drain(..covered);
        if last {
            return (rebuilt, literals);
        }
    }
}

fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

const SPEC: SignatureSpec = SignatureSpec { block_bytes: 256, strong_bytes: 8 };

#[test]
fn equal_files_are_one_copy_with_their_short_tail() {
    let data = noise(100_123, 7);
    assert_eq!(rebuild(&data, &data, SPEC, 1 << 20), (data.clone(), 0));
    assert_eq!(rebuild(&data, &data, SPEC, 1000), (data.clone(), 0));
}

#[test]
fn an_edit_costs_about_its_block() {
    let data = noise(100_000, 3);
    let mut edited = data.clone();
    edited.splice(50_000..50_003, *b"hello");
    let (rebuilt, literals) = rebuild(&data, &edited, SPEC, 1 << 20);
    assert_eq!(rebuilt, edited);
    assert!(literals <= 2 * 256, "{literals}");
}

/// Bytes of the delta of `fast_rsync`, which has all literals in it.
fn theirs(basis: &[u8], new: &[u8]) -> usize {
    let options = fast_rsync::SignatureOptions { block_size: 256, crypto_hash_size: 8 };
    let signature = fast_rsync::Signature::calculate(basis, options);
    let mut delta = Vec::new();
    fast_rsync::diff(&signature.index(), new, &mut delta).unwrap();
    delta.len()
}

#[test]
fn literals_are_no_more_than_those_of_fast_rsync() {
    let data = noise(60_000, 11);
    let mut edited = data.clone();
    for at in (500..58_000).step_by(4_000) {
        edited.splice(at..at + 2, *b"xyz");
    }
    let (_, ours) = rebuild(&data, &edited, SPEC, 1 << 20);
    assert!(ours <= theirs(&data, &edited), "{ours}");
}

/// Blocks of which no two are equal, and all have the same weak sum: one more, two less and one
/// more at neighbouring bytes change neither half of it.
fn twins(count: usize) -> Vec<Vec<u8>> {
    let twin = |number: usize| {
        let mut block = vec![100; 256];
        for (place, step) in [number % 250, number / 250 * 3].into_iter().zip([1, 4]) {
            block[place] += step;
            block[place + 1] -= 2 * step;
            block[place + 2] += step;
        }
        block
    };
    (0..count).map(twin).collect()
}

#[test]
fn blocks_of_equal_weak_sums_are_told_apart() {
    let twins = twins(1500);
    let weak = WeakSum::over(&twins[0]).value();
    assert!(twins.iter().all(|twin| WeakSum::over(twin).value() == weak));
    let basis = twins.concat();
    let new: Vec<u8> = (0..1500).flat_map(|at| twins[at * 7 % 1500].clone()).collect();
    assert_eq!(rebuild(&basis, &new, SPEC, 1 << 20), (new.clone(), 0));
    let edited = [&new[..100_000], b"edit", &new[100_000..]].concat();
    let (rebuilt, ours) = rebuild(&basis, &edited, SPEC, 1 << 20);
    assert_eq!(rebuilt, edited);
    assert!(ours <= theirs(&basis, &edited), "{ours}");
}

#[test]
fn after_misses_were_rationed_blocks_are_found_again() {
    let basis = [&twins(200).concat(), &noise(20_000, 5)[..]].concat();
    // Windows by the thousand that have the weak sum of two hundred blocks, and the content of
    // none.
    let alike = vec![100; 3000 * 256];
    let new = [&alike, &noise(20_000, 5)[..]].concat();
    for piece in [1000, 1 << 20] {
        let (rebuilt, literals) = rebuild(&basis, &new, SPEC, piece);
        assert!(rebuilt == new);
        assert!(literals <= alike.len() + 2 * 256, "{literals}");
    }
}

#[test]
fn the_next_block_must_have_both_sums() {
    let block = noise(256, 21);
    let entry = signed(&block, SPEC).weak(0).to_be_bytes();
    let strong = SPEC.strong(&block);
    let other = (u32::from_be_bytes(entry) ^ 1).to_be_bytes();
    let entries = [&entry[..], &strong[..8], &other, &strong[..8]].concat();
    let signature = Signature::new(SPEC, 512, entries).unwrap();
    let mut copies = Vec::new();
    Matcher::new(&signature).scan(&block.repeat(2), true, Search::Thorough, &mut |op| {
        if let Op::Copy { offset, length } = op {
            copies.push((offset, length));
        }
    });
    assert_eq!(copies, [(0, 256), (0, 256)]);
}

#[test]
fn long_runs_end_where_the_files_differ() {
    let data = noise(256 * 200 + 77, 13);
    for at in [0, 255, 256, 256 * 33, 256 * 40 + 3, 256 * 199, 256 * 200 + 76] {
        let mut edited = data.clone();
        edited[at] ^= 1;
        let block = if at < 256 * 200 { 256 } else { 77 };
        assert_eq!(rebuild(&data, &edited, SPEC, 1 << 20), (edited, block), "{at}");
    }
}

#[test]
fn pathological_data_ends() {
    let zeros = vec![0; 300_000];
    assert_eq!(rebuild(&zeros, &zeros, SPEC, 4096).1, 0);
    // Every window has the weak sum of a block, none its content: the two swapped bytes pairs keep
    // it.
    let mut liar = signed(&noise(256, 1), SPEC);
    liar = Signature::new(SPEC, 256, [&liar.weak(0).to_be_bytes()[..], &[0; 8]].concat()).unwrap();
    let mut matcher = Matcher::new(&liar);
    let data = noise(256, 1).repeat(2000);
    let mut literals = 0;
    matcher.scan(&data, true, Search::Thorough, &mut |op| {
        if let Op::Literal(bytes) = op {
            literals += bytes.len();
        }
    });
    assert_eq!(literals, data.len());
}

#[test]
fn a_quick_search_finds_all_of_what_goes_on_for_long() {
    let data = noise(40_000, 3);
    for gap in [0, 300, 5000, 100_000, 1_000_001] {
        // Behind a gap without matches, of any length, and the second half of the basis first.
        let new = [&noise(gap, 9), &data[20_224..], &noise(gap, 8), &data[..20_224]].concat();
        for piece in [3000, 70_000, 4 << 20] {
            let (rebuilt, literals) = rebuild_by(Search::Quick, &data, &new, SPEC, piece);
            assert!(rebuilt == new);
            let most = match piece {
                // What was skipped is sent with the piece before.
                3000 => 2 * gap + 2 * 256 * (MOST_SKIPPED + 3),
                _ => 2 * gap + 256,
            };
            assert!(literals <= most, "{literals} of {} behind {gap}, by {piece}", new.len());
        }
    }
}

/// How many positions a search looks at is what it costs.
#[test]
fn a_quick_search_looks_at_few_positions_where_nothing_matches() {
    let (basis, new) = (noise(40_000, 3), noise(1 << 20, 5));
    let signature = signed(&basis, SPEC);
    let unmatched = |search| {
        let mut matcher = Matcher::new(&signature);
        matcher.scan(&new, true, search, &mut |_| {});
        matcher.unmatched
    };
    let (all, few) = (unmatched(Search::Thorough), unmatched(Search::Quick));
    assert_eq!(all, new.len() - 256);
    assert!(few < all / 6, "{few} of {all}");
}

proptest! {
    #[test]
    fn rebuilding_gives_the_new_file(
        basis in proptest::collection::vec(0_u8..4, 0..5000),
        cuts in proptest::collection::vec((any::<u16>(), any::<u16>(), 0..600_usize), 0..8),
        piece in 1..3000_usize,
    ) {
        let mut new = basis.clone();
        for (at, seed, length) in cuts {
            let at = usize::from(at) % (new.len() + 1);
            let end = (at + length / 2).min(new.len());
            new.splice(at..end, noise(length, u32::from(seed)));
        }
        let (rebuilt, ours) = rebuild(&basis, &new, SPEC, piece);
        prop_assert!(ours <= theirs(&basis, &new), "{} literals", ours);
        prop_assert!(rebuild_by(Search::Quick, &basis, &new, SPEC, piece).0 == new);
        prop_assert_eq!(rebuilt, new);
    }

    #[test]
    fn whatever_was_moved_literals_are_no_more_than_those_of_fast_rsync(
        basis in proptest::collection::vec(0..40_usize, 0..40),
        new in proptest::collection::vec((0..40_usize, 0..300_usize), 0..40),
        piece in 300..3000_usize,
    ) {
        let twins = twins(40);
        let basis: Vec<u8> = basis.into_iter().flat_map(|twin| twins[twin].clone()).collect();
        let cut = |(twin, length): (usize, usize)| twins[twin][..length.min(256)].to_vec();
        let new: Vec<u8> = new.into_iter().flat_map(cut).collect();
        let (rebuilt, ours) = rebuild(&basis, &new, SPEC, piece);
        prop_assert!(ours <= theirs(&basis, &new), "{} literals", ours);
        prop_assert_eq!(rebuilt, new);
    }
}
