//! Everything of a world that is not a machine: the queue, the links, the trace. Datagrams are sent here.

use crate::disk::{Damage, Disk};
use crate::fate::{Key, NameHash};
use crate::fault::{Counts, Partitions};
use crate::ledger::{Address, Ledger, Subject};
use crate::link::{Directions, PacketFate};
use crate::pipe::{Pipe, PipeProfile, Travel};
use crate::schedule::{Order, Queue, Scheduled, Wheel};
use crate::tap::{Injection, Tap};
use crate::trace::{Detail, Kind, Record, Trace, digest};
use crate::{NodeIndex, Time};
use core::fmt;
use machine::{Addr, Destination, Duration, Host, PipeId};
use slab::Slab;
use std::collections::BTreeMap;

/// What is scheduled. The number is a node, a place in a slab or a place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Boot(u32),
    Timer(u32),
    Drain(u32),
    Deliver(u32),
    Dial(u32),
    DialArrives(u32),
    AnswerArrives(u32),
    RefusalArrives(u32),
    SegmentArrives(u32),
    SendAgain(u32),
    /// The pipe's number, doubled, plus the side that it arrives at; so too for a reset.
    AckArrives(u32),
    ResetArrives(u32),
    Stored(u32),
    Command(u32),
    FaultBegins(u32),
    FaultEnds(u32),
    FaultFlips(u32),
    Reseed,
}

/// A datagram, or one copy of it, on its way.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) number: u64,
    pub(super) digest: u64,
    pub(super) bytes: Vec<u8>,
}

/// Deliveries by number; a freed one keeps its buffer for the next.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    all: Vec<Delivery>,
    free: Vec<u32>,
}

impl Deliveries {
    #[inline]
    fn add(&mut self, from: u32, to: u32, number: u64, digest: u64, bytes: &[u8]) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.all.push(Delivery::default());
            self.all.len() as u32 - 1
        });
        let delivery = &mut self.all[index as usize];
        (delivery.from, delivery.to, delivery.number, delivery.digest) = (from, to, number, digest);
        delivery.bytes.clear();
        delivery.bytes.extend_from_slice(bytes);
        index
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> &Delivery {
        &self.all[index as usize]
    }

    #[inline]
    pub(super) fn free(&mut self, index: u32) {
        self.free.push(index);
    }
}

/// Finds a node by the address it has: a table of twice as many places as nodes, by name hash.
#[derive(Debug)]
struct Addresses {
    table: Vec<(u64, u32)>,
    mask: usize,
}

impl Addresses {
    fn new(names: &[NameHash]) -> Self {
        let places = (names.len() * 2).next_power_of_two();
        let mut addresses = Self { table: vec![(0, u32::MAX); places], mask: places - 1 };
        for (index, name) in (0..).zip(names) {
            let place = addresses.place(name.as_u64());
            assert_eq!(addresses.table[place].1, u32::MAX, "two node names hash alike, or one name is there twice");
            addresses.table[place] = (name.as_u64(), index);
        }
        addresses
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        let mut place = hash as usize & self.mask;
        while self.table[place].1 != u32::MAX && self.table[place].0 != hash {
            place = (place + 1) & self.mask;
        }
        place
    }

    #[inline]
    fn find(&self, host: Host) -> Option<u32> {
        let octets = host.octets();
        let mut low = [0; 8];
        low.copy_from_slice(&octets[8..]);
        let (hash, index) = self.table[self.place(u64::from_be_bytes(low))];
        (octets[..8] == PREFIX && index != u32::MAX && hash == u64::from_be_bytes(low)).then_some(index)
    }
}

/// Simulated hosts live in the unique-local prefix `fd53:494d::/64` (RFC 4193), and are numbered by their names' hashes.
const PREFIX: [u8; 8] = [0xFD, 0x53, 0x49, 0x4D, 0, 0, 0, 0];

fn host_of(name: NameHash) -> Host {
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&PREFIX);
    octets[8..].copy_from_slice(&name.as_u64().to_be_bytes());
    Host::new(octets)
}

