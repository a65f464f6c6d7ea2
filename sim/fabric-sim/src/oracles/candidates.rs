//! Where a device is to be found is forgotten in its time only (wire contract, 2): an announce touches its own candidate and
//! no other, a full device loses its oldest unproven one, who is trusted or has a session is never evicted, and beside a
//! signed announce that lives an unsigned one says nothing. And no source holds more than a quarter of the table. Told what is
//! in peer tables when announces have come in; knows no bytes.

use super::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::{Deed, NodeId};
use fabric::Node;
use fabric::discovery::{Claim, Counters};
use fabric::identity::{DeviceId, NoisePublic};
use machine::{Addr, Host, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// In runs of more nodes tables are not looked at: each announce would cost each of them a walk through all of its own.
const NODES_MAX: usize = 32;

/// One candidate of a device.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    key: (Addr, NoisePublic),
    is_signed: bool,
    is_proven: bool,
    heard_at: Instant,
    expires_at: Instant,
}

/// One device of a peer table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Trusted, or in a session.
    is_protected: bool,
    candidates: Vec<Candidate>,
}

/// What is in one node's table.
#[derive(Debug)]
pub(crate) struct Table {
    now: Instant,
    devices_max: usize,
    /// Most candidates of a device.
    candidates_max: usize,
    /// How many announces were refused for want of room at their device.
    refused_full: u64,
    entries: BTreeMap<DeviceId, Entry>,
}

