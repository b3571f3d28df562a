//! Groups patches into zstd frames, with the old surroundings of the changes as the frame's prefix.
//!
//! Files share a frame, so that what one taught the compressor helps the next. A frame's prefix and
//! content are bounded by what the agent holds in memory, not by the size of files.

use assetsync_core::limits;
use assetsync_core::plan::PrefixPart;
use assetsync_core::recipe::Reference;

use crate::draft::exact_diff::PatchOp;

/// Most bytes of content in a frame, so that all of it sees all of the prefix through a window of
/// 2^22 bytes.
const CONTENT_BYTES: usize = (1 << 22) - limits::PREFIX_BYTES - (128 << 10);

/// Most bytes of content in the first frame. Nothing of a frame travels before all of it is
/// compressed, and until then the line would wait; so frames begin small, and each may be twice as
/// large as the one before.
const FIRST_CONTENT_BYTES: usize = 256 << 10;

/// For new content shorter than this the old surroundings are left out: to name them would cost as
/// much.
const SHORTEST: usize = 24;

/// Parts of one reference closer to each other than this become one.
const MERGE_GAP: u64 = 64;

/// Pieces of patches that travel in one zstd frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PatchFrame {
    /// The frame's prefix.
    pub parts: Vec<PrefixPart>,
    /// How many pieces, counted through all files in order.
    pub pieces: usize,
}

/// Groups the pieces of files, in order.
pub fn pack_frames<'p>(
    files: impl IntoIterator<Item = (Reference, &'p [PatchOp])>,
) -> Vec<PatchFrame> {
    let mut packer = FramePacker {
        frames: Vec::new(),
        frame: PatchFrame::default(),
        prefix_bytes: 0,
        content_bytes: 0,
        most_content: FIRST_CONTENT_BYTES,
    };
    for (reference, pieces) in files {
        pieces.iter().for_each(|piece| packer.piece(reference, piece));
    }
    packer.end();
    packer.frames
}

struct FramePacker {
    frames: Vec<PatchFrame>,
    frame: PatchFrame,
    prefix_bytes: usize,
    content_bytes: usize,
    /// Most bytes of content in the frame that is being filled.
    most_content: usize,
}

impl FramePacker {
    fn piece(&mut self, reference: Reference, piece: &PatchOp) {
        if let PatchOp::New { range, nearby } = piece {
            let nearby = if range.len() < SHORTEST { 0..0 } else { nearby.clone() };
            let nearby = nearby.start..nearby.end.min(nearby.start + limits::PREFIX_BYTES);
            let full = self.prefix_bytes + nearby.len() > limits::PREFIX_BYTES
                || self.content_bytes + range.len() > self.most_content
                || self.frame.parts.len() >= limits::PREFIX_PARTS;
            if full && self.frame.pieces > 0 {
                self.end();
            }
            self.content_bytes += range.len();
            if !nearby.is_empty() {
                self.part(reference, nearby.start as u64, nearby.len() as u64);
            }
        }
        self.frame.pieces += 1;
    }

    fn part(&mut self, reference: Reference, offset: u64, length: u64) {
        if let Some(last) = self.frame.parts.last_mut() {
            let end = last.offset + last.length;
            let close = last.offset <= offset && offset <= end + MERGE_GAP;
            let joined = (offset + length).max(end) - last.offset;
            let more = joined.saturating_sub(last.length) as usize;
            if last.reference == reference
                && close
                && self.prefix_bytes + more <= limits::PREFIX_BYTES
            {
                self.prefix_bytes += more;
                last.length = joined.max(last.length);
                return;
            }
        }
        self.prefix_bytes += length as usize;
        self.frame.parts.push(PrefixPart { reference, offset, length });
    }

    fn end(&mut self) {
        if self.frame.pieces > 0 {
            self.frames.push(std::mem::take(&mut self.frame));
            self.most_content = (2 * self.most_content).min(CONTENT_BYTES);
        }
        (self.prefix_bytes, self.content_bytes) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::index::Index;
    use assetsync_core::recipe::Basis;

    use super::*;

    const A: Reference = Reference { basis: Basis::Existing(Index::new(1)), rewritten: false };
    const B: Reference = Reference { basis: Basis::Existing(Index::new(2)), rewritten: true };

    fn new(length: usize, nearby: std::ops::Range<usize>) -> PatchOp {
        PatchOp::New { range: 0..length, nearby }
    }

    #[test]
    fn near_parts_become_one_and_short_pieces_have_none() {
        let first =
            [new(100, 0..100), PatchOp::Copy { offset: 100, length: 70 }, new(30, 150..200)];
        let second = [new(100, 500..600), new(10, 900..1000)];
        let frames = pack_frames([(A, &first[..]), (B, &second[..])]);
        let parts = vec![
            PrefixPart { reference: A, offset: 0, length: 200 },
            PrefixPart { reference: B, offset: 500, length: 100 },
        ];
        assert_eq!(frames, [PatchFrame { parts, pieces: 5 }]);
    }

    #[test]
    fn no_frame_is_over_a_limit_and_no_piece_is_lost() {
        let pieces: Vec<PatchOp> =
            (0..3000).map(|at| new(3000 + at % 700, at * 9000..at * 9000 + at)).collect();
        let frames = pack_frames([(A, &pieces[..])]);
        assert!(frames.len() > 2);
        assert_eq!(frames.iter().map(|frame| frame.pieces).sum::<usize>(), pieces.len());
        for frame in frames {
            let bytes: u64 = frame.parts.iter().map(|part| part.length).sum();
            assert!(bytes <= limits::PREFIX_BYTES as u64);
        }
        assert!(pack_frames([(A, &[][..])]).is_empty());
    }

    #[test]
    fn a_huge_piece_is_a_frame_of_its_own_with_a_bounded_prefix() {
        let huge = [new(10, 0..9), new(50 << 20, 0..50 << 20), new(100, 0..100)];
        let frames = pack_frames([(A, &huge[..])]);
        assert_eq!(frames.iter().map(|frame| frame.pieces).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(frames[1].parts[0].length, limits::PREFIX_BYTES as u64);
    }

    #[test]
    fn frames_begin_small_so_that_the_line_need_not_wait() {
        let pieces = vec![new(64 << 10, 0..0); 300];
        let frames = pack_frames([(A, &pieces[..])]);
        let pieces: Vec<_> = frames.iter().map(|frame| frame.pieces).collect();
        assert_eq!(pieces[..3], [4, 8, 16]);
        assert!(pieces[3..].iter().all(|&pieces| pieces * (64 << 10) <= CONTENT_BYTES));
    }
}
