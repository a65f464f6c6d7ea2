//! A man in the middle who lies about identities, on links that are not the simulator's own.

use super::super::kinds::TapKind;
use super::datagrams::IdentitySwap;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use ::sim::Time;
use std::collections::BTreeSet;

/// One of them.
pub(crate) struct Liar {
    name: String,
    from: Time,
    until: Time,
    links: BTreeSet<(NodeId, NodeId)>,
    man: IdentitySwap,
    has_lied: bool,
}

impl Liar {
    /// The scenario's; `devices` are the device ids of all nodes, as text.
    pub(crate) fn all(scenario: &Scenario, devices: &[String]) -> Vec<Self> {
        let liars = scenario.attackers.iter().filter(|attacker| attacker.tap == TapKind::IdentitySwap);
        let liar = |attacker: &crate::scenario::resolved::Attacker| Self {
            name: attacker.name.clone(),
            from: Time::from_nanos(attacker.from.0),
            until: attacker.until.map_or(Time::MAX, |until| Time::from_nanos(until.0)),
            links: attacker.links(&scenario.nodes).flat_map(|(a, b)| [(a, b), (b, a)]).collect(),
            man: IdentitySwap::new(devices),
            has_lied: false,
        };
        liars.map(liar).collect()
    }

    /// What it sends ahead of a datagram.
    pub(crate) fn lies(&mut self, at: Time, link: (NodeId, NodeId), bytes: &[u8]) -> Vec<Vec<u8>> {
        if !(self.from..self.until).contains(&at) || !self.links.contains(&link) {
            return Vec::new();
        }
        let lies = self.man.lies_about(bytes);
        self.has_lied |= !lies.is_empty();
        lies
    }

    /// Its name, if it had nothing to lie about.
    pub(crate) fn idle(&self) -> Option<&str> {
        (!self.has_lied).then_some(self.name.as_str())
    }
}
