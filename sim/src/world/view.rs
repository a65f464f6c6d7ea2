//! What a world shows of itself between runs.

use super::World;
use crate::fault::Counts;
use crate::ledger::Ledger;
use crate::trace::{Checkpoint, Record};
use crate::{NodeIndex, Time};
use machine::{Addr, Instant, Machine};

/// What can be asked of a world between runs.
impl<M: Machine> World<M> {
    /// The time that the run has reached.
    pub const fn now(&self) -> Time {
        self.net.now
    }

    /// The hash over everything that has happened.
    pub fn trace_hash(&self) -> u64 {
        self.net.trace.hash()
    }

    /// How many events have been recorded.
    pub const fn events(&self) -> u64 {
        self.net.trace.events()
    }

    /// The hash at intervals, at most about a thousand: two runs are equal up to the last checkpoint that they share.
    pub fn checkpoints(&self) -> &[Checkpoint] {
        self.net.trace.checkpoints()
    }

    /// The last events, the oldest first.
    pub fn last_events(&self) -> Vec<Record> {
        self.net.trace.tail()
    }

    /// How often each misfortune struck.
    pub const fn counts(&self) -> Counts {
        self.net.counts
    }

    /// The decisions made so far, if they were asked for.
    pub const fn ledger(&self) -> &Ledger {
        &self.net.ledger
    }

    /// All names, in order: a node's index is its place here.
    pub fn names(&self) -> &[String] {
        &self.net.names
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<NodeIndex> {
        self.net.names.binary_search_by(|other| other.as_str().cmp(name)).ok().map(|index| NodeIndex(index as u32))
    }

    /// The address that others reach `node` at.
    pub fn addr(&self, node: NodeIndex) -> Addr {
        self.net.addr(node.0)
    }

    /// The machine of `node`; `None` while it is down.
    pub fn machine(&self, node: NodeIndex) -> Option<&M> {
        self.nodes[node.as_usize()].machine.as_ref()
    }

    /// What `node`'s clock shows now.
    pub fn clock(&self, node: NodeIndex) -> Instant {
        self.nodes[node.as_usize()].clock.read(self.net.now)
    }
}
