//! Looks on at a run: shows observations to the judge, fires triggers, and keeps what a report needs.

use super::inside::Inside;
use super::story::{Story, Tracer};
use crate::attacker::{Inspect, Look};
use crate::oracles::{ATTACKS_FAIL, DEATHS, Deaths, Judge, Outcome, Seen, THROUGH, announces_refused};
use crate::scenario::Scenario;
use crate::suites::{Broken, Tap, node_of};
use ::sim::{Control, NodeIndex, Time, Watch};
use fabric::probe::Probes;
use machine::{Destination, Machine};
use scenario_actor::{Observation, WorkSeen};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// In runs of fewer nodes than this each is looked into after every input; in larger ones after every second, third and so
/// on, since what there is to look at grows with the nodes.
const NODES_PER_LOOK: u64 = 16;

/// More observations than this are counted only: a report that long has no reader.
const SEEN_MAX: usize = 100_000;

/// A device id as text; the names of nodes are shorter.
const DEVICE_ID_LETTERS: usize = 64;

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

pub(crate) struct Onlooker {
    pub(in super::super) judge: Judge,
    scenario: Rc<Scenario>,
    names: BTreeMap<String, u32>,
    tap: Tap,
    deaths: Deaths,
    inside: Inside,
    settled: u64,
    seen: Vec<Seen>,
    totals: Totals,
    /// By node.
    incarnations: Vec<u64>,
    /// What was found by looking into machines, once for each node.
    found: BTreeSet<(u32, &'static str)>,
    tracer: Option<Tracer>,
    /// What machines had reached when they crashed.
    reached: Probes,
}

impl Onlooker {
    /// `devices` are the device ids of all nodes, as text; none where nobody can look into nodes.
    pub(in super::super) fn new(scenario: &Rc<Scenario>, tap: Tap, devices: &[String]) -> Self {
        Self {
            judge: Judge::new(Rc::clone(scenario)),
            scenario: Rc::clone(scenario),
            names: (0..).zip(&scenario.nodes).map(|(id, node)| (node.name.clone(), id)).collect(),
            tap,
            deaths: Deaths::new(scenario),
            inside: Inside::new(scenario, devices),
            settled: 0,
            seen: Vec::new(),
            totals: Totals::default(),
            incarnations: Vec::new(),
            found: BTreeSet::new(),
            tracer: None,
            reached: Probes::default(),
        }
    }

    pub(super) fn followed_by(self, tracer: Option<Tracer>) -> Self {
        Self { tracer, ..self }
    }

    /// What was kept of how each event came about.
    pub(super) fn take_story(&mut self) -> Option<Story> {
        self.tracer.take().map(Tracer::into_story)
    }

