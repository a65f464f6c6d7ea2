//! The world: nodes on a network, stepped event by event. One seed decides everything that happens in it.

mod faults;
mod net;
mod pipes;
#[cfg(test)]
mod tests;

use crate::disk::DiskProfile;
use crate::fate::{Chance, stream};
use crate::fault::{Counts, CrashKind, Planned};
use crate::ledger::Ledger;
use crate::link::LinkProfile;
use crate::pipe::{ACCEPTOR, DIALLER, Phase, PipeProfile, lane};
use crate::schedule::{Order, Queue};
use crate::tap::{Flow, Injection, Tap};
use crate::trace::{Checkpoint, Kind, Record, Sink, digest};
use crate::watch::{Control, Violation, Watch};
use crate::{Clock, Time};
use core::fmt::Debug;
use machine::{Addr, Boot, Duration, Input, Instant, Machine, Output, PipeEnd, PipeId, StoreFailed};
use net::{Event, Net};
use rand_chacha::rand_core::Rng;
use slab::Slab;
use std::collections::VecDeque;

/// A node, by its place among all nodes in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub(crate) u32);

impl NodeIndex {
    /// No node: the world itself.
    pub const NONE: Self = Self(0x0FFF_FFFF);

    /// The `index`-th node in name order.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its place, from 0.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Unique in its world. All that chance does to the node is keyed by it.
    pub name: String,
    /// Where it receives datagrams and accepts pipes.
    pub port: u16,
    /// When it boots first.
    pub starts_at: Time,
    /// Its own idea of time.
    pub clock: Clock,
    /// Its storage.
    pub disk: DiskProfile,
}

impl NodeConfig {
    /// A node with a true clock and a perfect disk that boots at once, on port 7000.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            port: 7_000,
            starts_at: Time::ZERO,
            clock: Clock::new(Duration::ZERO, 0),
            disk: DiskProfile::default(),
        }
    }
}

/// Liberties that `machine`'s contract gives every driver, taken at random: no event may depend on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Perturb {
    /// A `Timeout` before its time is handed in after an input.
    pub spurious_timeout: Chance,
    /// After an input, outputs are drained up to 1 ms later, together with those of the inputs until then.
    pub late_drain: Chance,
}

/// All that a world is made from, apart from its machines.
#[derive(Debug)]
pub struct Config {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// In any order; the world sorts them by name.
    pub nodes: Vec<NodeConfig>,
    /// How links behave.
    pub link: LinkProfile,
    /// Directions that behave otherwise: sender's name, receiver's name, behaviour.
    pub links: Vec<(String, String, LinkProfile)>,
    /// How pipes behave.
    pub pipes: PipeProfile,
    /// What goes wrong and when. Node indexes are places in name order.
    pub plan: Vec<Planned>,
    /// Legal liberties to take.
    pub perturb: Perturb,
    /// Overrides what the seed decides.
    pub ledger: Ledger,
    /// From this time on chance is drawn from another seed.
    pub reseed_at: Option<(Time, u64)>,
    /// More events than this at one time are a livelock.
    pub events_per_instant_max: u64,
}

impl Config {
    /// A perfect network of these nodes.
    pub fn new(seed: u64, nodes: impl IntoIterator<Item = NodeConfig>) -> Self {
        let nodes: Vec<_> = nodes.into_iter().collect();
        Self {
            seed,
            events_per_instant_max: 100_000 + 1_000 * nodes.len() as u64,
            nodes,
            link: LinkProfile::default(),
            links: Vec::new(),
            pipes: PipeProfile::default(),
            plan: Vec::new(),
            perturb: Perturb::default(),
            ledger: Ledger::default(),
            reseed_at: None,
        }
    }
}

/// What the network is made from.
struct Parts<'a> {
    seed: u64,
    link: LinkProfile,
    links: &'a [(u32, u32, LinkProfile)],
    pipes: PipeProfile,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The time asked for is reached; there may be more to come.
    Reached,
    /// Nothing is left to happen.
    Idle,
    /// An onlooker had seen enough.
    Asked,
    /// A promise was broken.
    Violated(Violation),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Up,
    Paused,
}

/// An input that waits for a paused node.
#[derive(Debug)]
enum Waiting<C> {
    Datagram(u32),
    Opened(PipeId),
    Accepted(PipeId, Addr),
    Closed(PipeId, PipeEnd),
    Stored(String, bool),
    Command(C),
}

