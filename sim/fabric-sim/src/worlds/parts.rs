//! What each node is told: its part of the scenario, with keys that the seed decides.

use crate::scenario::Scenario;
use crate::scenario::resolved::{NodeId, SiteId};
use fabric::identity::DeviceKey;
use rand_chacha::rand_core::Rng;
use scenario_actor::{Allow, Bytes32, Directory, Mark, Part, Peer, Work};
use std::rc::Rc;

/// The UDP port of discovery and the TCP port of sessions.
pub(crate) const PORT: u16 = 7_000;

/// The device key of every node, made once for all that need it.
#[derive(Clone)]
pub(crate) struct Keys {
    scenario: Rc<Scenario>,
    /// In the order of names.
    all: Rc<[DeviceKey]>,
}

impl Keys {
    pub(crate) fn new(scenario: &Rc<Scenario>, seed: u64) -> Self {
        let key = |name: &str| DeviceKey::from_seed(&secret(seed, "device", name));
        Self { scenario: Rc::clone(scenario), all: scenario.nodes.iter().map(|node| key(&node.name)).collect() }
    }

    /// The key of the node of this name.
    pub(crate) fn of(&self, name: &str) -> Option<&DeviceKey> {
        let place = self.scenario.nodes.binary_search_by(|node| node.name.as_str().cmp(name)).ok()?;
        self.all.get(place)
    }
}

/// Every node's part. What grows with the number of nodes is shared by all of them.
pub(crate) struct Parts {
    scenario: Rc<Scenario>,
    seed: u64,
    directory: Directory,
    /// The places of all work, by who does it.
    work: Vec<u32>,
    /// By site: who is in it.
    members: Vec<Vec<NodeId>>,
}

impl Parts {
    pub(crate) fn new(scenario: Rc<Scenario>, seed: u64, keys: &Keys) -> Self {
        let device = |key: &DeviceKey| Bytes32(*key.device_id().as_bytes());
        let peer = |(name, key): (&String, &DeviceKey)| Peer { name: name.clone(), device: device(key) };
        let names = scenario.nodes.iter().map(|node| &node.name);
        let directory = Directory::new(names.zip(&*keys.all).map(peer).collect());
        let mut work: Vec<u32> = (0..scenario.work.len() as u32).collect();
        work.sort_by_key(|id| scenario.work[*id as usize].from);
        let mut members = vec![Vec::new(); scenario.sites.len()];
        for (id, node) in (0..).zip(&scenario.nodes) {
            node.sites.iter().flatten().for_each(|site| members[*site as usize].push(id));
        }
        Self { scenario, seed, directory, work, members }
    }

    /// What `node` is told.
    pub(crate) fn of(&self, node: NodeId) -> Part {
        let me = &self.scenario.nodes[node as usize];
        // Who passes for another has that device's key, and a suite that does not sign with it.
        let guise = me.hostile.as_ref().and_then(|hostile| hostile.guise).unwrap_or(node);
        Part {
            name: me.name.clone(),
            device_seed: Bytes32(secret(self.seed, "device", self.scenario.node_name(guise))),
            noise_secret: Bytes32(secret(self.seed, "noise", &me.name)),
            port: PORT,
            peers: self.directory.clone(),
            trusts: self.trusts(node),
            serves: me.serves.clone(),
            allow: me.allow.iter().map(|(peer, service)| self.allow(*peer, service)).collect(),
            work: self.work(node),
            marks: self.marks(node),
        }
    }

    /// The device id of every node in the order of names, as text.
    pub(crate) fn device_ids(&self) -> Vec<String> {
        self.directory.iter().map(|peer| peer.device_id().to_string()).collect()
    }

    fn name(&self, node: NodeId) -> String {
        self.scenario.node_name(node).to_owned()
    }

    fn trusts(&self, me: NodeId) -> Option<Vec<String>> {
        let node = &self.scenario.nodes[me as usize];
        let trusted = match (&node.trusts, &node.sites) {
            (Some(trusts), _) => trusts.clone(),
            // Of nodes everywhere most never hear of it, and a list of all of them, for each, is as long as its square.
            (None, Some(sites)) => self.heard(sites),
            (None, None) => return None,
        };
        Some(trusted.iter().filter(|id| **id != me).map(|id| self.name(*id)).collect())
    }

    /// Who is in any of these sites.
    fn heard(&self, sites: &[SiteId]) -> Vec<NodeId> {
        let mut heard: Vec<_> = sites.iter().flat_map(|site| &self.members[*site as usize]).copied().collect();
        heard.sort_unstable();
        heard.dedup();
        heard
    }

    fn allow(&self, peer: NodeId, service: &str) -> Allow {
        Allow { peer: self.name(peer), service: service.to_owned() }
    }

    fn work(&self, me: NodeId) -> Vec<Work> {
        let from = |id: &u32| self.scenario.work[*id as usize].from;
        let first = self.work.partition_point(|id| from(id) < me);
        let mine = self.work[first..].iter().take_while(|id| from(id) == me);
        let mut all: Vec<_> = mine
            .map(|id| (*id, &self.scenario.work[*id as usize]))
            .map(|(id, work)| Work {
                id,
                at_nanos: work.at.0,
                peer: self.name(work.to),
                service: work.service.clone(),
                priority: work.priority,
                bytes: work.bytes.0,
                message_bytes: (work.message.min.0 as u32, work.message.max.0 as u32),
                expect: work.expect,
            })
            .collect();
        all.sort_by_key(|work| (work.at_nanos, work.id));
        all
    }

    fn marks(&self, me: NodeId) -> Vec<Mark> {
        let mine = (0..).zip(&self.scenario.marks).filter(|(_, mark)| mark.node == me);
        mine.map(|(id, mark)| Mark { id, kind: mark.kind, bytes: mark.bytes.0 }).collect()
    }
}

/// 32 secret bytes from a stream that no other purpose and no other node shares.
fn secret(seed: u64, purpose: &str, name: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    ::sim::fate::stream(seed, &format!("{purpose} {name}")).fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_trusts_everybody_is_told_of_those_whom_it_can_hear() {
        let scenario = crate::scenario::load(std::path::Path::new("../../scenarios/two-homes.toml"), &[]).unwrap();
        let scenario = Rc::new(scenario);
        let parts = Parts::new(Rc::clone(&scenario), 5, &Keys::new(&scenario, 5));
        let of = |name: &str| scenario.nodes.iter().position(|node| node.name == name).unwrap() as NodeId;
        let trusts = |name: &str| parts.of(of(name)).trusts.unwrap().join(" ");
        assert_eq!(trusts("home-2-phone-1"), "courier home-2-hub home-2-phone-2");
        assert_eq!(trusts("courier").split(' ').count(), 6);
    }

    /// `tests/secrets.rs` looks for these in all that a run leaves behind.
    #[test]
    fn secrets_are_drawn_as_a_test_elsewhere_draws_them_again() {
        let scenario = crate::scenario::load(std::path::Path::new("tests/scenarios/busy.toml"), &[]).unwrap();
        let scenario = Rc::new(scenario);
        let part = Parts::new(Rc::clone(&scenario), 5, &Keys::new(&scenario, 5)).of(0);
        for (purpose, secret) in [("device hub", part.device_seed), ("noise hub", part.noise_secret)] {
            let mut drawn = [0; 32];
            ::sim::fate::stream(5, purpose).fill_bytes(&mut drawn);
            assert_eq!(secret, Bytes32(drawn), "{purpose}");
        }
    }
}
