//! Everything of a world that is not a machine: the queue, the links, the trace. Datagrams are sent here.

use super::delivery::{Deliveries, Flight};
use super::fills::Fills;
use super::hosts::{Hosts, host_of};
use crate::capture::{Capture, Carried, Course, Sending};
use crate::causes::Mishap;
use crate::disk::Disk;
use crate::fate::{Key, NameHash};
use crate::fault::{Counts, Partitions};
use crate::ledger::{Ledger, Subject};
use crate::link::{Directions, LinkProfile, PacketFate};
use crate::numbers::Numbers;
use crate::pipe::{Pipe, PipeProfile, Travel};
use crate::schedule::{Order, Queue, Scheduled, Wheel};
use crate::segments::Segments;
use crate::tap::{Injection, Tap};
use crate::trace::{Kind, Record, Trace, digest};
use crate::{NodeIndex, Time};
use core::fmt;
use machine::{Addr, Duration, PipeId};
use slab::Slab;
use std::collections::BTreeMap;
use std::rc::Rc;

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
    /// The next place of each node's events, which are a source by their index plus 1.
    orders: Vec<Order>,
    /// The next place of the world's own, which are source 0.
    own_order: Order,
    pub(super) trace: Trace,
    pub(super) names: Rc<[String]>,
    pub(super) hashes: Vec<NameHash>,
    pub(super) addrs: Vec<Addr>,
    hosts: Hosts,
    pub(super) roots: Roots,
    pub(super) links: Directions,
    numbers: Numbers,
    pub(super) partitions: Partitions,
    pub(super) counts: Counts,
    pub(super) ledger: Ledger,
    /// See [`Net::is_disturbed`], which is too much to ask for each packet.
    disturbed: bool,
    pub(super) deliveries: Deliveries,
    groups_sent: Vec<u64>,
    segments: Segments,
    /// Whom the group's datagram reaches that is being sent; kept from one to the next.
    reached: Vec<u32>,
    pub(super) pipe_profile: PipeProfile,
    pub(super) pipes: Slab<Pipe>,
    pub(super) travels: Slab<Travel>,
    /// The pipes that each node knows, by its ids for them.
    pub(super) ends: Vec<BTreeMap<PipeId, (u32, usize)>>,
    pub(super) dials: BTreeMap<(u32, u32), u64>,
    pub(super) pipes_made: u64,
    pub(super) fills: Fills,
    /// What they fill; kept from one to the next.
    pub(super) room: Vec<u8>,
    pub(super) disks: Vec<Disk>,
    /// Which incarnation of its node each pending write belongs to.
    pub(super) stores: Slab<(u32, u64)>,
    pub(super) taps: BTreeMap<(u32, u32), usize>,
    pub(super) tap_list: Vec<Box<dyn Tap>>,
    /// Who is told of all that is put on the wire.
    capture: Option<Capture>,
}

