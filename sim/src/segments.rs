//! Whom a datagram to the group reaches: every node that shares a network segment with its sender. Knows no link.

use std::collections::BTreeMap;

/// Which nodes are on which segments. Takes memory for each node on each segment, and none for pairs of nodes.
#[derive(Debug)]
pub struct Segments {
    /// By segment: its nodes in order.
    members: Vec<Vec<u32>>,
    /// By node: its segments' places in `members`.
    of: Vec<Box<[u32]>>,
}

impl Segments {
    /// For each node, by its place, the numbers of the segments that it is on. Any numbers do.
    pub fn new<'a>(nodes: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let (mut places, mut members, mut of) = (BTreeMap::new(), Vec::<Vec<u32>>::new(), Vec::new());
        for (node, segments) in (0..).zip(nodes) {
            let mut mine = Vec::with_capacity(segments.len());
            for segment in segments {
                let place = *places.entry(*segment).or_insert(members.len());
                if place == members.len() {
                    members.push(Vec::new());
                }
                // Named twice, it is one all the same.
                if members[place].last() != Some(&node) {
                    members[place].push(node);
                    mine.push(place as u32);
                }
            }
            of.push(mine.into());
        }
        Self { members, of }
    }

    /// Puts into `reached` whom a datagram of `from` to the group reaches: in order, each once, and never the sender.
    pub fn reach(&self, from: u32, reached: &mut Vec<u32>) {
        reached.clear();
        let segments = &self.of[from as usize];
        for segment in segments {
            reached.extend(self.members[*segment as usize].iter().filter(|node| **node != from));
        }
        if segments.len() > 1 {
            reached.sort_unstable();
            reached.dedup();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_everybody_on_a_segment_of_the_senders_once_and_in_order() {
        let nodes: [&[u32]; 5] = [&[7], &[7, 3, 7], &[3], &[], &[3, 7]];
        let segments = Segments::new(nodes);
        let mut reached = vec![9];
        let mut reach = |from| {
            segments.reach(from, &mut reached);
            reached.clone()
        };
        assert_eq!([0, 1, 2, 3, 4].map(&mut reach), [vec![1, 4], vec![0, 2, 4], vec![1, 4], vec![], vec![0, 1, 2]]);
    }
}