    /// Ends the run with a broken promise.
    fn violate<C>(&mut self, control: &mut Control<C>, check: &'static str, how: String) {
        if let Some(tracer) = &mut self.tracer {
            tracer.breaks();
        }
        control.violate(check, how);
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

    /// At the end of a run: judges what can only be judged then.
    pub(super) fn conclude(&mut self, end: Time) {
        if let Err(how) = self.deaths.pass(&self.scenario, end) {
            self.judge.fail(DEATHS, how, None);
        }
        let deaths = self.deaths.held().map_or(Outcome::NotJudged("nobody died".into()), Outcome::Held);
        self.judge.settle(DEATHS, deaths);
        self.inside.conclude(end, &mut self.judge);
        if let Some((check, how)) = self.tap.take_broken().or_else(|| self.tap.conclude()) {
            self.judge.fail(check, how, None);
        }
        self.judge.tapped(self.tap.records());
    }

    /// Who was heard, and who has a session with somebody who is gone.
    fn look_for_deaths(&mut self, at: Time, node: NodeIndex, look: &Look<'_>) -> Option<Broken> {
        for (listener, sealer) in self.tap.take_heard() {
            let node = |start: &str| self.names.get(node_of(start)).copied();
            if let (Some(listener), Some(sealer)) = (node(&listener), node(&sealer)) {
                self.deaths.heard(at, listener, sealer);
            }
        }
        let node = node.as_usize() as u32;
        if let Look::Node(inside) = look
            && !self.deaths.knows(node)
        {
            self.deaths.waits(node, inside.config().mux.dead_after);
            self.tap.rekeys_after(inside.config().session.rekey_after.get());
        }
        self.deaths.pass(&self.scenario, at).err().map(|how| (DEATHS, how))
    }

    /// What the machines of earlier starts had reached.
    pub(super) const fn reached_before(&self) -> Probes {
        self.reached
    }

    /// A hostile node may put on the wire whatever it likes.
    fn crosses(&self, node: NodeIndex, bytes: &[u8]) {
        let node = &self.scenario.nodes[node.as_usize()];
        if node.hostile.is_none() {
            self.tap.crosses(&node.name, bytes);
        }
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

    fn seen_by(&self, at: Time, node: NodeIndex, what: Observation) -> Seen {
        let place = node.as_usize();
        let incarnation = self.incarnations.get(place).copied().unwrap_or_default();
        Seen { at, node: place as u32, incarnation, what }
    }

    /// Looks into a machine: the first promise that what is there breaks.
    fn look(&mut self, at: Time, node: NodeIndex, look: &Look<'_>) -> Option<Broken> {
        match look {
            Look::Nothing => None,
            Look::Node(inside) => {
                for refusal in announces_refused(inside.discovery().counters()) {
                    self.find(at, node, refusal);
                }
                self.judge.load(node.as_usize() as u32, &inside.load())
            }
            Look::Hostile(peer) => {
                if peer.is_through() {
                    self.find(at, node, THROUGH);
                }
                peer.complaint().map(|how| (ATTACKS_FAIL, how.to_owned()))
            }
        }
    }

    /// What applications do not see is told as if they did, the first time.
    fn find(&mut self, at: Time, node: NodeIndex, what: &'static str) {
        if self.found.insert((node.as_usize() as u32, what)) {
            let seen = self.seen_by(at, node, Observation::Refused { reason: what.into() });
            self.judge.observe(&seen);
            if what != THROUGH {
                self.keep(seen);
            }
        }
    }

    fn keep(&mut self, seen: Seen) {
        let is_detail = match &seen.what {
            Observation::Received { .. } | Observation::Work { seen: WorkSeen::Started { .. }, .. } => true,
            // Nobody of the scenario: it goes by its id. A flood has a hundred thousand of them.
            Observation::Discovered { peer } => peer.len() == DEVICE_ID_LETTERS,
            _ => false,
        };
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

/// The probes of a machine, if it is a node.
pub(super) fn reached(machine: &impl Inspect) -> Probes {
    match machine.look() {
        Look::Node(node) => node.probes(),
        Look::Hostile(_) | Look::Nothing => Probes::default(),
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
        if let Some(tracer) = &mut self.tracer {
            tracer.saw(event);
        }
        let seen = self.seen_by(at, node, event.clone());
        let died = self.deaths.observe(&self.scenario, &seen);
        if let Some((check, how)) = self.see(seen) {
            self.violate(control, check, how);
        }
        if let Err(how) = died
            && self.judge.fail(DEATHS, how.clone(), Some(node.as_usize() as u32))
        {
            self.violate(control, DEATHS, how);
        }
        self.inside.event(at, node.as_usize() as u32, event, &self.tap);
        if let Observation::Marked { id } = event {
            control.fire(*id);
        }
    }

    fn crashed(&mut self, at: Time, node: NodeIndex, machine: &M, _: &mut Control<M::Command>) {
        self.reached.add(reached(machine));
        self.deaths.crashed(at, node.as_usize() as u32);
        self.inside.crashed(node.as_usize() as u32);
    }

    fn sent(&mut self, _: Time, node: NodeIndex, _: Destination, bytes: &[u8], _: &mut Control<M::Command>) {
        if self.scenario.nodes[node.as_usize()].hostile.is_none() {
            self.inside.announces(node.as_usize() as u32, bytes);
        }
        self.crosses(node, bytes);
    }

    fn filled(&mut self, _: Time, node: NodeIndex, peer: NodeIndex, bytes: &[u8], _: &mut Control<M::Command>) {
        self.inside.sends(node.as_usize() as u32, peer.as_usize() as u32, bytes.len());
        self.crosses(node, bytes);
    }

    fn settled(&mut self, at: Time, node: NodeIndex, machine: &M, control: &mut Control<M::Command>) {
        if let Some(tracer) = &mut self.tracer {
            tracer.settled(at, node, machine, control);
        }
        let look = machine.look();
        let died = self.look_for_deaths(at, node, &look);
        let inside = if let Look::Node(inside) = look { Some(inside) } else { None };
        let broken = self.inside.settled(at, node.as_usize() as u32, inside, &self.tap);
        self.settled += 1;
        let look_every = 1 + self.scenario.nodes.len() as u64 / NODES_PER_LOOK;
        let looked = if self.settled.is_multiple_of(look_every) { self.look(at, node, &look) } else { None };
        if let Some((check, how)) = self.tap.take_broken().or(looked).or(died).or(broken)
            && self.judge.fail(check, how.clone(), Some(node.as_usize() as u32))
        {
            self.violate(control, check, how);
        }
    }
}
