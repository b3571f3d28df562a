use super::*;
use proptest::prelude::*;

const SHORTEST: usize = 64;

/// Bytes that never repeat (xorshift).
fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b1) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Compares, checks what is promised of every answer, and gives it.
fn checked(basis: &[u8], new: &[u8], shortest: usize) -> Vec<PatchOp> {
    let pieces = compare(basis, new, shortest);
    let mut rebuilt = Vec::new();
    for piece in &pieces {
        match piece {
            PatchOp::Copy { offset, length } => {
                assert!(*length >= shortest, "{piece:?}");
                rebuilt.extend_from_slice(&basis[*offset..offset + length]);
            }
            PatchOp::New { range, nearby } => {
                assert!(!range.is_empty() && range.start == rebuilt.len(), "{piece:?}");
                assert!(nearby.start <= nearby.end && nearby.end <= basis.len(), "{piece:?}");
                assert!(nearby.len() <= range.len() * NEAR_FACTOR + NEAR_BYTES, "{piece:?}");
                rebuilt.extend_from_slice(&new[range.clone()]);
            }
        }
    }
    assert!(rebuilt == new);
    pieces
}

fn new_bytes(pieces: &[PatchOp]) -> usize {
    let bytes = |piece: &PatchOp| match piece {
        PatchOp::New { range, .. } => range.len(),
        PatchOp::Copy { .. } => 0,
    };
    pieces.iter().map(bytes).sum()
}

#[test]
fn a_changed_byte_is_one_new_byte_between_two_copies() {
    let basis = noise(1_000_000, 1);
    let mut new = basis.clone();
    new[500_000] ^= 1;
    let pieces = [
        PatchOp::Copy { offset: 0, length: 500_000 },
        PatchOp::New { range: 500_000..500_001, nearby: 500_000..500_001 },
        PatchOp::Copy { offset: 500_001, length: 499_999 },
    ];
    assert_eq!(checked(&basis, &new, SHORTEST), pieces);
}

#[test]
fn edits_near_each_other_cost_their_bytes() {
    let basis = noise(100_000, 2);
    let mut new = basis.clone();
    for at in (1000..99_000).step_by(200).rev() {
        match at % 3 {
            0 => new[at] ^= 1,
            1 => drop(new.splice(at..at, *b"inserted")),
            _ => drop(new.drain(at..at + 5)),
        }
    }
    assert!(new_bytes(&checked(&basis, &new, SHORTEST)) <= 490 * 8);
}

#[test]
fn what_was_moved_is_found() {
    let basis = noise(300_000, 3);
    let new = [&basis[200_000..], &basis[100_000..200_000], &basis[..100_000]].concat();
    let copy = |offset| PatchOp::Copy { offset, length: 100_000 };
    assert_eq!(checked(&basis, &new, SHORTEST), [copy(200_000), copy(100_000), copy(0)]);
}

#[test]
fn every_run_of_the_promised_length_is_found() {
    let basis = noise(10_000, 4);
    for start in 5000..5000 + WINDOW {
        let run = &basis[start..start + 2 * WINDOW - 1];
        let new = [&noise(100, 5), run, &noise(100, 6)].concat();
        assert!(new_bytes(&checked(&basis, &new, run.len())) <= 200, "{start}");
    }
}

#[test]
fn of_equal_runs_the_one_that_goes_on_is_taken() {
    let part = noise(1000, 7);
    let basis = [&noise(500, 8), &part[..], &noise(500, 9), &part, &noise(500, 10)].concat();
    let new = [&basis[1700..1900], &noise(2000, 11), &part].concat();
    let pieces = checked(&basis, &new, SHORTEST);
    assert_eq!(pieces.last(), Some(&PatchOp::Copy { offset: 2000, length: 1000 }));
}

#[test]
fn the_shortest_copy_may_be_long() {
    let basis = noise(50_000, 19);
    let new = [&noise(100, 20), &basis[3..9_000], &noise(100, 21), &basis[1..12_000]].concat();
    assert_eq!(new_bytes(&checked(&basis, &new, 10_000)), 100 + 8_997 + 100);
}

