//! What Raft promises (Ongaro and Ousterhout, 2014, figure 3), and that it comes to an agreement once the faults are over.

use crate::node::{Event, Node};
use crate::{LATE_FROM, LATE_PROPOSALS, late_proposal};
use sim::workload::Judge;
use sim::{Control, NodeIndex, Time, Violation, Watch, World};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(crate) struct Promises {
    leaders: BTreeMap<u64, NodeIndex>,
    /// By index and term: what is in the entry, and the term of the one before it.
    logs: BTreeMap<(u64, u64), (u64, u64)>,
    /// By index: term and content of what was applied.
    applied: BTreeMap<u64, (u64, u64)>,
    /// By index: a term by which it was committed.
    committed_by: BTreeMap<u64, u64>,
    /// By node: the index that it applied last since its boot.
    last: BTreeMap<NodeIndex, u64>,
    /// By node: which of the late proposals it has applied since its boot.
    late: BTreeMap<NodeIndex, BTreeSet<u64>>,
}

type Told<'a> = &'a mut Control<Vec<u8>>;

impl Promises {
    /// At most one leader can be elected in a given term.
    fn election_safety(&mut self, node: NodeIndex, term: u64, control: Told<'_>) -> bool {
        let is_new = !self.leaders.contains_key(&term);
        let first = *self.leaders.entry(term).or_insert(node);
        if first != node {
            let (first, second) = (first.as_usize() + 1, node.as_usize() + 1);
            control.violate("election-safety", format!("nodes {first} and {second} both lead in term {term}"));
        }
        is_new
    }

    /// If a log entry is committed in a given term, then it is in the logs of the leaders of all later terms.
    fn leader_completeness(&self, node: NodeIndex, leader: &Node, term: u64, control: Told<'_>) {
        // A leader of an earlier term, whom its votes reach late, need not have it.
        let is_owed = |index: &u64| self.committed_by[index] < term;
        let mut owed = self.applied.iter().filter(|(index, _)| is_owed(index));
        let lost = owed.find(|(index, (applied, _))| leader.term_at(**index) != Some(*applied));
        if let Some((index, _)) = lost {
            let detail = format!("node {} leads in term {term} without entry {index}", node.as_usize() + 1);
            control.violate("leader-completeness", detail);
        }
    }

    /// If two logs have an entry with the same index and term, then they are the same in all entries up to it. By
    /// induction: such an entry always has the same content, and one of the same term before it.
    fn log_matching(&mut self, place: (u64, u64), entry: (u64, u64), control: Told<'_>) {
        let known = *self.logs.entry(place).or_insert(entry);
        if known != entry {
            let (index, term) = place;
            control.violate("log-matching", format!("entry {index} of term {term} is not the same in two logs"));
        }
    }

    /// If a node has applied an entry at an index, then no other node ever applies another one there.
    fn state_machine_safety(&mut self, node: NodeIndex, index: u64, entry: (u64, u64), control: Told<'_>) {
        let last = self.last.entry(node).or_default();
        if index != *last + 1 {
            let detail = format!("node {} applies entry {index} after {last}", node.as_usize() + 1);
            control.violate("applied-in-order", detail);
        }
        *last = index;
        let known = *self.applied.entry(index).or_insert(entry);
        if known != entry {
            control.violate("state-machine-safety", format!("two nodes apply different entries at {index}"));
        }
    }
}

impl Watch<Node> for Promises {
    fn booted(&mut self, _: Time, node: NodeIndex, _: u64, _: &mut Control<Vec<u8>>) {
        self.last.insert(node, 0);
        self.late.insert(node, BTreeSet::new());
    }

    fn event(&mut self, _: Time, node: NodeIndex, event: &Event, control: &mut Control<Vec<u8>>) {
        match event {
            Event::Appended { index, term, after, digest } => {
                self.log_matching((*index, *term), (*after, *digest), control);
            }
            Event::Applied { index, term, by, digest, data } => {
                let committed = self.committed_by.entry(*index).or_insert(*by);
                *committed = (*committed).min(*by);
                self.state_machine_safety(node, *index, (*term, *digest), control);
                let late = (0..LATE_PROPOSALS).filter(|number| late_proposal(*number) == *data);
                self.late.entry(node).or_default().extend(late);
            }
        }
    }

    fn settled(&mut self, _: Time, node: NodeIndex, machine: &Node, control: &mut Control<Vec<u8>>) {
        if let Some(term) = machine.leads()
            && self.election_safety(node, term, control)
        {
            self.leader_completeness(node, machine, term, control);
        }
    }
}

impl Judge<Node> for Promises {
    fn finish(&mut self, world: &World<Node>) -> Result<(), Violation> {
        let stuck = world.names().iter().zip(self.late.values()).find_map(|(name, applied)| {
            let missing = (0..LATE_PROPOSALS).find(|number| !applied.contains(number))?;
            Some(format!("{name} has not applied proposal {missing} of those made from {LATE_FROM} on"))
        });
        stuck.map_or(Ok(()), |detail| Err(Violation { check: "agreement".into(), detail }))
    }
}
