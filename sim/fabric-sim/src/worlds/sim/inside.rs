//! Looks into nodes after each of their steps, for the promises that observations do not show.

use crate::oracles::{
    CANDIDATES, Candidates, DIALS, DRAINS, DUPLICATES, Dial, Dials, Drains, Duplicates, EPOCHS, Epochs, Judge, MEMORY,
    Memory, NEWEST, Newest, Outcome, PLACES, Places, REDIALS, Redials, Table, WANTED,
};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::suites::{Broken, Heard, Tap, node_of};
use ::sim::Time;
use fabric::Node;
use fabric::identity::DeviceId;
use fabric::mux::code;
use machine::Duration;
use scenario_actor::Observation;
use std::collections::BTreeMap;
use std::rc::Rc;

/// See the module.
pub(super) struct Inside {
    scenario: Rc<Scenario>,
    /// By node; empty where nobody can look into nodes.
    devices: Vec<DeviceId>,
    nodes: BTreeMap<DeviceId, NodeId>,
    names: BTreeMap<String, NodeId>,
    duplicates: Duplicates,
    newest: Newest,
    drains: Drains,
    redials: Redials,
    places: Places,
    candidates: Candidates,
    dials: Dials,
    epochs: Epochs,
    memory: Memory,
    /// By node.
    drain_timeouts: BTreeMap<NodeId, Duration>,
    /// Whom the node that acts now has just failed to reach, or lost.
    lost: Vec<NodeId>,
    /// What was found in this step.
    broken: Option<Broken>,
}

impl Inside {
    /// `devices` are the device ids of all nodes, as text.
    pub(super) fn new(scenario: &Rc<Scenario>, devices: &[String]) -> Self {
        let devices: Vec<DeviceId> = devices.iter().filter_map(|device| device.parse().ok()).collect();
        Self {
            nodes: devices.iter().copied().zip(0..).collect(),
            names: scenario.nodes.iter().map(|node| node.name.clone()).zip(0..).collect(),
            devices,
            duplicates: Duplicates::default(),
            newest: Newest::default(),
            drains: Drains::new(scenario),
            redials: Redials::default(),
            places: Places::default(),
            candidates: Candidates::default(),
            dials: Dials::default(),
            epochs: Epochs::default(),
            memory: Memory::default(),
            drain_timeouts: BTreeMap::new(),
            lost: Vec::new(),
            broken: None,
            scenario: Rc::clone(scenario),
        }
    }

    /// `peer` has put bytes into a pipe to `node`.
    pub(super) fn sends(&mut self, peer: NodeId, node: NodeId, bytes: usize) {
        self.memory.sends(peer, node, bytes);
    }

    /// The application of `node` has seen something.
    pub(super) fn event(&mut self, at: Time, node: NodeId, event: &Observation, tap: &Tap) {
        if let Observation::SessionDown { peer, .. } | Observation::SessionFailed { peer, .. } = event
            && let Some(peer) = self.names.get(peer).copied()
        {
            self.closes(at, tap); // what ended it was there before
            self.drains.over(node, peer);
            self.lost.push(peer);
        }
    }

    /// `node`, which is honest, has sent a datagram.
    pub(super) fn announces(&mut self, node: NodeId, datagram: &[u8]) {
        let broken = said(EPOCHS, self.epochs.sends(&self.scenario, node, datagram));
        self.broken = self.broken.take().or(broken);
    }

    pub(super) fn crashed(&mut self, node: NodeId) {
        self.drains.crashed(node);
        self.candidates.crashed(node);
        self.dials.crashed(node);
    }

    /// A step is over; `inside` is the node whose it was, if it is one. The first promise that it breaks.
    pub(super) fn settled(&mut self, at: Time, id: NodeId, inside: Option<&Node>, tap: &Tap) -> Option<Broken> {
        if let Some(inside) = inside {
            self.drain_timeouts.insert(id, inside.config().mux.drain_timeout);
        }
        self.closes(at, tap);
        let mut broken = self.broken.take();
        broken = broken.or_else(|| said(DRAINS, self.drains.pass(&self.scenario, at)));
        let lost = core::mem::take(&mut self.lost);
        let Some(inside) = inside else { return broken };
        broken = broken.or_else(|| said(DUPLICATES, Duplicates::kept(&self.scenario, id, inside.duplicates())));
        let newest = self.newest.look(&self.scenario, id, inside.older_sessions());
        broken = broken.or_else(|| said(NEWEST, newest)).or_else(|| said(WANTED, self.wanted(id, inside)));
        broken = broken.or_else(|| lost.into_iter().find_map(|peer| self.redial(id, peer, inside)));
        let live: Vec<_> = inside.session_devices().collect();
        let has_place = |device| inside.discovery().peer(device).is_some();
        let placed = self.places.look(&self.scenario, id, &live, has_place);
        let broken = broken.or_else(|| said(PLACES, placed)).or_else(|| self.candidates(id, inside, &live));
        let dials = self.dials(id, inside, &live);
        broken.or(dials).or_else(|| self.memory(id, inside))
    }