/// The roots of the draws of one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roots {
    pub(super) seed: u64,
    datagram: Key,
    group: Key,
    pub(super) pipe: Key,
    pub(super) disk: Key,
    pub(super) perturb: Key,
}

impl Roots {
    pub(super) fn new(seed: u64) -> Self {
        let root = Key::root(seed);
        Self {
            seed,
            datagram: root.named("datagram"),
            group: root.named("group"),
            pipe: root.named("pipe"),
            disk: root.named("disk"),
            perturb: root.named("perturb"),
        }
    }
}

pub(super) struct Net {
    pub(super) now: Time,
    pub(super) schedule: Wheel<Event>,
    /// How many events each source has scheduled; the world is source 0, a node its index plus 1.
    scheduled: Vec<u64>,
    pub(super) trace: Trace,
    pub(super) names: Vec<String>,
    pub(super) hashes: Vec<NameHash>,
    addrs: Vec<Addr>,
    addresses: Addresses,
    pub(super) roots: Roots,
    pub(super) links: Directions,
    pub(super) partitions: Partitions,
    pub(super) counts: Counts,
    pub(super) ledger: Ledger,
    pub(super) deliveries: Deliveries,
    groups_sent: Vec<u64>,
    pub(super) pipe_profile: PipeProfile,
    pub(super) pipes: Slab<Pipe>,
    pub(super) travels: Slab<Travel>,
    /// The pipes that each node knows, by its ids for them.
    pub(super) ends: Vec<BTreeMap<PipeId, (u32, usize)>>,
    pub(super) dials: BTreeMap<(u32, u32), u64>,
    pub(super) pipes_made: u64,
    /// By node: pipes that its machine is to be asked to fill when it is drained.
    pub(super) fills: Vec<Vec<(u32, usize)>>,
    pub(super) disks: Vec<Disk>,
    /// Which incarnation of its node each pending write belongs to.
    pub(super) stores: Slab<(u32, u64)>,
    pub(super) taps: BTreeMap<(u32, u32), usize>,
    pub(super) tap_list: Vec<Box<dyn Tap>>,
}

impl Net {
    pub(super) fn new(nodes: &[crate::NodeConfig], config: &super::Parts<'_>) -> Self {
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        let hashes: Vec<NameHash> = names.iter().map(|name| NameHash::of(name)).collect();
        Self {
            now: Time::ZERO,
            schedule: Wheel::default(),
            scheduled: vec![0; names.len() + 1],
            trace: Trace::new(None),
            addrs: hashes.iter().zip(nodes).map(|(hash, node)| Addr::new(host_of(*hash), node.port)).collect(),
            addresses: Addresses::new(&hashes),
            roots: Roots::new(config.seed),
            links: Directions::new(hashes.clone(), config.link, config.links),
            partitions: Partitions::default(),
            counts: Counts::default(),
            ledger: Ledger::default(),
            deliveries: Deliveries::default(),
            groups_sent: vec![0; names.len()],
            pipe_profile: config.pipes,
            pipes: Slab::new(),
            travels: Slab::new(),
            ends: names.iter().map(|_| BTreeMap::new()).collect(),
            dials: BTreeMap::new(),
            pipes_made: 0,
            fills: vec![Vec::new(); names.len()],
            disks: nodes.iter().map(|node| Disk::new(node.disk)).collect(),
            stores: Slab::new(),
            taps: BTreeMap::new(),
            tap_list: Vec::new(),
            names,
            hashes,
        }
    }

    /// Draws from another seed from now on, for what is under way too.
    pub(super) fn reseed(&mut self, seed: u64) {
        self.roots = Roots::new(seed);
        for (_, pipe) in &mut self.pipes {
            let [dialler, acceptor] = &pipe.ends;
            pipe.key = self.links.key(self.roots.pipe, dialler.node.0, acceptor.node.0).number(pipe.dial);
        }
    }

    pub(super) fn addr(&self, node: u32) -> Addr {
        self.addrs[node as usize]
    }

    /// The node at `to`, and whether it listens on that port.
    #[inline]
    pub(super) fn find(&self, to: Addr) -> Option<(u32, bool)> {
        let node = self.addresses.find(to.host())?;
        Some((node, self.addrs[node as usize].port() == to.port()))
    }