/// A paused node's socket holds so many datagrams; further ones are lost.
const PAUSED_DATAGRAMS_MAX: usize = 256;

#[derive(Debug)]
struct Node<M: Machine> {
    machine: Option<M>,
    state: State,
    clock: Clock,
    /// The timer event that counts; one with another order is stale.
    armed: Option<(Time, Order)>,
    incarnation: u64,
    /// While it is down: only its process died, and its system refuses dials and resets pipes.
    refuses: bool,
    accepted: u64,
    /// A `Drain` is scheduled.
    drains_later: bool,
    /// Counts the inputs of one time, for the draws of [`Perturb`]: one input less re-rolls nothing later.
    inputs: (Time, u64),
    waiting: VecDeque<Waiting<M::Command>>,
    waiting_datagrams: usize,
}

/// Makes the machine of a node for one incarnation.
pub type BootFn<M> = Box<dyn FnMut(NodeIndex, &str, Boot) -> M>;

/// Nodes, the network between them, and what is going to happen.
pub struct World<M: Machine> {
    nodes: Vec<Node<M>>,
    net: Net,
    plan: Vec<Planned>,
    /// What each entry of the plan has to undo.
    undo: Vec<faults::Undo>,
    /// The entries of the plan that have begun and not ended, in the order in which they began.
    in_force: Vec<usize>,
    commands: Slab<(u32, M::Command)>,
    boot: BootFn<M>,
    control: Control<M::Command>,
    perturb: Perturb,
    reseed: Option<u64>,
    scratch: Vec<u8>,
    events_at_now: u64,
    events_per_instant_max: u64,
}

