//! Counts the datagrams of each direction, which is what their fates are keyed by. Knows no link.
//!
//! The counts are looked up at random, once for each datagram, so their size in memory decides the engine's speed when there
//! are many nodes: a byte for each direction does until one has carried 255.

use std::collections::BTreeMap;

/// Up to so many nodes every direction has a place in one table, of 4 MiB at first and 16 MiB at most.
const TABLE_NODES_MAX: usize = 2_048;

/// How many datagrams one node has sent to each other node.
#[derive(Debug)]
pub(crate) struct Numbers {
    nodes: usize,
    counts: Counts,
}

#[derive(Debug)]
enum Counts {
    /// By source, then by receiver; none has reached 255.
    Narrow(Vec<u8>),
    /// The same, after one has.
    Wide(Vec<u32>),
    /// By source: the receivers that it has sent to.
    Sparse(Vec<BTreeMap<u32, u32>>),
}

impl Numbers {
    pub(crate) fn new(nodes: usize) -> Self {
        let counts = if nodes <= TABLE_NODES_MAX {
            Counts::Narrow(vec![0; nodes * nodes])
        } else {
            Counts::Sparse(vec![BTreeMap::new(); nodes])
        };
        Self { nodes, counts }
    }

    /// The number of the next datagram of this direction, from 0.
    #[inline]
    pub(crate) fn next(&mut self, from: u32, to: u32) -> u64 {
        let place = from as usize * self.nodes + to as usize;
        match &mut self.counts {
            Counts::Wide(counts) => count(&mut counts[place]),
            Counts::Narrow(counts) if counts[place] < u8::MAX => {
                counts[place] += 1;
                u64::from(counts[place] - 1)
            }
            Counts::Narrow(counts) => {
                self.counts = widened(counts);
                self.next(from, to)
            }
            Counts::Sparse(counts) => sparse(&mut counts[from as usize], to),
        }
    }
}

#[cold]
fn widened(counts: &[u8]) -> Counts {
    Counts::Wide(counts.iter().copied().map(u32::from).collect())
}

#[inline(never)]
fn sparse(counts: &mut BTreeMap<u32, u32>, to: u32) -> u64 {
    count(counts.entry(to).or_insert(0))
}

#[inline]
fn count(count: &mut u32) -> u64 {
    let number = *count;
    *count += 1;
    u64::from(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_counts_alone_however_many_nodes_and_datagrams() {
        for nodes in [2, 20, TABLE_NODES_MAX + 1] {
            let mut numbers = Numbers::new(nodes);
            let last = nodes as u32 - 1;
            for round in 0..600 {
                assert_eq!(numbers.next(0, last), round);
                assert_eq!(numbers.next(last, 0), round);
            }
            assert_eq!(numbers.next(last, last), 0);
        }
    }
}
