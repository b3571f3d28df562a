//! Gathers patches into zstd frames: what is new in many files, with what stood near it as the frame's prefix.
//!
//! Files share a frame, so that what one taught the compressor helps the next. A frame's prefix and content are
//! bounded by what the agent holds in memory, not by the size of files.

use crate::delta::exact::Piece;
use crate::limits;
use crate::plan::Part;
use crate::recipe::Ground;

/// Most bytes of content in a frame, so that all of it sees all of the prefix through a window of 2^22 bytes.
const CONTENT_BYTES: usize = (1 << 22) - limits::PREFIX_BYTES - (128 << 10);

/// New content shorter than this is told without what was near it, which would cost as much to name.
const SHORTEST: usize = 24;

/// Parts of one ground nearer to each other than this become one.
const APART: u64 = 64;

/// Pieces of patches that travel in one zstd frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The frame's prefix.
    pub parts: Vec<Part>,
    /// How many pieces, counted through all files in order.
    pub pieces: usize,
}

/// Groups the pieces of files, in order.
pub fn group<'p>(files: impl IntoIterator<Item = (Ground, &'p [Piece])>) -> Vec<Group> {
    let mut grouping = Grouping::default();
    for (ground, pieces) in files {
        pieces.iter().for_each(|piece| grouping.piece(ground, piece));
    }
    grouping.end();
    grouping.groups
}

#[derive(Default)]
struct Grouping {
    groups: Vec<Group>,
    group: Group,
    prefix_bytes: usize,
    content_bytes: usize,
}

impl Grouping {
    fn piece(&mut self, ground: Ground, piece: &Piece) {
        if let Piece::New { range, near } = piece {
            let near = if range.len() < SHORTEST { 0..0 } else { near.clone() };
            let near = near.start..near.end.min(near.start + limits::PREFIX_BYTES);
            let full = self.prefix_bytes + near.len() > limits::PREFIX_BYTES
                || self.content_bytes + range.len() > CONTENT_BYTES
                || self.group.parts.len() >= limits::PREFIX_PARTS;
            if full && self.group.pieces > 0 {
                self.end();
            }
            self.content_bytes += range.len();
            if !near.is_empty() {
                self.part(ground, near.start as u64, near.len() as u64);
            }
        }
        self.group.pieces += 1;
    }

    fn part(&mut self, ground: Ground, offset: u64, length: u64) {
        if let Some(last) = self.group.parts.last_mut() {
            let end = last.offset + last.length;
            let close = last.offset <= offset && offset <= end + APART;
            let joined = (offset + length).max(end) - last.offset;
            let more = joined.saturating_sub(last.length) as usize;
            if last.ground == ground && close && self.prefix_bytes + more <= limits::PREFIX_BYTES {
                self.prefix_bytes += more;
                last.length = joined.max(last.length);
                return;
            }
        }
        self.prefix_bytes += length as usize;
        self.group.parts.push(Part { ground, offset, length });
    }

    fn end(&mut self) {
        if self.group.pieces > 0 {
            self.groups.push(std::mem::take(&mut self.group));
        }
        (self.prefix_bytes, self.content_bytes) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Basis;

    const A: Ground = Ground { basis: Basis::Known(1), rewritten: false };
    const B: Ground = Ground { basis: Basis::Known(2), rewritten: true };

    fn new(length: usize, near: std::ops::Range<usize>) -> Piece {
        Piece::New { range: 0..length, near }
    }

    #[test]
    fn near_parts_become_one_and_short_pieces_have_none() {
        let first = [new(100, 0..100), Piece::Copy { offset: 100, length: 70 }, new(30, 150..200)];
        let second = [new(100, 500..600), new(10, 900..1000)];
        let groups = group([(A, &first[..]), (B, &second[..])]);
        let parts = vec![
            Part { ground: A, offset: 0, length: 200 },
            Part { ground: B, offset: 500, length: 100 },
        ];
        assert_eq!(groups, [Group { parts, pieces: 5 }]);
    }

    #[test]
    fn no_group_is_over_a_limit_and_no_piece_is_lost() {
        let pieces: Vec<Piece> =
            (0..3000).map(|at| new(3000 + at % 700, at * 9000..at * 9000 + at)).collect();
        let groups = group([(A, &pieces[..])]);
        assert!(groups.len() > 2);
        assert_eq!(groups.iter().map(|group| group.pieces).sum::<usize>(), pieces.len());
        for group in groups {
            let bytes: u64 = group.parts.iter().map(|part| part.length).sum();
            assert!(bytes <= limits::PREFIX_BYTES as u64);
        }
        assert!(group([(A, &[][..])]).is_empty());
    }

    #[test]
    fn a_huge_piece_is_a_group_of_its_own_with_a_bounded_prefix() {
        let huge = [new(10, 0..9), new(50 << 20, 0..50 << 20), new(100, 0..100)];
        let groups = group([(A, &huge[..])]);
        assert_eq!(groups.iter().map(|group| group.pieces).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(groups[1].parts[0].length, limits::PREFIX_BYTES as u64);
    }
}