    /// Schedules for `source` (see `scheduled`) and returns the event's place among those of its time.
    #[inline]
    pub(super) fn push(&mut self, source: u32, at: Time, what: Event) -> Order {
        let count = &mut self.scheduled[source as usize];
        let order = Order::new(source, *count);
        *count += 1;
        self.schedule.push(Scheduled { at, order, what });
        order
    }

    #[inline]
    pub(super) fn push_for(&mut self, node: u32, after: Duration, what: Event) {
        self.push(node + 1, self.now + after, what);
    }

    #[inline]
    pub(super) fn record(
        &mut self,
        kind: Kind,
        node: u32,
        peer: NodeIndex,
        number: u64,
        digest: u64,
        bytes: Option<usize>,
    ) {
        let record = Record { at: self.now, kind, node: NodeIndex(node), peer, number, digest };
        self.trace.push(record);
        if self.trace.is_full() {
            self.trace.line(&record, &self.names, &Detail { bytes, text: None });
        }
    }

    /// Records something that carries a text instead of bytes.
    pub(super) fn record_text(&mut self, kind: Kind, node: u32, number: u64, text: &dyn fmt::Debug) {
        let digest = crate::trace::digest_text(text);
        let record = Record { at: self.now, kind, node: NodeIndex(node), peer: NodeIndex::NONE, number, digest };
        self.trace.push(record);
        if self.trace.is_full() {
            self.trace.line(&record, &self.names, &Detail { bytes: None, text: Some(text) });
        }
    }

    /// The node's machine sends a datagram.
    #[inline]
    pub(super) fn send(&mut self, from: u32, to: Destination, bytes: &[u8]) {
        let digest = digest(bytes);
        match to {
            Destination::Addr(addr) => {
                if let Some((to, true)) = self.find(addr) {
                    let number = self.links.next_number(from, to);
                    let key = self.links.key(self.roots.datagram, from, to).number(number);
                    let address = Address::Datagram { from: NodeIndex(from), to: NodeIndex(to), number };
                    self.record(Kind::DatagramOut, from, NodeIndex(to), number, digest, Some(bytes.len()));
                    self.transmit(Flight { from, to, number, digest, key, address }, bytes);
                } else {
                    self.counts.unreachable += 1;
                    self.record(Kind::Discarded, from, NodeIndex::NONE, 0, digest, Some(bytes.len()));
                }
            }
            Destination::Group => {
                let number = self.groups_sent[from as usize];
                self.groups_sent[from as usize] += 1;
                for to in (0..self.names.len() as u32).filter(|to| *to != from) {
                    let key = self.links.key(self.roots.group, from, to).number(number);
                    let address = Address::Group { from: NodeIndex(from), to: NodeIndex(to), number };
                    self.record(Kind::GroupOut, from, NodeIndex(to), number, digest, Some(bytes.len()));
                    self.transmit(Flight { from, to, number, digest, key, address }, bytes);
                }
            }
        }
    }

    #[inline]
    fn transmit(&mut self, flight: Flight, bytes: &[u8]) {
        let Flight { from, to, .. } = flight;
        if !self.taps.is_empty() && self.tapped_datagram(from, to, bytes) {
            return;
        }
        let profile = self.links.profile(from, to);
        if bytes.len() > profile.mtu as usize {
            self.counts.too_long += 1;
            return;
        }
        let mut fate = profile.fate(flight.key, bytes.len() as u32);
        fate.lost |= self.links.burst_takes(from, to, flight.key);
        if !self.ledger.is_idle() {
            let what =
                Subject { address: flight.address, at: self.now, length: bytes.len() as u32, digest: flight.digest };
            fate = self.ledger.packet(what, fate);
        }
        if self.partitions.block(from, to) {
            self.counts.partitioned += 1;
            return;
        }
        let Some(queued) = self.links.departs_after(from, to, self.now, bytes.len() as u32) else {
            self.counts.queue_full += 1;
            return;
        };
        if fate.lost {
            self.counts.lost += 1;
            return;
        }
        let delivery = self.deliveries.add(from, to, flight.number, flight.digest, bytes);
        self.push_for(from, queued + fate.delay, Event::Deliver(delivery));
        if fate.duplicate.is_some() || fate.flipped_bit.is_some() || fate.truncated_to.is_some() || fate.reordered {
            self.damage(delivery, flight, bytes, fate, queued);
        }
    }