impl Table {
    /// `live` are the devices that the node has sessions with.
    pub(crate) fn of(node: &Node, live: &[DeviceId]) -> Self {
        let is_protected = |device: DeviceId| node.trusts(device) || live.contains(&device);
        let candidate = |it: &fabric::discovery::Candidate| Candidate {
            key: (it.addr, it.noise_static),
            is_signed: it.claim == Claim::V2,
            is_proven: it.proven_at.is_some(),
            heard_at: it.heard_at,
            expires_at: it.expires_at,
        };
        let entries = node.discovery().peers().map(|(device, peer)| {
            let candidates = peer.candidates().iter().map(candidate).collect();
            (device, Entry { is_protected: is_protected(device), candidates })
        });
        Self {
            now: node.now(),
            devices_max: usize::from(node.config().discovery.devices_max),
            candidates_max: usize::from(node.config().discovery.candidates_max).max(1),
            refused_full: node.discovery().counters().candidates_full,
            entries: entries.collect(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// By node: how many announces had come in, and the table then.
    before: BTreeMap<NodeId, (u64, Table)>,
    judged: u64,
}

impl Candidates {
    /// Whether an announce has come in that may have changed the table of `node`.
    pub(crate) fn is_due(&self, scenario: &Scenario, node: NodeId, inside: &Node) -> bool {
        let heard = heard_by(inside.discovery().counters());
        scenario.nodes.len() <= NODES_MAX && self.before.get(&node).is_none_or(|(before, _)| *before != heard)
    }

    /// This is the table of `node` now; `nodes` says which device is whose.
    pub(crate) fn look(
        &mut self,
        scenario: &Scenario,
        node: NodeId,
        counters: &Counters,
        table: Table,
        nodes: &BTreeMap<DeviceId, NodeId>,
    ) -> Result<(), String> {
        let name = scenario.node_name(node);
        let leaves = |device: &DeviceId| nodes.get(device).is_some_and(|node| leaves(scenario, *node));
        let judged = match self.before.get(&node) {
            Some((_, before)) => judge_kept(before, &table, leaves).and_then(|()| judge_refused(before, &table)),
            None => Ok(()),
        };
        self.judged += 1;
        let judged = judged.and_then(|()| judge_unsigned(&table)).and_then(|()| judge_sources(&table));
        self.before.insert(node, (heard_by(counters), table));
        judged.map_err(|how| format!("{name} {how}"))
    }

    /// `node` has lost its memory.
    pub(crate) fn crashed(&mut self, node: NodeId) {
        self.before.remove(&node);
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| count(self.judged, "announce"))
    }
}

const fn heard_by(counters: &Counters) -> u64 {
    counters.accepted + counters.candidates_full
}

/// Whether somebody has the node say goodbye.
fn leaves(scenario: &Scenario, node: NodeId) -> bool {
    scenario.acts.iter().any(|act| act.on == node && act.deed == Deed::Leave)
}

fn judge_kept(before: &Table, now: &Table, leaves: impl Fn(&DeviceId) -> bool) -> Result<(), String> {
    let stays = |device: &DeviceId, entry: &Entry| entry.is_protected && !leaves(device);
    for (device, old) in before.entries.iter().filter(|(device, entry)| stays(device, entry)) {
        let left = now.entries.get(device);
        if left.is_some_and(|entry| !entry.is_protected) {
            continue; // it has lost what protected it in between
        }
        let left = left.map_or(&[][..], |entry| &entry.candidates);
        let is_full = left.len() >= now.candidates_max;
        let may_go = |gone: &Candidate| gone.expires_at <= now.now || is_full && !gone.is_proven;
        let is_gone = |it: &&Candidate| !left.iter().any(|kept| kept.key == it.key);
        if old.candidates.iter().filter(is_gone).any(|gone| !may_go(gone)) {
            return Err("forgets before its time where a device is that it trusts, or has a session with".to_owned());
        }
    }
    Ok(())
}

fn judge_refused(before: &Table, now: &Table) -> Result<(), String> {
    let is_proven_throughout = |entry: &Entry| {
        entry.candidates.len() >= now.candidates_max && entry.candidates.iter().all(|candidate| candidate.is_proven)
    };
    if now.refused_full > before.refused_full && !now.entries.values().any(is_proven_throughout) {
        return Err("has no room for where a device is, though what it knows of that is unproven".to_owned());
    }
    Ok(())
}

fn judge_sources(now: &Table) -> Result<(), String> {
    let mut places: BTreeMap<Host, usize> = BTreeMap::new();
    for entry in now.entries.values() {
        let hosts: BTreeSet<_> = entry.candidates.iter().map(|candidate| candidate.key.0.host()).collect();
        for host in hosts {
            *places.entry(host).or_default() += 1;
        }
    }
    let most = (now.devices_max / 4).max(1);
    match places.into_values().find(|places| *places > most) {
        Some(places) => Err(format!("holds {places} peers of one source, at most {most} are allowed")),
        None => Ok(()),
    }
}

fn judge_unsigned(now: &Table) -> Result<(), String> {
    let is_downgrade = |entry: &Entry| {
        let (signed, unsigned): (Vec<_>, Vec<_>) = entry.candidates.iter().partition(|candidate| candidate.is_signed);
        let came_beside = |late: &Candidate, signed: &Candidate| {
            !late.is_proven && signed.heard_at < late.heard_at && late.heard_at < signed.expires_at
        };
        unsigned.iter().any(|late| signed.iter().any(|signed| came_beside(late, signed)))
    };
    if now.entries.values().any(is_downgrade) {
        return Err("believes an unsigned announce of a device whose signed one lives".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;

    const DEVICE: DeviceId = DeviceId::from_bytes([1; 32]);

    const fn second(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    /// A candidate by its port, heard at 1 s, that lives until 31 s.
    fn candidate(port: u16) -> Candidate {
        Candidate {
            key: (Addr::new(Host::new([1; 16]), port), NoisePublic::from_bytes([2; 32])),
            is_signed: false,
            is_proven: false,
            heard_at: second(1),
            expires_at: second(31),
        }
    }

    fn table(candidates: &[Candidate]) -> Table {
        let entry = Entry { is_protected: true, candidates: candidates.to_vec() };
        let entries = BTreeMap::from([(DEVICE, entry)]);
        Table { now: second(2), devices_max: 8, candidates_max: 4, refused_full: 0, entries }
    }

    fn look(tables: impl IntoIterator<Item = Table>) -> Result<(), String> {
        let (scenario, mut candidates) = (scenario(), Candidates::default());
        let counters = Counters::default();
        tables.into_iter().try_for_each(|it| candidates.look(&scenario, 0, &counters, it, &BTreeMap::new()))
    }

    fn ports(ports: core::ops::Range<u16>) -> Vec<Candidate> {
        ports.map(candidate).collect()
    }

    #[test]
    fn what_expires_or_gives_way_as_the_oldest_unproven_holds() {
        let late = Table { now: second(31), ..table(&ports(2..3)) };
        look([table(&ports(1..2)), late]).unwrap();
        look([table(&ports(1..5)), table(&ports(2..6))]).unwrap();
        let stranger = || Table { entries: BTreeMap::new(), ..table(&[]) };
        let mut unprotected = table(&ports(1..2));
        unprotected.entries.values_mut().for_each(|entry| entry.is_protected = false);
        look([unprotected, stranger()]).unwrap();
    }

    #[test]
    fn what_is_forgotten_before_its_time_is_caught() {
        let proven = Candidate { is_proven: true, ..candidate(1) };
        let gone = || Table { entries: BTreeMap::new(), ..table(&[]) };
        for (before, after) in [
            (table(&ports(1..2)), gone()),
            (table(&ports(1..3)), table(&ports(2..3))),
            (table(&[proven]), table(&ports(2..6))),
        ] {
            assert!(look([before, after]).unwrap_err().starts_with("hub forgets before its time"));
        }
    }

    #[test]
    fn a_device_that_has_room_and_refuses_is_caught() {
        let refused = |candidates: &[Candidate]| Table { refused_full: 1, ..table(candidates) };
        let proven: Vec<_> = ports(1..5).into_iter().map(|it| Candidate { is_proven: true, ..it }).collect();
        look([table(&proven), refused(&proven)]).unwrap();
        let how = look([table(&ports(1..5)), refused(&ports(1..5))]).unwrap_err();
        assert!(how.starts_with("hub has no room"), "{how}");
    }

    #[test]
    fn a_source_that_holds_more_than_a_quarter_is_caught() {
        let devices = |number: u8| {
            let entry = |id| (DeviceId::from_bytes([id; 32]), Entry { is_protected: false, candidates: ports(1..3) });
            Table { entries: (0..number).map(entry).collect(), ..table(&[]) }
        };
        look([devices(2)]).unwrap();
        assert_eq!(look([devices(3)]).unwrap_err(), "hub holds 3 peers of one source, at most 2 are allowed");
    }

    #[test]
    fn an_unsigned_announce_beside_a_signed_one_is_caught() {
        let signed = Candidate { is_signed: true, ..candidate(1) };
        let earlier = Candidate { heard_at: Instant::ZERO, ..candidate(2) };
        look([table(&[signed.clone(), earlier])]).unwrap();
        let later = Candidate { heard_at: second(2), ..candidate(2) };
        assert!(look([table(&[signed, later])]).unwrap_err().contains("unsigned"));
    }
}
