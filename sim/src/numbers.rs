//! Counts the datagrams of each direction, which is what their fates are keyed by. Knows no link.
//!
//! The counts are looked up at random, once for each datagram, and the datagram's arrival waits for the answer: with many
//! nodes the table's size decides the engine's speed. So each count has only as many bits as the busiest direction needs.

use std::collections::BTreeMap;

/// Up to so many nodes every direction has a place in one table, of 2 MiB at first and 16 MiB at most.
const TABLE_NODES_MAX: usize = 2_048;
/// Up to so many nodes nothing is gained by narrow counts: the table has 16 KiB at most.
const WIDE_NODES_MAX: usize = 64;
/// The width of a count at first, as a power of two: it holds 15.
const LOG_BITS_MIN: u32 = 2;
/// The width of a word, as a power of two, and the most that a count has.
const LOG_BITS_MAX: u32 = 5;

/// How many datagrams one node has sent to each other node.
#[derive(Debug)]
pub(crate) struct Numbers {
    nodes: usize,
    /// Counts by source, then by receiver, side by side from the lowest bit on. Empty when there are too many nodes.
    words: Vec<u32>,
    log_bits: u32,
    /// The greatest count of that many bits, which none reaches.
    full: u32,
    /// By source: the receivers that it has sent to. Used when there is no table.
    sparse: Vec<BTreeMap<u32, u32>>,
}

impl Numbers {
    pub(crate) fn new(nodes: usize) -> Self {
        if nodes > TABLE_NODES_MAX {
            return Self { nodes, words: Vec::new(), log_bits: 0, full: 0, sparse: vec![BTreeMap::new(); nodes] };
        }
        let log_bits = if nodes <= WIDE_NODES_MAX { LOG_BITS_MAX } else { LOG_BITS_MIN };
        Self { nodes, words: table(nodes, log_bits), log_bits, full: full(log_bits), sparse: Vec::new() }
    }

    /// The number of the next datagram of this direction, from 0.
    #[inline]
    pub(crate) fn next(&mut self, from: u32, to: u32) -> u64 {
        let place = (from as usize).wrapping_mul(self.nodes).wrapping_add(to as usize);
        let bit = place.wrapping_shl(self.log_bits);
        let Some(word) = self.words.get_mut(bit >> LOG_BITS_MAX) else { return self.next_sparse(from, to) };
        let (shift, full) = (bit as u32 % u32::BITS, self.full);
        let number = (*word >> shift) & full;
        if number == full {
            return self.next_wider(from, to);
        }
        // Not full: the sum stays within its bits.
        *word = word.wrapping_add(1 << shift);
        u64::from(number)
    }

    /// Gives each count twice as many bits, and then the number.
    #[cold]
    fn next_wider(&mut self, from: u32, to: u32) -> u64 {
        self.widen();
        self.next(from, to)
    }

    fn widen(&mut self) {
        assert!(self.log_bits < LOG_BITS_MAX, "a direction carries less than 2^32 datagrams");
        let (bits, mut wide) = (1 << self.log_bits, table(self.nodes, self.log_bits + 1));
        let each = u32::BITS / bits;
        for place in 0..self.nodes * self.nodes {
            let (word, shift) = (place / each as usize, place as u32 % each * bits);
            let number = (self.words[word] >> shift) & (u32::MAX >> (u32::BITS - bits));
            let bit = place << (self.log_bits + 1);
            wide[bit >> LOG_BITS_MAX] |= number << (bit as u32 % u32::BITS);
        }
        (self.words, self.log_bits, self.full) = (wide, self.log_bits + 1, full(self.log_bits + 1));
    }

    #[inline(never)]
    fn next_sparse(&mut self, from: u32, to: u32) -> u64 {
        let count = self.sparse[from as usize].entry(to).or_insert(0);
        *count += 1;
        u64::from(*count - 1)
    }
}

/// The greatest number of `1 << log_bits` bits.
const fn full(log_bits: u32) -> u32 {
    u32::MAX >> (u32::BITS - (1 << log_bits))
}

/// No datagram yet in any direction.
fn table(nodes: usize, log_bits: u32) -> Vec<u32> {
    vec![0; ((nodes * nodes) << log_bits).div_ceil(u32::BITS as usize)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beyond 65535, so that counts are widened as far as they go.
    #[test]
    fn each_direction_counts_alone_however_many_nodes_and_datagrams() {
        for nodes in [2, 20, WIDE_NODES_MAX + 1, 200, TABLE_NODES_MAX + 1] {
            let mut numbers = Numbers::new(nodes);
            let last = nodes as u32 - 1;
            for round in 0..70_000 {
                assert_eq!(numbers.next(0, last), round);
                assert_eq!(numbers.next(last, 0), round);
            }
            assert_eq!(numbers.next(last, last), 0);
            assert_eq!(numbers.next(0, 0), 0);
        }
    }

    #[test]
    fn all_directions_are_told_apart_while_they_are_widened() {
        let nodes = WIDE_NODES_MAX as u32 + 1;
        let mut numbers = Numbers::new(nodes as usize);
        for round in 0..300 {
            for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
                // The higher the sum, the rarer.
                if round % u64::from(from + to + 1) == 0 {
                    assert_eq!(numbers.next(from, to), round / u64::from(from + to + 1), "{from} to {to}");
                }
            }
        }
    }
}
