//! Huffman codes: their lengths as zlib computes them (`trees.c`), and their bits (RFC
//! 1951, 3.2.2).
//!
//! The lengths must equal zlib's, or every block would need corrections. So the heap and the order
//! of equal frequencies are zlib's too.

use super::token::{DISTANCES, END_OF_BLOCK, LITERALS, MAX_BITS, Token};

/// Most symbols of a code, including those that don't occur (RFC 1951 has 288 literals and
/// lengths).
pub const SYMBOLS: usize = 288;

/// Leaves and inner nodes of the largest tree.
const NODES: usize = 2 * SYMBOLS;

/// A code: the length and the bits of each symbol.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// In bits; 0 for a symbol without a code.
    pub lengths: [u8; SYMBOLS],
    /// In the order of writing, the first bit lowest.
    pub bits: [u16; SYMBOLS],
}

impl Code {
    /// The canonical code of these lengths, each at most [`MAX_BITS`]; `None` if it would be
    /// over-subscribed.
    pub fn new(lengths: &[u8]) -> Option<Code> {
        let mut code = Code { lengths: [0; SYMBOLS], bits: [0; SYMBOLS] };
        code.lengths.get_mut(..lengths.len())?.copy_from_slice(lengths);
        let mut counts = [0u32; MAX_BITS as usize + 1];
        for &length in lengths {
            *counts.get_mut(usize::from(length))? += 1;
        }
        counts[0] = 0;
        let mut next = [0u32; MAX_BITS as usize + 1];
        for length in 1..next.len() {
            next[length] = (next[length - 1] + counts[length - 1]) << 1;
            if next[length] + counts[length] > 1 << length {
                return None;
            }
        }
        for (symbol, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
            let bits = &mut next[usize::from(length)];
            code.bits[symbol] = (*bits as u16).reverse_bits() >> (16 - u32::from(length));
            *bits += 1;
        }
        Some(code)
    }

    /// The fixed code of literals and lengths.
    pub fn fixed_literals() -> Option<Code> {
        let mut lengths = [8; SYMBOLS];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        Code::new(&lengths)
    }

    /// The fixed code of distances.
    pub fn fixed_distances() -> Option<Code> {
        Code::new(&[5; DISTANCES + 2])
    }
}

/// Frequencies of the symbols of a block.
#[derive(Debug, Clone)]
pub struct Frequencies {
    pub literals: [u32; LITERALS],
    pub distances: [u32; DISTANCES],
}

impl Frequencies {
    /// Of a block without tokens, which has only its end.
    pub fn new() -> Frequencies {
        let mut frequencies = Frequencies { literals: [0; LITERALS], distances: [0; DISTANCES] };
        frequencies.literals[END_OF_BLOCK] = 1;
        frequencies
    }

    /// Counts a token.
    pub fn count(&mut self, token: Token) {
        match token {
            Token::Literal(byte) => self.literals[usize::from(byte)] += 1,
            Token::Match(found) => {
                self.literals[found.length_symbol().0] += 1;
                self.distances[found.distance_symbol().0] += 1;
            }
        }
    }
}

/// zlib's code lengths for these frequencies, at most `most` bits each. At least two symbols have
/// a length.
pub fn zlib_lengths(frequencies: &[u32], most: u8) -> [u8; SYMBOLS] {
    let mut tree = Tree::new(frequencies);
    tree.join();
    tree.lengths(most)
}

/// zlib's tree under construction: a heap of the nodes without a parent, the rarest on top.
struct Tree {
    frequencies: [u32; NODES],
    depths: [u8; NODES],
    parents: [u16; NODES],
    heap: Vec<u16>,
    /// All nodes in the order in which they got a parent, the root last.
    order: Vec<u16>,
    /// Number of leaves.
    leaves: usize,
}

impl Tree {
    fn new(frequencies: &[u32]) -> Tree {
        let mut tree = Tree {
            frequencies: [0; NODES],
            depths: [0; NODES],
            parents: [0; NODES],
            heap: Vec::with_capacity(SYMBOLS),
            order: Vec::with_capacity(NODES),
            leaves: frequencies.len(),
        };
        tree.frequencies[..frequencies.len()].copy_from_slice(frequencies);
        let occurring = (0..frequencies.len()).filter(|&symbol| frequencies[symbol] > 0);
        tree.heap.extend(occurring.map(|symbol| symbol as u16));
        tree.have_two();
        for top in (0..tree.heap.len() / 2).rev() {
            tree.sink(top);
        }
        tree
    }