impl Net {
    pub(super) fn new(nodes: &[crate::NodeConfig], config: Parts<'_>) -> Self {
        let names: Rc<[String]> = nodes.iter().map(|node| node.name.clone()).collect();
        let hashes: Vec<NameHash> = names.iter().map(|name| NameHash::of(name)).collect();
        let addrs: Vec<Addr> =
            hashes.iter().zip(nodes).map(|(hash, node)| Addr::new(host_of(hash.as_u64()), node.port)).collect();
        Self {
            now: Time::ZERO,
            schedule: Wheel::default(),
            orders: (1..=names.len() as u32).map(|source| Order::new(source, 0)).collect(),
            own_order: Order::new(0, 0),
            trace: Trace::new(Rc::clone(&names)),
            hosts: Hosts::new(&hashes, nodes.iter().map(|node| node.port)),
            addrs,
            roots: Roots::new(config.seed),
            links: Directions::new(hashes.clone(), config.link, config.links),
            numbers: Numbers::new(names.len()),
            partitions: Partitions::default(),
            counts: Counts::default(),
            disturbed: !config.ledger.is_idle(),
            ledger: config.ledger,
            deliveries: Deliveries::default(),
            groups_sent: vec![0; names.len()],
            segments: Segments::new(nodes.iter().map(|node| node.segments.as_slice())),
            reached: Vec::new(),
            pipe_profile: config.pipes,
            pipes: Slab::new(),
            travels: Slab::new(),
            ends: names.iter().map(|_| BTreeMap::new()).collect(),
            dials: BTreeMap::new(),
            pipes_made: 0,
            fills: Fills::new(names.len()),
            room: Vec::new(),
            disks: nodes.iter().map(|node| Disk::new(node.disk)).collect(),
            stores: Slab::new(),
            taps: BTreeMap::new(),
            tap_list: Vec::new(),
            capture: None,
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

    /// The node that a datagram to `to` gets to.
    #[inline]
    pub(super) fn receiver(&self, to: Addr) -> Option<u32> {
        self.hosts.find(to).filter(|(_, listens)| *listens).map(|(node, _)| node)
    }

    /// The node at `to`, and whether it listens on that port.
    #[inline]
    pub(super) fn find(&self, to: Addr) -> Option<(u32, bool)> {
        self.hosts.find(to)
    }

    /// Schedules for `node` and returns the event's place among those of its time.
    #[expect(clippy::inline_always, reason = "a call would cost half as much again")]
    #[inline(always)]
    pub(super) fn push(&mut self, node: u32, at: Time, what: Event) -> Order {
        let order = self.orders[node as usize].take();
        self.schedule.push(Scheduled { at, order, what });
        order
    }

    /// Schedules for the world itself, which comes before all nodes.
    pub(super) fn push_own(&mut self, at: Time, what: Event) {
        let order = self.own_order.take();
        self.schedule.push(Scheduled { at, order, what });
    }

    pub(super) fn push_for(&mut self, node: u32, after: Duration, what: Event) {
        self.push(node, self.now + after, what);
    }

    #[expect(clippy::inline_always, reason = "three times for each datagram, with constants for half of the arguments")]
    #[inline(always)]
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
        self.trace.push(record, bytes);
    }

    /// Records something that carries a text instead of bytes.
    pub(super) fn record_text(&mut self, kind: Kind, node: u32, number: u64, text: &dyn fmt::Debug) {
        let digest = crate::trace::digest_text(text);
        let record = Record { at: self.now, kind, node: NodeIndex(node), peer: NodeIndex::NONE, number, digest };
        self.trace.push_text(record, text);
    }

    /// The node's machine sends a datagram to the node `to`, or to where there is none.
    #[expect(clippy::inline_always, reason = "a call would cost more than what it saves in registers")]
    #[inline(always)]
    pub(super) fn send(&mut self, from: u32, to: Option<u32>, bytes: &[u8]) {
        let digest = digest(bytes);
        let Some(to) = to else { return self.send_to_nobody(from, digest, bytes) };
        let number = self.numbers.next(from, to);
        self.record(Kind::DatagramOut, from, NodeIndex(to), number, digest, Some(bytes.len()));
        let key = self.links.key(self.roots.datagram, from, to).number(number);
        self.transmit(Flight { from, to, number, digest, key, to_group: false }, bytes);
    }

    #[cold]
    fn send_to_nobody(&mut self, from: u32, digest: u64, bytes: &[u8]) {
        self.counts.unreachable += 1;
        self.record(Kind::Discarded, from, NodeIndex::NONE, 0, digest, Some(bytes.len()));
        let what = Carried::Datagram { bytes, group: None, is_injected: false };
        self.captured(NodeIndex(from), NodeIndex::NONE, what, Course::lost(Mishap::Unheard));
    }

    #[inline(never)]
    pub(super) fn send_to_group(&mut self, from: u32, bytes: &[u8]) {
        let (number, digest) = (self.groups_sent[from as usize], digest(bytes));
        self.groups_sent[from as usize] += 1;
        let mut reached = core::mem::take(&mut self.reached);
        self.segments.reach(from, &mut reached);
        for to in reached.iter().copied() {
            self.record(Kind::GroupOut, from, NodeIndex(to), number, digest, Some(bytes.len()));
            let key = self.links.key(self.roots.group, from, to).number(number);
            self.transmit(Flight { from, to, number, digest, key, to_group: true }, bytes);
        }
        self.reached = reached;
    }

    /// Puts a packet on its link. Most links only delay: those are spared all other questions.
    #[expect(
        clippy::inline_always,
        reason = "once for each datagram, and little once the fields of `flight` are at hand"
    )]
    #[inline(always)]
    fn transmit(&mut self, flight: Flight, bytes: &[u8]) {
        debug_assert_eq!(self.disturbed, self.is_disturbed(), "whoever disturbs the links says so");
        let calm = if self.disturbed { None } else { self.links.calm_delay(flight.from, bytes.len(), flight.key) };
        match calm {
            Some(delay) => _ = self.carry(&flight, bytes, delay),
            None => self.transmit_with_care(flight, bytes),
        }
    }

    /// Whether a packet can meet anything that is not in its link's profile.
    fn is_disturbed(&self) -> bool {
        !(self.taps.is_empty() && self.ledger.is_idle() && self.partitions.is_empty() && self.capture.is_none())
    }

    /// Tells `capture` of everything from now on, which takes the way on which fates are told.
    pub(super) fn capture_to(&mut self, capture: Capture) {
        self.capture = Some(capture);
        self.disturbed = true;
    }

    /// Tells whoever keeps a capture of a sending.
    pub(super) fn captured(&mut self, from: NodeIndex, to: NodeIndex, what: Carried<'_>, course: Course<'_>) {
        if let Some(capture) = &mut self.capture {
            capture(&Sending { at: self.now, from, to, what, course });
        }
    }

    /// The packet does not arrive.
    fn lose(&mut self, flight: &Flight, bytes: &[u8], mishap: Mishap, fault: Option<usize>) {
        self.trace.note(|causes| causes.lost(mishap, fault));
        self.captured(NodeIndex(flight.from), NodeIndex(flight.to), flight.carrying(bytes), Course::lost(mishap));
    }

    /// Keeps every decision from now on.
    pub(super) fn record_decisions(&mut self) {
        self.ledger = core::mem::take(&mut self.ledger).recording();
        self.disturbed = true;
    }

    /// Puts `tap` on both directions between two nodes.
    pub(super) fn tap(&mut self, a: NodeIndex, b: NodeIndex, tap: Box<dyn Tap>) {
        let place = self.tap_list.len();
        self.tap_list.push(tap);
        self.taps.insert((a.0, b.0), place);
        self.taps.insert((b.0, a.0), place);
        self.disturbed = true;
    }

    /// Lets `change` begin or end partitions.
    pub(super) fn partition(&mut self, change: impl FnOnce(&mut Partitions)) {
        change(&mut self.partitions);
        self.disturbed = self.is_disturbed();
    }

    /// [`Net::transmit`], with all that can befall a packet.
    #[inline(never)]
    fn transmit_with_care(&mut self, flight: Flight, bytes: &[u8]) {
        let Flight { from, to, key, .. } = flight;
        if !self.taps.is_empty() && self.taps.contains_key(&(from, to)) {
            self.lose(&flight, bytes, Mishap::Intercepted, None);
            self.tapped_datagram(from, to, bytes);
            return;
        }
        let profile = self.links.profile(from, to);
        if bytes.len() > profile.mtu as usize {
            self.counts.too_long += 1;
            return self.lose(&flight, bytes, Mishap::TooLong, None);
        }
        let mut fate = profile.fate(key, bytes.len() as u32);
        fate.lost |= self.links.burst_takes(from, to, key);
        if !self.ledger.is_idle() {
            let (address, length) = (flight.address(), bytes.len() as u32);
            fate = self.ledger.packet(Subject { address, at: self.now, length, digest: flight.digest }, fate);
        }
        if let Some(fault) = self.partitions.blocker(from, to) {
            self.counts.partitioned += 1;
            return self.lose(&flight, bytes, Mishap::Partitioned, Some(fault));
        }
        let Some(queued) = self.links.departs_after(from, to, self.now, bytes.len() as u32) else {
            self.counts.queue_full += 1;
            return self.lose(&flight, bytes, Mishap::QueueFull, None);
        };
        if fate.lost {
            self.counts.lost += 1;
            return self.lose(&flight, bytes, Mishap::Lost, None);
        }
        let mut after = queued + fate.delay;
        if !fate.reordered {
            after = self.links.arrives_after(from, to, self.now, after);
        }
        let delivery = self.carry(&flight, bytes, after);
        if fate.duplicate.is_some() || fate.flipped_bit.is_some() || fate.truncated_to.is_some() || fate.reordered {
            self.damage(delivery, &flight, bytes, fate, queued);
        }
        let is_damaged = fate.flipped_bit.is_some() || fate.truncated_to.is_some();
        self.note_carried(&flight, self.deliveries.get(delivery).digest, is_damaged.then_some(Mishap::Damaged));
        if fate.duplicate.is_some() {
            self.note_carried(&flight, flight.digest, Some(Mishap::Duplicated));
        }
        if let Some(capture) = &mut self.capture {
            let mishap = match () {
                () if is_damaged => Some(Mishap::Damaged),
                () => fate.duplicate.map(|_| Mishap::Duplicated),
            };
            let course = Course {
                arrives_after: Some(after),
                mishap,
                damaged: is_damaged.then(|| self.deliveries.get(delivery).bytes()),
                duplicate_after: fate.duplicate.map(|delay| queued + delay),
            };
            let (from, to) = (NodeIndex(from), NodeIndex(to));
            capture(&Sending { at: self.now, from, to, what: flight.carrying(bytes), course });
        }
    }

    fn note_carried(&self, flight: &Flight, digest: u64, mishap: Option<Mishap>) {
        let flying = (flight.from, flight.to, flight.number, digest);
        self.trace.note(|causes| causes.carried(flying, mishap));
    }

    /// Schedules the arrival of a packet.
    #[expect(clippy::inline_always, reason = "once for each datagram")]
    #[inline(always)]
    fn carry(&mut self, flight: &Flight, bytes: &[u8], after: Duration) -> u32 {
        let delivery = self.deliveries.add(flight, bytes);
        self.push(flight.from, self.now + after, Event::Deliver(delivery));
        delivery
    }

    /// The rarer things that befall a packet that is on its way.
    #[cold]
    fn damage(&mut self, index: u32, flight: &Flight, bytes: &[u8], fate: PacketFate, queued: Duration) {
        self.counts.reordered += u64::from(fate.reordered);
        if let Some(delay) = fate.duplicate {
            self.counts.duplicated += 1;
            self.carry(flight, bytes, queued + delay);
        }
        let mut bytes = bytes.to_vec();
        if let Some(byte) = fate.flipped_bit.and_then(|bit| bytes.get_mut(bit as usize / 8)) {
            *byte ^= 1 << (fate.flipped_bit.unwrap_or_default() % 8);
            self.counts.corrupted += 1;
        }
        if let Some(length) = fate.truncated_to {
            bytes.truncate(length as usize);
            self.counts.truncated += 1;
        }
        self.deliveries.replace(index, digest(&bytes), &bytes);
    }

    /// Hands a datagram to the tap of its link.
    fn tapped_datagram(&mut self, from: u32, to: u32, bytes: &[u8]) {
        let Some(tap) = self.taps.get(&(from, to)) else { return };
        let mut out = Vec::new();
        self.tap_list[*tap].datagram(self.now, NodeIndex(from), NodeIndex(to), bytes, &mut out);
        for injection in out {
            if let Injection::Datagram { from, to, bytes } = injection {
                self.inject(from.0, to.0, &bytes);
            }
        }
    }

    /// A tap's own datagram: it meets the link's delay only.
    pub(super) fn inject(&mut self, from: u32, to: u32, bytes: &[u8]) {
        let number = self.numbers.next(from, to);
        let key = self.links.key(self.roots.datagram, from, to).number(number);
        let fate = self.links.profile(from, to).fate(key, bytes.len() as u32);
        let digest = digest(bytes);
        self.record(Kind::Injected, from, NodeIndex(to), number, digest, Some(bytes.len()));
        let flight = Flight { from, to, number, digest, key, to_group: false };
        self.carry(&flight, bytes, fate.delay);
        self.note_carried(&flight, digest, None);
        let what = Carried::Datagram { bytes, group: None, is_injected: true };
        self.captured(NodeIndex(from), NodeIndex(to), what, Course::through(fate.delay));
    }
}

/// What the network is made from.
pub(super) struct Parts<'a> {
    pub(super) seed: u64,
    pub(super) link: LinkProfile,
    pub(super) links: &'a [(u32, u32, LinkProfile)],
    pub(super) pipes: PipeProfile,
    pub(super) ledger: Ledger,
}