#[test]
fn a_gap_shows_what_was_there() {
    let basis = noise(50_000, 12);
    let new = [&basis[..20_000], &noise(100, 13), &basis[20_300..]].concat();
    let shown = |new: &[u8]| match &checked(&basis, new, SHORTEST)[1] {
        PatchOp::New { nearby, .. } => nearby.clone(),
        piece => panic!("{piece:?}"),
    };
    assert_eq!(shown(&new), 20_000..20_300);
    let much_gone = [&basis[..20_000], b"new", &basis[40_000..]].concat();
    assert_eq!(shown(&much_gone), 20_000..20_000 + 3 * NEAR_FACTOR + NEAR_BYTES);
    let backward = [&basis[30_000..40_000], b"new", &basis[10_000..20_000]].concat();
    assert_eq!(shown(&backward), 40_000 - 2054..40_000 + 2054);
}

#[test]
fn pathological_data_ends() {
    let zeros = vec![0; 4 << 20];
    let dotted = |every: usize| {
        let mut data = zeros.clone();
        data.iter_mut().step_by(every).for_each(|byte| *byte = 1);
        data
    };
    let pattern = noise(16, 14).repeat(1 << 18);
    assert_eq!(new_bytes(&checked(&zeros, &[&zeros[..], &[1], &zeros].concat(), SHORTEST)), 1);
    assert_eq!(new_bytes(&checked(&pattern, &[&pattern[5..], &[1]].concat(), SHORTEST)), 12);
    // Every window is in the basis, in many places, and no match is long enough.
    checked(&zeros, &dotted(48), SHORTEST);
    checked(&dotted(47), &dotted(49), SHORTEST);
    checked(&pattern, &dotted(1), SHORTEST);
}

#[test]
fn long_runs_of_a_large_basis_are_found() {
    let basis = noise(9 << 20, 15);
    let new = [&noise(100, 16), &basis[5_000_001..6_000_000], &noise(100, 17)].concat();
    assert_eq!(new_bytes(&checked(&basis, &new, SHORTEST)), 200);
}

#[test]
fn common_ends_are_counted_to_the_byte() {
    for length in 0..40 {
        let equal = noise(length, 18);
        let (a, b) = ([&equal[..], b"a"].concat(), [&equal[..], b"bcdefghijkl"].concat());
        assert_eq!((common_prefix(&a, &b), common_prefix(&a, &equal)), (length, length));
        let (a, b) = ([b"a", &equal[..]].concat(), [b"bcdefghijkl", &equal[..]].concat());
        assert_eq!((common_suffix(&a, &b), common_suffix(&a, &equal)), (length, length));
    }
}

/// One change to a content: what to take, where to put it, and how.
type Edit = (u16, u16, u16, u8);

fn edited(basis: &[u8], edits: Vec<Edit>) -> Vec<u8> {
    let mut new = basis.to_vec();
    for (from, to, length, kind) in edits {
        let from = usize::from(from) % (new.len() + 1);
        let length = usize::from(length % 700).min(new.len() - from);
        let taken = match kind {
            0 => noise(length, from as u32),
            1 => new.drain(from..from + length).collect(),
            2 => new[from..from + length].to_vec(),
            _ => new.splice(from..from + length, noise(length / 2, 1)).take(0).collect(),
        };
        let to = usize::from(to) % (new.len() + 1);
        new.splice(to..to, taken);
    }
    new
}

proptest! {
    #[test]
    fn edited_content_is_rebuilt(
        seed in any::<u32>(),
        length in 0..20_000_usize,
        edits in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u16>(), 0..4_u8), 0..12),
        shortest in 0..200_usize,
    ) {
        let basis = noise(length, seed);
        checked(&basis, &edited(&basis, edits), shortest);
    }

    #[test]
    fn contents_of_few_bytes_are_rebuilt(
        basis in proptest::collection::vec(0..2_u8, 0..3000),
        new in proptest::collection::vec(0..2_u8, 0..3000),
        edits in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u16>(), 1..3_u8), 0..12),
    ) {
        checked(&basis, &new, SHORTEST);
        checked(&basis, &edited(&basis, edits), SHORTEST);
        checked(&new, &[], SHORTEST);
        checked(&[], &new, SHORTEST);
    }
}