    /// A code needs two symbols, so zlib adds the first ones.
    fn have_two(&mut self) {
        while self.heap.len() < 2 {
            let last = self.heap.last().copied();
            let symbol = match last {
                None => 0,
                Some(last) if last < 2 => last + 1,
                Some(_) => 0,
            };
            self.frequencies[usize::from(symbol)] = 1;
            self.heap.push(symbol);
        }
    }

    fn is_before(&self, a: u16, b: u16) -> bool {
        let key = |node: u16| (self.frequencies[usize::from(node)], self.depths[usize::from(node)]);
        key(a) <= key(b)
    }

    /// Sifts the node at `top` down.
    fn sink(&mut self, mut top: usize) {
        let node = self.heap[top];
        loop {
            let mut below = 2 * top + 1;
            if below >= self.heap.len() {
                break;
            }
            if below + 1 < self.heap.len() && self.is_before(self.heap[below + 1], self.heap[below])
            {
                below += 1;
            }
            if self.is_before(node, self.heap[below]) {
                break;
            }
            self.heap[top] = self.heap[below];
            top = below;
        }
        self.heap[top] = node;
    }

    /// Joins the two rarest nodes until one is left.
    fn join(&mut self) {
        let mut node = self.leaves;
        while self.heap.len() > 1 {
            let first = self.heap.swap_remove(0);
            self.sink(0);
            let second = self.heap[0];
            self.order.extend([first, second]);
            let (a, b) = (usize::from(first), usize::from(second));
            self.frequencies[node] = self.frequencies[a] + self.frequencies[b];
            self.depths[node] = self.depths[a].max(self.depths[b]) + 1;
            self.parents[a] = node as u16;
            self.parents[b] = node as u16;
            self.heap[0] = node as u16;
            self.sink(0);
            node += 1;
        }
        self.order.push(self.heap[0]);
    }

    /// Turns depths into lengths; leaves that are too deep are moved up, and others down in
    /// exchange.
    fn lengths(&self, most: u8) -> [u8; SYMBOLS] {
        let mut depths = [0u8; NODES];
        let mut counts = [0i32; MAX_BITS as usize + 2];
        let mut overflow = 0;
        let mut from_root = self.order.iter().rev().map(|&node| usize::from(node));
        from_root.next();
        for node in from_root {
            let depth = depths[usize::from(self.parents[node])] + 1;
            overflow += i32::from(depth > most);
            depths[node] = depth.min(most);
            counts[usize::from(depths[node])] += i32::from(node < self.leaves);
        }
        if overflow > 0 {
            shorten(&mut counts, most, overflow);
            let mut leaves = self.order.iter().map(|&node| usize::from(node));
            for length in (1..=most).rev() {
                for _ in 0..counts[usize::from(length)] {
                    let Some(leaf) = leaves.find(|&node| node < self.leaves) else { break };
                    depths[leaf] = length;
                }
            }
        }
        let mut lengths = [0; SYMBOLS];
        lengths[..self.leaves].copy_from_slice(&depths[..self.leaves]);
        lengths
    }
}

/// Adjusts the number of codes of each length until `overflow` codes that are too long fit.
fn shorten(counts: &mut [i32], most: u8, mut overflow: i32) {
    let most = usize::from(most);
    while overflow > 0 {
        let Some(length) = (1..most).rev().find(|&length| counts[length] > 0) else { return };
        counts[length] -= 1;
        counts[length + 1] += 2;
        counts[most] -= 1;
        overflow -= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fit_and_rare_symbols_have_long_codes() {
        assert_eq!(zlib_lengths(&[4, 2, 1, 1], 15)[..4], [1, 2, 3, 3]);
        assert_eq!(zlib_lengths(&[0, 0, 0, 9], 15)[..4], [1, 0, 0, 1]);
        assert_eq!(zlib_lengths(&[0, 0, 0, 0], 15)[..4], [1, 1, 0, 0]);
        // Fibonacci's numbers make the deepest tree; here its codes would have up to 19 bits.
        let mut fibonacci = [1u32; 20];
        for at in 2..fibonacci.len() {
            fibonacci[at] = fibonacci[at - 1] + fibonacci[at - 2];
        }
        for most in [7, 15] {
            let lengths = zlib_lengths(&fibonacci, most);
            assert!(lengths[..20].iter().all(|&length| (1..=most).contains(&length)));
            assert!(Code::new(&lengths[..20]).is_some());
        }
    }

    #[test]
    fn codes_are_canonical() {
        // The example of RFC 1951, 3.2.2, its bits reversed.
        let code = Code::new(&[3, 3, 3, 3, 3, 2, 4, 4]).unwrap();
        assert_eq!(code.bits[..8], [0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111]);
        assert!(Code::new(&[1, 1, 1]).is_none());
        assert!(Code::new(&[16]).is_none());
    }
}
