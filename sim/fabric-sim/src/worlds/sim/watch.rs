//! Looks on at a run: shows observations to the judge, fires triggers, and keeps what a report needs.

use super::Inspect;
use crate::oracles::{DEATHS, Deaths, Judge, Outcome, Seen, TABLES, count, tables};
use crate::scenario::Scenario;
use crate::suites::{Tap, node_of};
use ::sim::{Control, NodeIndex, Time, Watch};
use machine::{Destination, Machine};
use scenario_actor::{Observation, WorkSeen};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A node is looked into after one in so many of its run's events: its tables fill and empty more slowly than that.
const LOOK_EVERY: u64 = 32;

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

pub(super) struct Onlooker {
    pub(super) judge: Judge,
    scenario: Rc<Scenario>,
    names: BTreeMap<String, u32>,
    tap: Tap,
    deaths: Deaths,
    settled: u64,
    looks: u64,
    seen: Vec<Seen>,
    totals: Totals,
    /// By node.
    incarnations: Vec<u64>,
}

impl Onlooker {
    pub(super) fn new(scenario: &Rc<Scenario>, tap: Tap) -> Self {
        Self {
            judge: Judge::new(Rc::clone(scenario)),
            scenario: Rc::clone(scenario),
            names: (0..).zip(&scenario.nodes).map(|(id, node)| (node.name.clone(), id)).collect(),
            tap,
            deaths: Deaths::new(scenario),
            settled: 0,
            looks: 0,
            seen: Vec::new(),
            totals: Totals::default(),
            incarnations: Vec::new(),
        }
    }

    /// At the end of a run: judges what can only be judged then.
    pub(super) fn conclude(&mut self, end: Time) {
        if let Err(how) = self.deaths.pass(&self.scenario, end) {
            self.judge.fail(DEATHS, how);
        }
        let deaths = self.deaths.held().map_or(Outcome::NotJudged("nobody died".into()), Outcome::Held);
        self.judge.settle(DEATHS, deaths);
        let looks = match self.looks {
            0 => Outcome::NotJudged("no node was looked into".into()),
            looks => Outcome::Held(count(looks, "look")),
        };
        self.judge.settle(TABLES, looks);
        if let Some((check, how)) = self.tap.take_broken().or_else(|| self.tap.conclude()) {
            self.judge.fail(check, how);
        }
        self.judge.tapped(self.tap.records());
    }

    /// What the latest event of `node` shows of the promises that observations say nothing about.
    fn look(&mut self, at: Time, node: u32, machine: &impl Inspect) -> Result<(), (&'static str, String)> {
        if let Some(broken) = self.tap.take_broken() {
            return Err(broken);
        }
        for (listener, sealer) in self.tap.take_heard() {
            let node = |start: &str| self.names.get(node_of(start)).copied();
            if let (Some(listener), Some(sealer)) = (node(&listener), node(&sealer)) {
                self.deaths.heard(at, listener, sealer);
            }
        }
        if let Some(fabric) = machine.fabric_node().filter(|_| !self.deaths.knows(node)) {
            self.deaths.waits(node, fabric.config().mux.dead_after);
        }
        self.settled += 1;
        if !self.settled.is_multiple_of(LOOK_EVERY) {
            return Ok(());
        }
        self.deaths.pass(&self.scenario, at).map_err(|how| (DEATHS, how))?;
        let Some(fabric) = machine.fabric_node() else { return Ok(()) };
        self.looks += 1;
        let name = self.scenario.node_name(node);
        tables::judge(&fabric.load(), fabric.config()).map_err(|how| (TABLES, format!("{name} holds {how}")))
    }

    fn crosses(&self, node: NodeIndex, bytes: &[u8]) {
        self.tap.crosses(self.scenario.node_name(node.as_usize() as u32), bytes);
    }

    pub(super) fn into_parts(self) -> (Judge, Vec<Seen>, Totals) {
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

impl<M: Machine<Event = Observation> + Inspect> Watch<M> for Onlooker {
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
        self.count(event);
        if let Some((check, how)) = self.judge.observe(&seen) {
            control.violate(check, how);
        }
        if let Err(how) = self.deaths.observe(&self.scenario, &seen) {
            self.judge.fail(DEATHS, how.clone());
            control.violate(DEATHS, how);
        }
        if let Observation::Marked { id } = event {
            control.fire(*id);
        }
        self.keep(seen);
    }

    fn crashed(&mut self, at: Time, node: NodeIndex, _: &mut Control<M::Command>) {
        self.deaths.crashed(at, node.as_usize() as u32);
    }

    fn sent(&mut self, _: Time, node: NodeIndex, _: Destination, bytes: &[u8], _: &mut Control<M::Command>) {
        self.crosses(node, bytes);
    }

    fn filled(&mut self, _: Time, node: NodeIndex, _: NodeIndex, bytes: &[u8], _: &mut Control<M::Command>) {
        self.crosses(node, bytes);
    }

    fn settled(&mut self, at: Time, node: NodeIndex, machine: &M, control: &mut Control<M::Command>) {
        if let Err((check, how)) = self.look(at, node.as_usize() as u32, machine) {
            self.judge.fail(check, how.clone());
            control.violate(check, how);
        }
    }
}