impl<M> World<M>
where
    M: Machine,
    M::Event: Debug,
    M::Command: Debug,
{
    /// A world at its start: nothing has happened yet, not even a boot.
    ///
    /// # Panics
    /// When two nodes have one name, or a link names a node that is not there: a mistake of the caller's.
    pub fn new(config: Config, boot: impl FnMut(NodeIndex, &str, Boot) -> M + 'static) -> Self {
        let mut nodes = config.nodes;
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        let index_of = |name: &String| match nodes.binary_search_by(|node| node.name.cmp(name)) {
            Ok(index) => index as u32,
            Err(_) => panic_no_node(name),
        };
        let links: Vec<_> =
            config.links.iter().map(|(from, to, profile)| (index_of(from), index_of(to), *profile)).collect();
        let parts = Parts { seed: config.seed, link: config.link, links: &links, pipes: config.pipes };
        let mut net = Net::new(&nodes, &parts);
        net.ledger = config.ledger;
        for (index, node) in (0..).zip(&nodes) {
            net.push(index + 1, node.starts_at, Event::Boot(index));
        }
        for (index, planned) in (0..).zip(&config.plan) {
            if let crate::fault::Begin::At(at) = planned.begin {
                net.push(0, at, Event::FaultBegins(index));
            }
        }
        if let Some((at, _)) = config.reseed_at {
            net.push(0, at, Event::Reseed);
        }
        Self {
            nodes: nodes.into_iter().map(|node| Node::new(node.clock)).collect(),
            net,
            undo: config.plan.iter().map(|_| faults::Undo::Nothing).collect(),
            in_force: Vec::new(),
            plan: config.plan,
            commands: Slab::new(),
            boot: Box::new(boot),
            control: Control::default(),
            perturb: config.perturb,
            reseed: config.reseed_at.map(|(_, seed)| seed),
            scratch: Vec::new(),
            events_at_now: 0,
            events_per_instant_max: config.events_per_instant_max,
        }
    }

    /// Writes every event to `sink`, as a JSON object a line. To be set before the first run.
    pub fn trace_to(&mut self, sink: Sink) {
        self.net.trace = crate::trace::Trace::new(Some(sink));
    }

    /// Puts a tap on both directions between two nodes, in place of an earlier one.
    pub fn tap(&mut self, a: NodeIndex, b: NodeIndex, tap: Box<dyn Tap>) {
        let place = self.net.tap_list.len();
        self.net.tap_list.push(tap);
        self.net.taps.insert((a.0, b.0), place);
        self.net.taps.insert((b.0, a.0), place);
    }

    /// Hands `command` to `node` at `at`. A node that is down never gets it.
    pub fn command(&mut self, at: Time, node: NodeIndex, command: M::Command) {
        let place = self.commands.insert((node.0, command)) as u32;
        self.net.push(0, at.max(self.net.now), Event::Command(place));
    }

    /// Runs until `until`, all events of that very time included, or until something ends the run earlier.
    pub fn run(&mut self, until: Time, watch: &mut impl Watch<M>) -> Stop {
        while let Some(event) = self.net.schedule.pop(until) {
            if event.at == self.net.now {
                self.events_at_now += 1;
                if self.events_at_now > self.events_per_instant_max {
                    return Stop::Violated(self.livelock(event.what));
                }
            } else {
                self.events_at_now = 0;
                self.net.now = event.at;
            }
            self.step(event.what, event.order, watch);
            if !self.control.is_quiet()
                && let Some(stop) = self.obey(watch)
            {
                return stop;
            }
        }
        if until == Time::MAX {
            return Stop::Idle;
        }
        self.net.now = until.max(self.net.now);
        Stop::Reached
    }

    #[cold]
    fn livelock(&self, last: Event) -> Violation {
        let detail = format!("more than {} events at {}, the last {last:?}", self.events_per_instant_max, self.net.now);
        Violation { check: "livelock".into(), detail }
    }

    /// Does what onlookers asked for.
    #[cold]
    fn obey(&mut self, watch: &mut impl Watch<M>) -> Option<Stop> {
        while !self.control.is_quiet() {
            if let Some(violation) = self.control.violation.take() {
                return Some(Stop::Violated(violation));
            }
            if core::mem::take(&mut self.control.stop) {
                return Some(Stop::Asked);
            }
            for trigger in core::mem::take(&mut self.control.fired) {
                self.fire(trigger, watch);
            }
            for (node, command) in core::mem::take(&mut self.control.commands) {
                self.hand(node.0, Waiting::Command(command), watch);
            }
        }
        None
    }

    fn step(&mut self, event: Event, order: Order, watch: &mut impl Watch<M>) {
        match event {
            Event::Timer(node) => self.timer(node, order, watch),
            Event::Deliver(delivery) => self.deliver(delivery, watch),
            Event::Boot(node) => self.boot_node(node, watch),
            Event::Drain(node) => {
                self.nodes[node as usize].drains_later = false;
                // A paused node drains when it resumes.
                if self.nodes[node as usize].state == State::Up {
                    self.drain(node, watch);
                }
            }
            Event::Stored(store) => self.stored(store, watch),
            Event::Command(place) => {
                let (node, command) = self.commands.remove(place as usize);
                self.hand(node, Waiting::Command(command), watch);
            }
            Event::Reseed => {
                if let Some(seed) = self.reseed.take() {
                    self.net.record(Kind::Reseed, NodeIndex::NONE.0, NodeIndex::NONE, seed, 0, None);
                    self.net.reseed(seed);
                }
            }
            Event::FaultBegins(index) => self.begin_fault(index as usize, watch),
            Event::FaultEnds(index) => self.end_fault(index as usize, watch),
            Event::FaultFlips(index) => self.flip_partition(index as usize),
            pipe_event => self.pipe_step(pipe_event, watch),
        }
    }

    fn boot_node(&mut self, index: u32, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        if node.state != State::Down {
            return;
        }
        let incarnation = node.incarnation;
        let name = &self.net.names[index as usize];
        let mut seed = [0; 32];
        stream(self.net.roots.seed, &format!("node {name} {incarnation}")).fill_bytes(&mut seed);
        if incarnation > 0 {
            let damage = self.net.disks[index as usize].rot(self.net.roots.disk.named(name), incarnation);
            self.net.count_damage(damage);
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
    fn crash_node(&mut self, index: u32, kind: CrashKind, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        node.machine = None;
        node.state = State::Down;
        node.armed = None;
        node.refuses = kind == CrashKind::Process;
        self.net.fills[index as usize].clear();
        node.incarnation += 1;
        node.waiting_datagrams = 0;
        for waiting in node.waiting.drain(..) {
            if let Waiting::Datagram(delivery) = waiting {
                self.net.deliveries.free(delivery);
            }
        }
        self.net.record(Kind::Crash, index, NodeIndex::NONE, self.nodes[index as usize].incarnation, 0, None);
        self.net.counts.crashes += 1;
        let root = self.net.roots.disk.named(&self.net.names[index as usize]);
        let damage = self.net.disks[index as usize].crash(root);
        self.net.count_damage(damage);
        for (pipe, side) in core::mem::take(&mut self.net.ends[index as usize]).into_values() {
            self.net.close_end(pipe, side);
            if kind == CrashKind::Process && self.net.pipes[pipe as usize].accepted {
                self.net.send_reset(pipe, side);
            }
            self.net.reap(pipe);
        }
        watch.crashed(self.net.now, NodeIndex(index), &mut self.control);
    }

    #[inline]
    fn timer(&mut self, index: u32, order: Order, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        if node.armed.is_none_or(|(_, armed)| armed != order) {
            return;
        }
        node.armed = None;
        if node.state == State::Paused {
            return;
        }
        let Some(machine) = &mut node.machine else { return };
        let now = node.clock.read(self.net.now);
        if machine.next_timeout().is_some_and(|deadline| deadline <= now) {
            self.net.record(Kind::Timeout, index, NodeIndex::NONE, 0, 0, None);
            machine.handle(now, Input::Timeout);
            self.settle(index, watch);
        } else {
            self.arm(index);
        }
    }

    #[inline]
    fn deliver(&mut self, place: u32, watch: &mut impl Watch<M>) {
        let to = self.net.deliveries.get(place).to;
        let node = &mut self.nodes[to as usize];
        match node.state {
            State::Up => self.datagram(to, place, watch),
            State::Paused if node.waiting_datagrams < PAUSED_DATAGRAMS_MAX => {
                node.waiting_datagrams += 1;
                node.waiting.push_back(Waiting::Datagram(place));
            }
            State::Paused | State::Down => {
                let delivery = self.net.deliveries.get(place);
                let (from, number, digest) = (NodeIndex(delivery.from), delivery.number, delivery.digest);
                self.net.counts.unreachable += 1;
                self.net.record(Kind::Discarded, to, from, number, digest, None);
                self.net.deliveries.free(place);
            }
        }
    }

    #[inline]
    fn datagram(&mut self, to: u32, place: u32, watch: &mut impl Watch<M>) {
        let delivery = self.net.deliveries.get(place);
        let (peer, number, digest, length) =
            (NodeIndex(delivery.from), delivery.number, delivery.digest, delivery.bytes.len());
        self.net.record(Kind::DatagramIn, to, peer, number, digest, Some(length));
        let from = self.net.addr(peer.0);
        let node = &mut self.nodes[to as usize];
        if let Some(machine) = &mut node.machine {
            let bytes = &self.net.deliveries.get(place).bytes;
            machine.handle(node.clock.read(self.net.now), Input::Datagram { from, bytes });
        }
        self.net.deliveries.free(place);
        self.settle(to, watch);
    }

    fn stored(&mut self, place: u32, watch: &mut impl Watch<M>) {
        let (node, incarnation) = self.net.stores.remove(place as usize);
        if self.nodes[node as usize].incarnation != incarnation {
            return;
        }
        if let Some((key, durable)) = self.net.disks[node as usize].complete() {
            self.hand(node, Waiting::Stored(key, durable), watch);
        }
    }

    /// Hands an input to a node, or keeps it while the node is paused.
    fn hand(&mut self, index: u32, what: Waiting<M::Command>, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        match node.state {
            State::Up => self.give(index, what, watch),
            State::Paused => node.waiting.push_back(what),
            State::Down => {}
        }
    }

    /// Hands an input to a node that is up.
    fn give(&mut self, index: u32, what: Waiting<M::Command>, watch: &mut impl Watch<M>) {
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
    fn input(&mut self, index: u32, input: Input<'_, M::Command>, watch: &mut impl Watch<M>) {
        let node = &mut self.nodes[index as usize];
        if let Some(machine) = &mut node.machine {
            machine.handle(node.clock.read(self.net.now), input);
            self.settle(index, watch);
        }
    }

    /// After an input: takes the contract's liberties, or drains at once.
    #[inline]
    fn settle(&mut self, index: u32, watch: &mut impl Watch<M>) {
        if self.perturb != Perturb::default() && self.perturbed(index) {
            return;
        }
        self.drain(index, watch);
    }

    /// Spurious timeouts and late drains. True when the drain is for later.
    #[cold]
    fn perturbed(&mut self, index: u32) -> bool {
        let node = &mut self.nodes[index as usize];
        let key = self.net.roots.perturb.pair(self.net.hashes[index as usize], self.net.hashes[index as usize]);
        if node.inputs.0 != self.net.now {
            node.inputs = (self.net.now, 0);
        }
        let key = key.number(self.net.now.as_nanos()).number(node.inputs.1);
        node.inputs.1 += 1;
        let now = node.clock.read(self.net.now);
        if let Some(machine) = &mut node.machine
            && self.perturb.spurious_timeout.hits(key.draw(0))
            && machine.next_timeout().is_none_or(|deadline| deadline > now)
        {
            machine.handle(now, Input::Timeout);
        }
        if node.drains_later || !self.perturb.late_drain.hits(key.draw(1)) {
            return node.drains_later;
        }
        node.drains_later = true;
        let after = Duration::from_nanos(key.within(2, 0, 1_000_000));
        self.net.push_for(index, after, Event::Drain(index));
        true
    }

    /// Acts on all outputs of a machine, lets it fill its pipes, and arms its timer.
    #[inline]
    fn drain(&mut self, index: u32, watch: &mut impl Watch<M>) {
        let Self { nodes, net, control, scratch, .. } = self;
        let node = &mut nodes[index as usize];
        let Some(machine) = &mut node.machine else { return };
        let me = NodeIndex(index);
        loop {
            while let Some(output) = machine.poll() {
                match output {
                    Output::Datagram { to, bytes } => {
                        watch.sent(net.now, me, to, bytes, control);
                        net.send(index, to, bytes);
                    }
                    Output::Event(event) => {
                        net.record_text(Kind::Event, index, 0, &event);
                        watch.event(net.now, me, &event, control);
                    }
                    Output::OpenPipe { pipe, to } => net.open_pipe(index, node.incarnation, pipe, to),
                    Output::FillPipe { pipe } => net.want_fill(index, pipe),
                    Output::FinishPipe { pipe } => net.finish_pipe(index, pipe),
                    Output::ClosePipe { pipe } => net.close_pipe(index, pipe),
                    Output::Store { key, bytes } => net.store(index, node.incarnation, key, bytes),
                }
            }
            let Some((pipe, side)) = net.fills[index as usize].pop() else { break };
            let now = net.now;
            net.fill(index, pipe, side, machine, scratch, |peer, bytes| watch.filled(now, me, peer, bytes, control));
        }
        watch.settled(net.now, me, machine, control);
        self.arm(index);
    }

    /// Schedules the machine's next timeout, unless an earlier event will look again anyway.
    #[inline]
    fn arm(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        let Some(deadline) = node.machine.as_ref().and_then(Machine::next_timeout) else { return };
        let at = node.clock.when(deadline, self.net.now);
        if at == Time::MAX || node.state == State::Paused || node.armed.is_some_and(|(armed, _)| armed <= at) {
            return;
        }
        let order = self.net.push(index + 1, at, Event::Timer(index));
        node.armed = Some((at, order));
    }

    /// The events of pipes: each lets go of its pipe when it is done.
    fn pipe_step(&mut self, event: Event, watch: &mut impl Watch<M>) {
        let (Event::Dial(pipe)
        | Event::DialArrives(pipe)
        | Event::AnswerArrives(pipe)
        | Event::RefusalArrives(pipe)
        | Event::AckArrives(pipe)
        | Event::ResetArrives(pipe)
        | Event::SegmentArrives(pipe)
        | Event::SendAgain(pipe)) = event
        else {
            return;
        };
        let index = match event {
            Event::AckArrives(_) | Event::ResetArrives(_) => pipe / 2,
            Event::SegmentArrives(_) | Event::SendAgain(_) => self.net.travels[pipe as usize].pipe,
            _ => pipe,
        };
        match event {
            Event::Dial(_) => self.dial_again(index, watch),
            Event::DialArrives(_) => self.dial_arrives(index, watch),
            Event::AnswerArrives(_) => self.answer_arrives(index, watch),
            Event::RefusalArrives(_) => self.close_pipe_end(index, DIALLER, PipeEnd::Refused, watch),
            Event::AckArrives(_) => self.ack_arrives(index, pipe as usize % 2, watch),
            Event::ResetArrives(_) => self.reset_arrives(index, pipe as usize % 2, watch),
            Event::SegmentArrives(travel) => self.segment_arrives(travel, watch),
            Event::SendAgain(travel) => self.send_again(travel, watch),
            _ => {}
        }
        self.net.release(index);
    }

    /// The end learns that its pipe is gone, unless it knows.
    fn close_pipe_end(&mut self, index: u32, side: usize, reason: PipeEnd, watch: &mut impl Watch<M>) {
        let end = &self.net.pipes[index as usize].ends[side];
        if end.phase == Phase::Closed {
            return;
        }
        let (node, id) = (end.node.0, end.id);
        match reason {
            PipeEnd::Refused => self.net.counts.pipes_refused += 1,
            PipeEnd::TimedOut => self.net.counts.pipes_timed_out += 1,
            PipeEnd::Reset => self.net.counts.pipes_reset += 1,
            PipeEnd::Finished => {}
        }
        self.net.close_end(index, side);
        self.hand(node, Waiting::Closed(id, reason), watch);
    }

    fn dial_again(&mut self, index: u32, watch: &mut impl Watch<M>) {
        if self.net.pipes[index as usize].ends[DIALLER].phase != Phase::Connecting {
            return;
        }
        if self.net.dial_is_over(index) {
            self.close_pipe_end(index, DIALLER, PipeEnd::TimedOut, watch);
        } else {
            self.net.dial(index);
        }
    }

    fn dial_arrives(&mut self, index: u32, watch: &mut impl Watch<M>) {
        let pipe = &self.net.pipes[index as usize];
        if pipe.ends[DIALLER].phase != Phase::Connecting {
            return;
        }
        let (dialler, acceptor) = (pipe.ends[DIALLER].node.0, pipe.ends[ACCEPTOR].node.0);
        let node = &self.nodes[acceptor as usize];
        if node.is_silent() {
            self.net.dial_again(index);
            return;
        }
        if pipe.accepted {
            match pipe.ends[ACCEPTOR].phase {
                // The acceptor has ended the pipe since, or is another start of its node.
                Phase::Closed => self.net.refuse(index),
                _ => self.net.answer(index),
            }
            return;
        }
        let refuses = !pipe.port_matches || node.state == State::Down;
        if refuses || self.net.pipe_profile.refuse.hits(pipe.key.draw(lane::REFUSE)) {
            self.net.refuse(index);
            return;
        }
        let node = &mut self.nodes[acceptor as usize];
        let id = PipeId::accepted(node.accepted);
        node.accepted += 1;
        let pipe = &mut self.net.pipes[index as usize];
        pipe.accepted = true;
        let end = &mut pipe.ends[ACCEPTOR];
        (end.id, end.incarnation, end.phase) = (id, node.incarnation, Phase::Open);
        self.net.ends[acceptor as usize].insert(id, (index, ACCEPTOR));
        let from = self.net.addr(dialler);
        self.net.answer(index);
        self.hand(acceptor, Waiting::Accepted(id, from), watch);
    }

    fn answer_arrives(&mut self, index: u32, watch: &mut impl Watch<M>) {
        let end = &mut self.net.pipes[index as usize].ends[DIALLER];
        match end.phase {
            Phase::Open => {}
            Phase::Closed => {
                self.net.send_reset(index, DIALLER);
            }
            Phase::Connecting => {
                end.phase = Phase::Open;
                let (node, id) = (end.node.0, end.id);
                if end.wants_fill {
                    self.net.fills[node as usize].push((index, DIALLER));
                }
                self.hand(node, Waiting::Opened(id), watch);
                self.read(index, DIALLER, watch);
            }
        }
    }

    fn reset_arrives(&mut self, index: u32, side: usize, watch: &mut impl Watch<M>) {
        let end = &self.net.pipes[index as usize].ends[side];
        let reason = if end.phase == Phase::Connecting { PipeEnd::Refused } else { PipeEnd::Reset };
        self.close_pipe_end(index, side, reason, watch);
    }

    fn ack_arrives(&mut self, index: u32, side: usize, watch: &mut impl Watch<M>) {
        if !self.net.take_ack(index, side) {
            return;
        }
        let pipe = &self.net.pipes[index as usize];
        let (writer, finished) = (pipe.ends[side].node.0, pipe.ends[side].is_finished());
        // What was read while this acknowledgement travelled needs another.
        self.net.send_ack(index, 1 - side);
        if finished {
            self.close_pipe_end(index, side, PipeEnd::Finished, watch);
        } else if !self.net.fills[writer as usize].is_empty() && self.nodes[writer as usize].state == State::Up {
            self.drain(writer, watch);
        }
    }

    fn send_again(&mut self, travel: u32, watch: &mut impl Watch<M>) {
        let (pipe, from, first_sent) = {
            let travel = &self.net.travels[travel as usize];
            (travel.pipe, travel.from, travel.first_sent)
        };
        if self.net.pipes[pipe as usize].ends[from].phase != Phase::Open {
            self.net.travels.remove(travel as usize);
        } else if self.net.travel_is_over(first_sent) {
            self.net.travels.remove(travel as usize);
            self.close_pipe_end(pipe, from, PipeEnd::TimedOut, watch);
        } else {
            self.net.send_travel(travel);
        }
    }

    fn segment_arrives(&mut self, travel: u32, watch: &mut impl Watch<M>) {
        let (index, from, number, attempt) = {
            let travel = &self.net.travels[travel as usize];
            (travel.pipe, travel.from, travel.number, travel.attempt)
        };
        let side = 1 - from;
        let pipe = &self.net.pipes[index as usize];
        let reader = pipe.ends[side].node.0;
        if self.nodes[reader as usize].is_silent() {
            self.net.travel_lost(travel);
            return;
        }
        if self.net.pipes[index as usize].ends[side].phase == Phase::Closed {
            if self.net.send_reset(index, side) {
                self.net.travels.remove(travel as usize);
            } else {
                self.net.travel_lost(travel);
            }
            return;
        }
        let segment = self.net.travels.remove(travel as usize).segment;
        let key = self.net.pipes[index as usize].segment_key(from, number, attempt);
        if self.net.pipe_profile.reset.hits(key.draw(lane::RESET)) {
            self.reset_both(index, watch);
            return;
        }
        self.net.pipes[index as usize].ends[side].held.insert(number, segment);
        self.read(index, side, watch);
    }

    /// Something between the two ends resets the pipe.
    pub(super) fn reset_both(&mut self, index: u32, watch: &mut impl Watch<M>) {
        self.net.hold(index);
        self.close_pipe_end(index, DIALLER, PipeEnd::Reset, watch);
        self.close_pipe_end(index, ACCEPTOR, PipeEnd::Reset, watch);
        self.net.release(index);
    }

    /// Hands over the segments whose turn has come, while the node at `side` reads.
    fn read(&mut self, index: u32, side: usize, watch: &mut impl Watch<M>) {
        loop {
            let end = &mut self.net.pipes[index as usize].ends[side];
            if end.phase != Phase::Open || self.nodes[end.node.as_usize()].state != State::Up {
                break;
            }
            let Some(segment) = end.held.remove(&end.next_read) else { break };
            let number = end.next_read;
            end.next_read += 1;
            if segment.fin {
                end.fin_received = true;
                end.fin_unacked = true;
                let (node, pipe) = (end.node.0, end.id);
                self.net.record(Kind::PipeFinished, node, NodeIndex::NONE, pipe.as_u64(), 0, None);
                self.input(node, Input::PipeFinished { pipe }, watch);
            } else {
                end.unacked += segment.bytes.len() as u32;
                self.read_segment(index, side, number, &segment, watch);
            }
        }
        self.net.send_ack(index, side);
        if self.net.pipes[index as usize].ends[side].is_finished() {
            self.close_pipe_end(index, side, PipeEnd::Finished, watch);
        }
    }

    fn read_segment(
        &mut self,
        index: u32,
        side: usize,
        number: u64,
        segment: &crate::pipe::Segment,
        watch: &mut impl Watch<M>,
    ) {
        let pipe = &self.net.pipes[index as usize];
        let (from, to) = (pipe.ends[1 - side].node, pipe.ends[side].node);
        if self.net.taps.contains_key(&(from.0, to.0)) {
            self.tapped_segment(index, side, &segment.bytes, watch);
            return;
        }
        let Some(chunk_max) = self.net.pipe_profile.chunk_max else {
            self.hand_bytes(index, side, &segment.bytes, Some(segment.digest), watch);
            return;
        };
        let key = pipe.segment_key(side, number, 0);
        let mut rest = segment.bytes.as_slice();
        for piece in 0.. {
            if rest.is_empty() {
                break;
            }
            let length = key.number(piece).within(lane::CHUNK, 1, u64::from(chunk_max.max(1))) as usize;
            let (chunk, after) = rest.split_at(length.min(rest.len()));
            self.hand_bytes(index, side, chunk, None, watch);
            rest = after;
        }
    }

    fn hand_bytes(&mut self, index: u32, side: usize, bytes: &[u8], known: Option<u64>, watch: &mut impl Watch<M>) {
        let Some(pipe) = self.net.pipes.get(index as usize) else { return };
        let end = &pipe.ends[side];
        if end.phase != Phase::Open {
            return;
        }
        let (node, id, peer) = (end.node.0, end.id, pipe.ends[1 - side].node);
        let digest = known.unwrap_or_else(|| digest(bytes));
        self.net.record(Kind::PipeBytes, node, peer, id.as_u64(), digest, Some(bytes.len()));
        self.input(node, Input::PipeBytes { pipe: id, bytes }, watch);
    }

    /// A tap reads a segment, and what it writes is read in its place.
    fn tapped_segment(&mut self, index: u32, side: usize, bytes: &[u8], watch: &mut impl Watch<M>) {
        let pipe = &self.net.pipes[index as usize];
        let (from, to) = (pipe.ends[1 - side].node, pipe.ends[side].node);
        let Some(tap) = self.net.taps.get(&(from.0, to.0)).copied() else { return };
        let flow = Flow { pipe: pipe.serial, from, to, forward: side == ACCEPTOR };
        let mut out = Vec::new();
        self.net.tap_list[tap].pipe_bytes(self.net.now, flow, bytes, &mut out);
        for injection in out {
            match injection {
                Injection::Datagram { from, to, bytes } => self.net.inject(from.0, to.0, &bytes),
                Injection::Reset { pipe } => {
                    if let Some(index) = self.pipe_of_serial(pipe) {
                        self.reset_both(index, watch);
                    }
                }
                Injection::Bytes { pipe, forward, bytes } => {
                    let Some(index) = self.pipe_of_serial(pipe).filter(|_| !bytes.is_empty()) else { continue };
                    let side = if forward { ACCEPTOR } else { DIALLER };
                    let end = &self.net.pipes[index as usize].ends[side];
                    if self.nodes[end.node.as_usize()].state == State::Up {
                        self.hand_bytes(index, side, &bytes, None, watch);
                    }
                }
            }
        }
    }

    pub(super) fn pipe_of_serial(&self, serial: u64) -> Option<u32> {
        self.net.pipes.iter().find(|(_, pipe)| pipe.serial == serial).map(|(index, _)| index as u32)
    }
}

/// What can be asked of a world between runs.
impl<M: Machine> World<M> {
    /// The time that the run has reached.
    pub const fn now(&self) -> Time {
        self.net.now
    }

    /// The hash over everything that has happened.
    pub const fn trace_hash(&self) -> u64 {
        self.net.trace.hash()
    }

    /// How many events have been recorded.
    pub const fn events(&self) -> u64 {
        self.net.trace.events()
    }

    /// The hash at intervals, at most about a thousand: two runs are equal up to the last checkpoint that they share.
    pub fn checkpoints(&self) -> &[Checkpoint] {
        self.net.trace.checkpoints()
    }

    /// The last events, the oldest first.
    pub fn last_events(&self) -> Vec<Record> {
        self.net.trace.tail()
    }

    /// How often each misfortune struck.
    pub const fn counts(&self) -> Counts {
        self.net.counts
    }

    /// The decisions made so far, if they were asked for.
    pub const fn ledger(&self) -> &Ledger {
        &self.net.ledger
    }

    /// All names, in order: a node's index is its place here.
    pub fn names(&self) -> &[String] {
        &self.net.names
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<NodeIndex> {
        self.net.names.binary_search_by(|other| other.as_str().cmp(name)).ok().map(|index| NodeIndex(index as u32))
    }

    /// The address that others reach `node` at.
    pub fn addr(&self, node: NodeIndex) -> Addr {
        self.net.addr(node.0)
    }

    /// The machine of `node`; `None` while it is down.
    pub fn machine(&self, node: NodeIndex) -> Option<&M> {
        self.nodes[node.as_usize()].machine.as_ref()
    }

    /// What `node`'s clock shows now.
    pub fn clock(&self, node: NodeIndex) -> Instant {
        self.nodes[node.as_usize()].clock.read(self.net.now)
    }
}

impl<M: Machine> Node<M> {
    fn new(clock: Clock) -> Self {
        Self {
            machine: None,
            state: State::Down,
            clock,
            armed: None,
            incarnation: 0,
            refuses: false,
            accepted: 0,
            drains_later: false,
            inputs: (Time::ZERO, 0),
            waiting: VecDeque::new(),
            waiting_datagrams: 0,
        }
    }

    /// Nothing there answers, not even a system without its process.
    fn is_silent(&self) -> bool {
        self.state == State::Down && !self.refuses
    }
}

#[expect(clippy::panic, reason = "a misspelt name in a config is the caller's bug")]
fn panic_no_node(name: &str) -> ! {
    panic!("a link names the node {name:?}, which is not there")
}
