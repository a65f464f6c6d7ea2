//! A run as a graph: every event with what it follows from, and what applications saw. Kept on request.

use ::sim::causes::{Causes, Happening};
use ::sim::{Control, NodeIndex, Time, Watch};
use machine::Machine;
use scenario_actor::Observation;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// In order; of a very long run only the last ones.
    pub(crate) happenings: Vec<Happening>,
    /// What the events of applications say.
    pub(crate) seen: BTreeMap<u64, Observation>,
    /// The event at which the first promise was broken, if it was broken by one.
    pub(crate) broken_at: Option<u64>,
}

/// Looks on beside the oracles.
pub(super) struct Tracer {
    causes: Causes,
    seen: BTreeMap<u64, Observation>,
    broken_at: Option<u64>,
}

impl Tracer {
    pub(super) const fn new(causes: Causes) -> Self {
        Self { causes, seen: BTreeMap::new(), broken_at: None }
    }

    /// An application saw something: the event that was recorded last.
    pub(super) fn saw(&mut self, what: &Observation) {
        self.seen.insert(self.last(), what.clone());
    }

    /// The event that was recorded last breaks a promise.
    pub(super) fn breaks(&mut self) {
        self.broken_at = self.broken_at.or(Some(self.last()));
    }

    pub(super) fn settled<M: Machine>(
        &mut self,
        at: Time,
        node: NodeIndex,
        machine: &M,
        control: &mut Control<M::Command>,
    ) {
        self.causes.settled(at, node, machine, control);
    }

    pub(super) fn into_story(self) -> Story {
        Story { happenings: self.causes.take(), seen: self.seen, broken_at: self.broken_at }
    }

    fn last(&self) -> u64 {
        self.causes.events().saturating_sub(1)
    }
}
