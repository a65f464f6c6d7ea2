//! Brings machines to life, hands them what happens, and sees to what they want done.

use super::net::{Event, Net};
use super::node::{Armed, PAUSED_DATAGRAMS_MAX, State, Waiting};
use super::{NodeIndex, World};
use crate::fate::stream;
use crate::fault::CrashKind;
use crate::schedule::Order;
use crate::trace::{Kind, Record, digest};
use crate::watch::Watch;
use core::fmt::Debug;
use machine::{Boot, Duration, Input, Machine, StoreFailed};
use rand_chacha::rand_core::Rng;

impl<M> World<M>
where
    M: Machine,
    M::Event: Debug,
    M::Command: Debug,
{
    pub(super) fn boot_node(&mut self, index: u32, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        if node.state != State::Down {
            return;
        }
        let incarnation = node.rest.incarnation;
        let name = &self.net.names[index as usize];
        let mut seed = [0; 32];
        stream(self.net.roots.seed, &format!("node {name} {incarnation}")).fill_bytes(&mut seed);
        if incarnation > 0 {
            self.net.rot(index, incarnation);
        }
        let stored = self.net.disks[index as usize].stored().clone();
        let boot = Boot { now: node.clock.read(self.net.now), incarnation, seed, stored };
        node.machine = Some((self.boot)(NodeIndex(index), &self.net.names[index as usize], boot));
        node.state = State::Up;
        self.net.record(Kind::Boot, index, NodeIndex::NONE, incarnation, 0, None);
        watch.booted(self.net.now, NodeIndex(index), incarnation, &mut self.control);
        self.settle(index, watch);
    }

    /// The node loses its machine, its pipes, its timers, and what its disk had not finished.
    pub(super) fn crash_node(&mut self, index: u32, kind: CrashKind, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        let machine = node.machine.take();
        node.state = State::Down;
        node.armed = Armed::NOT;
        node.rest.refuses = kind == CrashKind::Process;
        self.net.fills.forget(index);
        node.rest.incarnation += 1;
        node.rest.waiting_datagrams = 0;
        for waiting in node.rest.waiting.drain(..) {
            if let Waiting::Datagram(delivery) = waiting {
                self.net.deliveries.free(delivery);
            }
        }
        self.net.record(Kind::Crash, index, NodeIndex::NONE, self.nodes[index as usize].rest.incarnation, 0, None);
        self.net.counts.crashes += 1;
        self.net.interrupt_writes(index);
        for (pipe, side) in core::mem::take(&mut self.net.ends[index as usize]).into_values() {
            self.net.note_closed(pipe, side);
            self.net.close_end(pipe, side);
            if kind == CrashKind::Process && self.net.pipes[pipe as usize].accepted {
                self.net.send_reset(pipe, side);
            }
            self.net.reap(pipe);
        }
        if let Some(machine) = machine {
            watch.crashed(self.net.now, NodeIndex(index), &machine, &mut self.control);
        }
    }

    #[inline]
    pub(super) fn timer(&mut self, index: u32, order: Order, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        if node.armed.order != order {
            return;
        }
        node.armed = Armed::NOT;
        if node.state == State::Paused {
            return;
        }
        let Some(machine) = &mut node.machine else { return };
        let now = node.clock.read(self.net.now);
        if machine.next_timeout().is_none_or(|deadline| deadline > now) {
            return node.arm(index, &mut self.net);
        }
        self.net.record(Kind::Timeout, index, NodeIndex::NONE, 0, 0, None);
        machine.handle(now, Input::Timeout);
        if self.perturbs {
            return self.settle(index, watch);
        }
        node.drain(index, &mut self.net, &mut self.control, watch);
    }

    #[inline]
    pub(super) fn deliver(&mut self, place: u32, watch: &mut impl Watch<M>) {
        let to = self.net.deliveries.get(place).to;
        if self.nodes[to as usize].state == State::Up {
            self.datagram(to, place, watch);
        } else {
            self.deliver_later(to, place);
        }
    }

    /// Keeps a datagram for a paused node. It is lost when there is no room, or when the node is down.
    #[cold]
    fn deliver_later(&mut self, to: u32, place: u32) {
        let node = &mut self.nodes[to as usize];
        if node.state == State::Paused && node.rest.waiting_datagrams < PAUSED_DATAGRAMS_MAX {
            node.rest.waiting_datagrams += 1;
            node.rest.waiting.push_back(Waiting::Datagram(place));
            return;
        }
        let delivery = self.net.deliveries.get(place);
        let (from, number, digest) = (NodeIndex(delivery.from), delivery.number, delivery.digest);
        self.net.counts.unreachable += 1;
        self.net.record(Kind::Discarded, to, from, number, digest, None);
        self.net.deliveries.free(place);
    }

    /// Hands a datagram to a node that is up.
    #[expect(clippy::inline_always, reason = "a call would cost more than what it does besides")]
    #[inline(always)]
    pub(super) fn datagram(&mut self, to: u32, place: u32, watch: &mut impl Watch<M>) {
        let Self { nodes, net, control, .. } = self;
        let node = &mut nodes[to as usize];
        // By parts, so that the delivery is looked up once.
        let Net { deliveries, trace, addrs, now, .. } = net;
        let delivery = deliveries.get(place);
        let (peer, number, digest) = (NodeIndex(delivery.from), delivery.number, delivery.digest);
        let record = Record { at: *now, kind: Kind::DatagramIn, node: NodeIndex(to), peer, number, digest };
        trace.push(record, Some(delivery.length as usize));
        if let Some(machine) = &mut node.machine {
            let from = addrs[peer.as_usize()];
            machine.handle(node.clock.read(*now), Input::Datagram { from, bytes: delivery.bytes() });
        }
        net.deliveries.free(place);
        if self.perturbs {
            return self.settle(to, watch);
        }
        node.drain(to, net, control, watch);
    }

    pub(super) fn stored(&mut self, place: u32, watch: &mut impl Watch<M>) {
        let (node, incarnation) = self.net.stores.remove(place as usize);
        if self.nodes[node as usize].rest.incarnation != incarnation {
            return;
        }
        if let Some((key, durable)) = self.net.disks[node as usize].complete() {
            self.hand(node, Waiting::Stored(key, durable), watch);
        }
    }

    /// Hands an input to a node, or keeps it while the node is paused.
    pub(super) fn hand(&mut self, index: u32, what: Waiting<M::Command>, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        match node.state {
            State::Up => self.give(index, what, watch),
            State::Paused => node.rest.waiting.push_back(what),
            State::Down => {}
        }
    }

    /// Hands an input to a node that is up.
    pub(super) fn give(&mut self, index: u32, what: Waiting<M::Command>, watch: &mut impl Watch<M>) {
        let node = index;
        match what {
            Waiting::Datagram(delivery) => self.datagram(index, delivery, watch),
            Waiting::Command(command) => {
                self.net.record_text(Kind::Command, node, 0, &command);
                self.input(index, Input::Command(command), watch);
            }
            Waiting::Opened(pipe) => {
                self.net.record(Kind::PipeOpened, node, NodeIndex::NONE, pipe.as_u64(), 0, None);
                self.input(index, Input::PipeOpened { pipe }, watch);
            }
            Waiting::Accepted(pipe, from) => {
                self.net.record(Kind::PipeAccepted, node, NodeIndex::NONE, pipe.as_u64(), 0, None);
                self.input(index, Input::PipeAccepted { pipe, from }, watch);
            }
            Waiting::Closed(pipe, reason) => {
                self.net.record_text(Kind::PipeClosed, node, pipe.as_u64(), &reason);
                self.input(index, Input::PipeClosed { pipe, reason }, watch);
            }
            Waiting::Stored(key, durable) => {
                let digest = digest(key.as_bytes());
                self.net.record(Kind::Stored, node, NodeIndex::NONE, u64::from(durable), digest, None);
                let result = if durable { Ok(()) } else { Err(StoreFailed) };
                self.input(index, Input::Stored { key: &key, result }, watch);
            }
        }
    }

    /// Calls the machine and settles it. The record of the input is the caller's.
    pub(super) fn input(&mut self, index: u32, input: Input<'_, M::Command>, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        if let Some(machine) = &mut node.machine {
            machine.handle(node.clock.read(self.net.now), input);
            self.settle(index, watch);
        }
    }

    /// After an input: takes the contract's liberties, or drains at once.
    fn settle(&mut self, index: u32, watch: &mut impl Watch<M>) {
        if self.perturbs && self.perturbed(index) {
            return;
        }
        self.drain(index, watch);
    }

    /// Spurious timeouts and late drains. True when the drain is for later.
    #[cold]
    fn perturbed(&mut self, index: u32) -> bool {
        let node = &mut self.nodes[index as usize];
        let key = self.net.roots.perturb.pair(self.net.hashes[index as usize], self.net.hashes[index as usize]);
        if node.rest.inputs.0 != self.net.now {
            node.rest.inputs = (self.net.now, 0);
        }
        let key = key.number(self.net.now.as_nanos()).number(node.rest.inputs.1);
        node.rest.inputs.1 += 1;
        let now = node.clock.read(self.net.now);
        if let Some(machine) = &mut node.machine
            && self.perturb.spurious_timeout.hits(key.draw(0))
            && machine.next_timeout().is_none_or(|deadline| deadline > now)
        {
            machine.handle(now, Input::Timeout);
        }
        if node.rest.drains_later || !self.perturb.late_drain.hits(key.draw(1)) {
            return node.rest.drains_later;
        }
        node.rest.drains_later = true;
        let after = Duration::from_nanos(key.within(2, 0, 1_000_000));
        self.net.push_for(index, after, Event::Drain(index));
        true
    }

    /// See [`Node::drain`].
    pub(super) fn drain(&mut self, index: u32, watch: &mut impl Watch<M>) {
        self.nodes[index as usize].drain(index, &mut self.net, &mut self.control, watch);
    }

    pub(super) fn arm(&mut self, index: u32) {
        self.nodes[index as usize].arm(index, &mut self.net);
    }
}