    fn candidates(&mut self, id: NodeId, inside: &Node, live: &[DeviceId]) -> Option<Broken> {
        if !self.candidates.is_due(&self.scenario, id, inside) {
            return None;
        }
        let (counters, table) = (inside.discovery().counters(), Table::of(inside, live));
        said(CANDIDATES, self.candidates.look(&self.scenario, id, counters, table, &self.nodes))
    }

    fn dials(&mut self, id: NodeId, inside: &Node, live: &[DeviceId]) -> Option<Broken> {
        let (now, limits) = (inside.now(), &inside.config().discovery);
        said(DIALS, self.dials.look(&self.scenario, id, now, limits, Dial::all(inside).collect(), live))
    }

    /// Sessions were ended by their peers.
    fn closes(&mut self, at: Time, tap: &Tap) {
        for (heard, code) in tap.take_closes() {
            let broken = self.close(at, &heard, code);
            self.broken = self.broken.take().or(broken);
        }
    }

    fn close(&mut self, at: Time, (listener, closer): &Heard, code: u32) -> Option<Broken> {
        let node = |start: &str| self.names.get(node_of(start)).copied();
        let (listener, closer) = (node(listener)?, node(closer)?);
        if let Some(timeout) = self.drain_timeouts.get(&listener).filter(|_| code::drains(code)) {
            self.drains.begins(at, listener, closer, *timeout);
        }
        if code != code::DUPLICATE {
            return None;
        }
        let is_smaller = self.devices.get(closer as usize)? < self.devices.get(listener as usize)?;
        said(DUPLICATES, self.duplicates.ended(&self.scenario, closer, listener, is_smaller))
    }

    fn wanted(&self, id: NodeId, inside: &Node) -> Result<(), String> {
        let Some(peer) = inside.forgotten() else { return Ok(()) };
        let name = |id: NodeId| self.scenario.node_name(id);
        let peer = self.nodes.get(&peer).map_or("somebody", |peer| name(*peer));
        Err(format!("{} wants a session with {peer}, and does nothing for it", name(id)))
    }

    /// A session with `peer` was lost, or did not come about: how long the node waits before the next.
    fn redial(&mut self, id: NodeId, peer: NodeId, inside: &Node) -> Option<Broken> {
        let wait = inside.redials_in(*self.devices.get(peer as usize)?);
        let peer = self.scenario.node_name(peer);
        said(REDIALS, self.redials.waits(&self.scenario, id, peer, wait, &inside.config().limits))
    }

    /// Whoever owns a link may send what nobody has.
    fn memory(&mut self, id: NodeId, inside: &Node) -> Option<Broken> {
        if !self.scenario.attackers.is_empty() {
            return None;
        }
        let mut kept: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (device, bytes) in inside.record_memory() {
            if let Some(peer) = self.nodes.get(&device) {
                *kept.entry(*peer).or_default() += bytes;
            }
        }
        let mut judged = kept.into_iter().map(|(peer, bytes)| self.memory.keeps(&self.scenario, id, peer, bytes));
        judged.find_map(|judged| said(MEMORY, judged))
    }

    /// At the end of a run: tells the judge what held.
    pub(super) fn conclude(&self, end: Time, judge: &mut Judge) {
        if let Err(how) = self.drains.pass(&self.scenario, end) {
            judge.fail(DRAINS, how, None);
        }
        let all = [
            (DUPLICATES, self.duplicates.held(), "no session was ended as a duplicate"),
            (NEWEST, self.newest.held(), "nobody had two sessions with one device"),
            (DRAINS, self.drains.held(), "no session was ended in order"),
            (REDIALS, self.redials.held(), "nobody was lost"),
            (PLACES, self.places.held(), "no device had both a session and a place"),
            (CANDIDATES, self.candidates.held(), "nobody was announced, or there are too many nodes"),
            (DIALS, self.dials.held(), "nobody was dialled where announces say"),
            (EPOCHS, self.epochs.held(), "nothing signed was announced"),
            (MEMORY, self.memory.held(), "no record came, or somebody else made some"),
        ];
        for (name, held, nothing) in all {
            judge.settle(name, held.map_or(Outcome::NotJudged(nothing.to_owned()), Outcome::Held));
        }
    }
}

fn said(check: &'static str, judged: Result<(), String>) -> Option<Broken> {
    judged.err().map(|how| (check, how))
}