    /// The rarer things that befall a packet that is on its way.
    #[cold]
    fn damage(&mut self, index: u32, flight: Flight, bytes: &[u8], fate: PacketFate, queued: Duration) {
        self.counts.reordered += u64::from(fate.reordered);
        if let Some(delay) = fate.duplicate {
            self.counts.duplicated += 1;
            let copy = self.deliveries.add(flight.from, flight.to, flight.number, flight.digest, bytes);
            self.push_for(flight.from, queued + delay, Event::Deliver(copy));
        }
        let delivery = &mut self.deliveries.all[index as usize];
        if let Some(byte) = fate.flipped_bit.and_then(|bit| delivery.bytes.get_mut(bit as usize / 8)) {
            *byte ^= 1 << (fate.flipped_bit.unwrap_or_default() % 8);
            self.counts.corrupted += 1;
        }
        if let Some(length) = fate.truncated_to {
            delivery.bytes.truncate(length as usize);
            self.counts.truncated += 1;
        }
        delivery.digest = digest(&delivery.bytes);
    }

    /// Hands a datagram to the tap of its link, if there is one.
    fn tapped_datagram(&mut self, from: u32, to: u32, bytes: &[u8]) -> bool {
        let Some(tap) = self.taps.get(&(from, to)) else { return false };
        let mut out = Vec::new();
        self.tap_list[*tap].datagram(self.now, NodeIndex(from), NodeIndex(to), bytes, &mut out);
        for injection in out {
            if let Injection::Datagram { from, to, bytes } = injection {
                self.inject(from.0, to.0, &bytes);
            }
        }
        true
    }

    /// A tap's own datagram: it meets the link's delay only.
    pub(super) fn inject(&mut self, from: u32, to: u32, bytes: &[u8]) {
        let number = self.links.next_number(from, to);
        let key = self.links.key(self.roots.datagram, from, to).number(number);
        let fate = self.links.profile(from, to).fate(key, bytes.len() as u32);
        let digest = digest(bytes);
        self.record(Kind::Injected, from, NodeIndex(to), number, digest, Some(bytes.len()));
        let delivery = self.deliveries.add(from, to, number, digest, bytes);
        self.push_for(from, fate.delay, Event::Deliver(delivery));
    }

    /// The node's machine stores a value.
    pub(super) fn store(&mut self, node: u32, incarnation: u64, key: &str, bytes: &[u8]) {
        let root = self.roots.disk.named(&self.names[node as usize]);
        let disk = &mut self.disks[node as usize];
        let number = disk.next_number();
        let mut fate = disk.fate(root);
        let content = digest(bytes);
        if !self.ledger.is_idle() {
            let address = Address::Store { node: NodeIndex(node), number };
            let what = Subject { address, at: self.now, length: bytes.len() as u32, digest: content };
            fate = self.ledger.store(what, fate);
        }
        disk.begin(key, bytes, fate);
        self.counts.stores_failed += u64::from(fate.failed);
        self.record(Kind::Store, node, NodeIndex::NONE, number, content ^ digest(key.as_bytes()), Some(bytes.len()));
        let pending = self.stores.insert((node, incarnation)) as u32;
        // A disk answers in order: none overtakes the one before it.
        self.push_for(node, fate.delay, Event::Stored(pending));
    }

    pub(super) fn count_damage(&mut self, damage: Damage) {
        self.counts.stores_lost += damage.lost;
        self.counts.stores_torn += damage.torn;
        self.counts.stores_rotten += damage.rotten;
    }
}

/// A packet about to leave.
#[derive(Clone, Copy, Debug)]
struct Flight {
    from: u32,
    to: u32,
    number: u64,
    digest: u64,
    key: Key,
    address: Address,
}
