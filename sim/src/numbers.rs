//! Counts the datagrams of each direction, which is what their fates are keyed by. Knows no link.
//!
//! The counts are looked up at random, once for each datagram, and the datagram's arrival waits for the answer: with many
//! nodes the table's size decides the engine's speed. So a direction has two bits there, and its count is elsewhere once
//! those do not suffice.

/// Up to so many nodes each direction has a byte at first: the table has 64 KiB at most, later 256 KiB.
const BYTES_NODES_MAX: usize = 256;
/// Up to so many nodes each direction has two bits: the table has 1 MiB at most.
const PAIRS_NODES_MAX: usize = 2_048;
/// How many counts of two bits a word has.
const PAIRS: usize = 32;
/// The greatest count of two bits: it stands for this and all greater ones.
const PAIR_FULL: u64 = 3;

/// How many datagrams one node has sent to each other node.
#[derive(Debug)]
pub(crate) struct Numbers {
    nodes: usize,
    /// Counts by source, then by receiver, for few nodes, until one of them is too great.
    bytes: Vec<u8>,
    /// The same from then on.
    wide: Vec<u32>,
    /// Counts in that order of two bits each, the first lowest, for more nodes.
    pairs: Vec<u64>,
    /// The counts of all other directions, by their places in that order.
    others: Counts,
}

impl Numbers {
    pub(crate) fn new(nodes: usize) -> Self {
        let mut numbers = Self { nodes, bytes: Vec::new(), wide: Vec::new(), pairs: Vec::new(), others: Counts::new() };
        if nodes <= BYTES_NODES_MAX {
            numbers.bytes = vec![0; nodes * nodes];
        } else if nodes <= PAIRS_NODES_MAX {
            numbers.pairs = vec![0; (nodes * nodes).div_ceil(PAIRS)];
        }
        numbers
    }

    /// The number of the next datagram of this direction, from 0.
    #[inline]
    pub(crate) fn next(&mut self, from: u32, to: u32) -> u64 {
        let place = (from as usize).wrapping_mul(self.nodes).wrapping_add(to as usize);
        if let Some(count) = self.bytes.get_mut(place) {
            if *count == u8::MAX {
                return self.widen(place);
            }
            let number = u64::from(*count);
            *count = count.wrapping_add(1);
            return number;
        }
        if let Some(word) = self.pairs.get_mut(place / PAIRS) {
            let shift = place % PAIRS * 2;
            let number = (*word >> shift) & PAIR_FULL;
            if number != PAIR_FULL {
                // Not full: the sum stays within its bits.
                *word = word.wrapping_add(1 << shift);
                return number;
            }
        }
        self.next_elsewhere(place)
    }

    #[inline]
    fn next_elsewhere(&mut self, place: usize) -> u64 {
        let Some(count) = self.wide.get_mut(place) else {
            let least = if self.pairs.is_empty() { 0 } else { PAIR_FULL };
            return self.others.next(place as u64, least);
        };
        *count += 1;
        u64::from(*count - 1)
    }

    /// Gives each count more bits, and then the number.
    #[cold]
    fn widen(&mut self, place: usize) -> u64 {
        self.wide = core::mem::take(&mut self.bytes).into_iter().map(u32::from).collect();
        self.next_elsewhere(place)
    }
}

/// A hash table of counts, at most half full. Its hash is fixed, and nothing walks through it, so that it holds no chance.
#[derive(Debug)]
struct Counts {
    slots: Vec<Slot>,
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u64,
    count: u64,
}

/// No key: there are fewer directions.
const EMPTY: Slot = Slot { key: u64::MAX, count: 0 };

impl Counts {
    fn new() -> Self {
        Self { slots: vec![EMPTY; 2], used: 0 }
    }

    /// Counts one more for `key`, and returns how many there were: `least` for a new one.
    #[inline(never)]
    fn next(&mut self, key: u64, least: u64) -> u64 {
        let slot = self.find(key);
        let found = &mut self.slots[slot];
        if found.key == EMPTY.key {
            *found = Slot { key, count: least + 1 };
            self.used += 1;
            self.grow();
            return least;
        }
        found.count += 1;
        found.count - 1
    }

    /// The place of `key`, or the empty one that it would have.
    fn find(&self, key: u64) -> usize {
        // Fibonacci hashing: the upper bits of the product depend on all of the key's.
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - self.slots.len().trailing_zeros());
        let mut slot = hash as usize;
        while self.slots[slot].key != key && self.slots[slot].key != EMPTY.key {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }

    fn grow(&mut self) {
        if self.used * 2 > self.slots.len() {
            let twice = vec![EMPTY; self.slots.len() * 2];
            for old in core::mem::replace(&mut self.slots, twice).into_iter().filter(|old| old.key != EMPTY.key) {
                let slot = self.find(old.key);
                self.slots[slot] = old;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const SIZES: [usize; 6] = [2, 20, BYTES_NODES_MAX, BYTES_NODES_MAX + 1, PAIRS_NODES_MAX + 1, 10 * PAIRS_NODES_MAX];

    #[test]
    fn each_direction_counts_alone_however_many_nodes_and_datagrams() {
        for nodes in SIZES {
            let mut numbers = Numbers::new(nodes);
            let last = nodes as u32 - 1;
            for round in 0..1_000 {
                assert_eq!(numbers.next(0, last), round);
                assert_eq!(numbers.next(last, 0), round);
            }
            assert_eq!(numbers.next(last, last), 0);
            assert_eq!(numbers.next(0, 0), 0);
        }
    }

    #[test]
    fn neighbours_are_told_apart_from_their_first_datagram_to_their_thousandth() {
        for nodes in SIZES {
            let mut numbers = Numbers::new(nodes);
            let mut counts = BTreeMap::new();
            let some = 0..40_u32.min(nodes as u32);
            for round in 0..1_000 {
                for (from, to) in some.clone().flat_map(|from| [from, from + 1, 39 - from].map(|to| (from, to))) {
                    // The higher the sum, the rarer.
                    if to < nodes as u32 && round % u64::from(from + to + 1) == 0 {
                        let count: &mut u64 = counts.entry((from, to)).or_default();
                        assert_eq!(numbers.next(from, to), *count, "{from} to {to} of {nodes}");
                        *count += 1;
                    }
                }
            }
        }
    }
}
