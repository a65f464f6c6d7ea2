//! Looks on at a run: shows observations to the judge, fires triggers, and keeps what a report needs.

use crate::oracles::{Judge, Seen};
use crate::suites::Tap;
use ::sim::{Control, NodeIndex, Time, Watch};
use machine::Machine;
use scenario_actor::{Observation, WorkSeen};

/// More observations than this are counted only: a report that long has no reader.
const SEEN_MAX: usize = 100_000;

/// Sums over all observations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) observations: u64,
    /// Each counted at both of its ends.
    pub(crate) sessions_up: u64,
    pub(crate) sessions_down: u64,
    pub(crate) tries: u64,
    pub(crate) tries_failed: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// How many observations were not kept.
    pub(crate) omitted: u64,
}

pub(in super::super) struct Onlooker {
    pub(in super::super) judge: Judge,
    tap: Tap,
    seen: Vec<Seen>,
    totals: Totals,
    /// By node.
    incarnations: Vec<u64>,
}

impl Onlooker {
    pub(in super::super) fn new(judge: Judge, tap: Tap) -> Self {
        Self { judge, tap, seen: Vec::new(), totals: Totals::default(), incarnations: Vec::new() }
    }

    /// What was kept so far.
    pub(in super::super) fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Takes in one observation. The first promise that it breaks: its name, and how.
    pub(in super::super) fn see(&mut self, seen: Seen) -> Option<(&'static str, String)> {
        self.count(&seen.what);
        let broken = self.judge.observe(&seen);
        self.keep(seen);
        broken
    }

    pub(in super::super) fn into_parts(self) -> (Judge, Vec<Seen>, Totals) {
        (self.judge, self.seen, self.totals)
    }

    fn count(&mut self, what: &Observation) {
        let totals = &mut self.totals;
        totals.observations += 1;
        match what {
            Observation::SessionUp { .. } => totals.sessions_up += 1,
            Observation::SessionDown { .. } => totals.sessions_down += 1,
            Observation::Received { bytes, .. } => {
                totals.messages += 1;
                totals.bytes += u64::from(*bytes);
            }
            Observation::Work { seen: WorkSeen::Started { .. }, .. } => totals.tries += 1,
            Observation::Work { seen: WorkSeen::Failed { .. }, .. } => totals.tries_failed += 1,
            _ => {}
        }
    }

    fn keep(&mut self, seen: Seen) {
        let is_detail = matches!(
            seen.what,
            Observation::Received { .. } | Observation::Work { seen: WorkSeen::Started { .. }, .. }
        );
        if is_detail {
            return;
        }
        if self.seen.len() < SEEN_MAX {
            self.seen.push(seen);
        } else {
            self.totals.omitted += 1;
        }
    }
}

impl<M: Machine<Event = Observation>> Watch<M> for Onlooker {
    fn booted(&mut self, _: Time, node: NodeIndex, incarnation: u64, _: &mut Control<M::Command>) {
        let place = node.as_usize();
        if self.incarnations.len() <= place {
            self.incarnations.resize(place + 1, 0);
        }
        self.incarnations[place] = incarnation;
    }

    fn event(&mut self, at: Time, node: NodeIndex, event: &Observation, control: &mut Control<M::Command>) {
        let place = node.as_usize();
        let incarnation = self.incarnations.get(place).copied().unwrap_or_default();
        let seen = Seen { at, node: place as u32, incarnation, what: event.clone() };
        if let Some((check, how)) = self.see(seen) {
            control.violate(check, how);
        }
        if let Observation::Marked { id } = event {
            control.fire(*id);
        }
    }

    fn settled(&mut self, _: Time, _: NodeIndex, _: &M, control: &mut Control<M::Command>) {
        if let Some((check, how)) = self.tap.take_broken() {
            self.judge.fail(check, how.clone());
            control.violate(check, how);
        }
    }
}
