//! Nodes on a perfect network, with one virtual clock and a test in the middle of it. The simulator does all this and much
//! more; here a test holds the nodes themselves and calls them.

use fabric::identity::{DeviceId, DeviceKey, NoiseStatic};
use fabric::session::{Limits, Local, Session};
use fabric::suite::{RealSuite, Suite};
use fabric::{Config, Event, Node};
use machine::{Addr, Boot, Destination, Duration, Host, Input, Instant, Machine, Output, PipeEnd, PipeId, StoreFailed};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One end of a pipe: whose, and under which id.
type End = (usize, PipeId);

/// A pipe's end as the network knows it.
#[derive(Clone, Copy)]
struct Half {
    other: End,
    finished: bool,
}

pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Vec<Event>>,
    ends: BTreeMap<End, Half>,
    accepted: Vec<u64>,
    fills: VecDeque<End>,
    /// What each node has stored.
    pub(crate) disks: Vec<BTreeMap<String, Vec<u8>>>,
    /// No store succeeds.
    pub(crate) disks_fail: bool,
    /// Every announce so far: whose, and its bytes.
    pub(crate) announces: Vec<(usize, Vec<u8>)>,
    /// Nodes that nothing reaches, and that reach nobody.
    pub(crate) cut_off: Vec<usize>,
}

pub(crate) fn local(secret: u8) -> Local {
    let noise = NoiseStatic::new([secret; 32], RealSuite.noise_public(&[secret; 32]));
    Local { device: DeviceKey::from_seed(&[secret; 32]), noise, features: 0, suite: Arc::new(RealSuite) }
}

pub(crate) fn id(secret: u8) -> DeviceId {
    DeviceKey::from_seed(&[secret; 32]).device_id()
}

pub(crate) fn addr(node: usize) -> Addr {
    let mut octets = [0; 16];
    octets[0] = 0xFD;
    octets[15] = node as u8;
    Addr::new(Host::new(octets), 7_000)
}

/// A config that trusts the devices with these secrets.
pub(crate) fn config(trusted: &[u8]) -> Config {
    Config {
        port: 7_000,
        services: vec!["echo".into()],
        trusted: trusted.iter().map(|secret| id(*secret)).collect(),
        ..Config::default()
    }
}

impl Net {
    /// Node `n` is the device with secret `n + 1`.
    pub(crate) fn new(configs: impl IntoIterator<Item = Config>) -> Self {
        let mut net = Self {
            nodes: Vec::new(),
            now: Instant::from_nanos(1_000),
            events: Vec::new(),
            ends: BTreeMap::new(),
            accepted: Vec::new(),
            fills: VecDeque::new(),
            disks: Vec::new(),
            disks_fail: false,
            announces: Vec::new(),
            cut_off: Vec::new(),
        };
        for config in configs {
            net.add(config);
        }
        net
    }

    pub(crate) fn add(&mut self, config: Config) -> usize {
        let at = self.nodes.len();
        self.nodes.push(boot(at as u8 + 1, 0, self.now, &BTreeMap::new(), config));
        self.disks.push(BTreeMap::new());
        self.events.push(Vec::new());
        self.accepted.push(0);
        at
    }

    /// The node loses its memory; its peers learn it when they write.
    pub(crate) fn restart(&mut self, node: usize, config: Config) {
        self.nodes[node] = boot(node as u8 + 1, 1, self.now, &self.disks[node], config);
        self.ends.retain(|(owner, _), _| *owner != node);
    }

    pub(crate) fn id(&self, node: usize) -> DeviceId {
        self.nodes[node].device_id()
    }

    /// Runs until nothing is to be done at this time.
    pub(crate) fn settle(&mut self) {
        while (0..self.nodes.len()).any(|node| self.drain(node)) || !self.fills.is_empty() {
            while let Some(end) = self.fills.pop_front() {
                self.fill(end);
            }
        }
    }

    /// Lets time pass, timers and all.
    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.now + span;
        self.settle();
        while let Some(next) = self.nodes.iter().filter_map(Machine::next_timeout).min().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            let now = self.now;
            for node in &mut self.nodes {
                node.handle(now, Input::Timeout);
            }
            self.settle();
        }
        self.now = until;
    }

    fn input(&mut self, node: usize, input: Input<'_, fabric::Command>) {
        let now = self.now;
        self.nodes[node].handle(now, input);
    }

    /// Whether the node had anything to say.
    fn drain(&mut self, node: usize) -> bool {
        let mut had = false;
        loop {
            let next = match self.nodes[node].poll() {
                None => return had,
                Some(Output::Event(event)) => {
                    self.events[node].push(event);
                    had = true;
                    continue;
                }
                Some(Output::Datagram { to: Destination::Group, bytes }) => Do::Announce(bytes.to_vec()),
                Some(Output::OpenPipe { pipe, to }) => Do::Open(pipe, to),
                Some(Output::FillPipe { pipe }) => Do::Fill(pipe),
                Some(Output::FinishPipe { pipe }) => Do::Finish(pipe),
                Some(Output::ClosePipe { pipe }) => Do::Close(pipe),
                Some(Output::Store { key, bytes }) => Do::Store(key.to_owned(), bytes.to_vec()),
                Some(other) => panic!("{other:?}"),
            };
            had = true;
            match next {
                Do::Announce(bytes) => self.announce(node, &bytes),
                Do::Open(pipe, to) => self.open(node, pipe, to),
                Do::Fill(pipe) => self.fills.push_back((node, pipe)),
                Do::Finish(pipe) => self.finish((node, pipe)),
                Do::Close(pipe) => self.close((node, pipe)),
                Do::Store(key, bytes) => self.store(node, &key, bytes),
            }
        }
    }

    fn store(&mut self, node: usize, key: &str, bytes: Vec<u8>) {
        let result = if self.disks_fail { Err(StoreFailed) } else { Ok(()) };
        if result.is_ok() {
            self.disks[node].insert(key.to_owned(), bytes);
        }
        self.input(node, Input::Stored { key, result });
    }

    /// A datagram comes to a node, whoever sent it.
    pub(crate) fn push_datagram(&mut self, to: usize, from: Addr, bytes: &[u8]) {
        self.input(to, Input::Datagram { from, bytes });
        self.settle();
    }

    fn announce(&mut self, from: usize, bytes: &[u8]) {
        self.announces.push((from, bytes.to_vec()));
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            if !self.cut_off.contains(&from) && !self.cut_off.contains(&to) {
                self.input(to, Input::Datagram { from: addr(from), bytes });
            }
        }
    }

    /// A pipe to a node that no node has dialled: bytes are pushed by the test.
    pub(crate) fn stranger_dials(&mut self, to: usize, from: Addr) -> PipeId {
        let pipe = PipeId::accepted(self.accepted[to]);
        self.accepted[to] += 1;
        self.input(to, Input::PipeAccepted { pipe, from });
        self.settle();
        pipe
    }

    /// The device with this secret comes in by a pipe of its own, as [`Net::stranger_dials`], and says nothing more.
    pub(crate) fn stranger_comes_in(&mut self, to: usize, from: Addr, secret: u8) -> PipeId {
        let (device, noise) = (self.id(to), local(to as u8 + 1).noise.public());
        let stranger = Arc::new(local(secret));
        let mut session = Session::dial(self.now, &stranger, device, noise, [7; 32], &Limits::default()).unwrap();
        let pipe = self.stranger_dials(to, from);
        let mut room = [0; 4_096];
        for _ in 0..2 {
            let count = session.fill(&mut room, &mut |_| 0);
            self.push_bytes(to, pipe, &room[..count]);
            let count = self.nodes[to].fill(pipe, &mut room);
            session.receive(self.now, &mut &room[..count]).unwrap();
        }
        assert!(session.is_established());
        pipe
    }

    pub(crate) fn push_bytes(&mut self, to: usize, pipe: PipeId, bytes: &[u8]) {
        self.input(to, Input::PipeBytes { pipe, bytes });
        self.settle();
    }

    fn open(&mut self, node: usize, pipe: PipeId, to: Addr) {
        let target = (0..self.nodes.len()).find(|other| addr(*other) == to);
        let Some(target) = target.filter(|target| !self.cut_off.contains(target) && !self.cut_off.contains(&node))
        else {
            return self.input(node, Input::PipeClosed { pipe, reason: PipeEnd::Refused });
        };
        let other = PipeId::accepted(self.accepted[target]);
        self.accepted[target] += 1;
        self.ends.insert((node, pipe), Half { other: (target, other), finished: false });
        self.ends.insert((target, other), Half { other: (node, pipe), finished: false });
        self.input(target, Input::PipeAccepted { pipe: other, from: addr(node).with_port(40_000) });
        self.input(node, Input::PipeOpened { pipe });
    }

    fn fill(&mut self, end: End) {
        let mut room = [0; 4_096];
        loop {
            let Some(half) = self.ends.get(&end).copied() else { return };
            if half.finished {
                return;
            }
            let count = self.nodes[end.0].fill(end.1, &mut room);
            if count == 0 {
                return;
            }
            if self.ends.contains_key(&half.other) {
                let (to, pipe) = half.other;
                self.input(to, Input::PipeBytes { pipe, bytes: &room[..count] });
            } else {
                self.ends.remove(&end);
                self.input(end.0, Input::PipeClosed { pipe: end.1, reason: PipeEnd::Reset });
            }
        }
    }

    fn finish(&mut self, end: End) {
        self.fill(end);
        let Some(half) = self.ends.get_mut(&end) else { return };
        half.finished = true;
        let other = half.other;
        if self.ends.get(&other).is_none_or(|other| other.finished) {
            for (node, pipe) in [end, other] {
                self.ends.remove(&(node, pipe));
                self.input(node, Input::PipeClosed { pipe, reason: PipeEnd::Finished });
            }
        } else {
            self.input(other.0, Input::PipeFinished { pipe: other.1 });
        }
    }

    fn close(&mut self, end: End) {
        let Some(half) = self.ends.remove(&end) else { return };
        if self.ends.remove(&half.other).is_some() {
            self.input(half.other.0, Input::PipeClosed { pipe: half.other.1, reason: PipeEnd::Reset });
        }
    }

    /// Resets every pipe of the node, as a network does.
    pub(crate) fn reset_pipes(&mut self, node: usize) {
        let pipes: Vec<_> = self.ends.keys().filter(|(owner, _)| *owner == node).copied().collect();
        for end in pipes {
            let Some(half) = self.ends.remove(&end) else { continue };
            self.ends.remove(&half.other);
            for (node, pipe) in [end, half.other] {
                self.input(node, Input::PipeClosed { pipe, reason: PipeEnd::Reset });
            }
        }
        self.settle();
    }

    /// Somebody writes a record of his own into every pipe that leads to the node.
    pub(crate) fn forge_records(&mut self, node: usize) {
        let forged = [&[0, 20][..], &[7; 20]].concat();
        let pipes: Vec<_> = self.ends.keys().filter(|(owner, _)| *owner == node).map(|(_, pipe)| *pipe).collect();
        for pipe in pipes {
            self.input(node, Input::PipeBytes { pipe, bytes: &forged });
        }
        self.settle();
    }

    /// How many pipes the node has.
    pub(crate) fn pipes(&self, node: usize) -> usize {
        self.ends.keys().filter(|(owner, _)| *owner == node).count()
    }

    /// Takes the events of a node that `pick` knows.
    pub(crate) fn take<T>(&mut self, node: usize, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        let mut picked = Vec::new();
        self.events[node].retain(|event| {
            let known = pick(event);
            let keep = known.is_none();
            picked.extend(known);
            keep
        });
        picked
    }
}

enum Do {
    Announce(Vec<u8>),
    Open(PipeId, Addr),
    Fill(PipeId),
    Finish(PipeId),
    Close(PipeId),
    Store(String, Vec<u8>),
}

fn boot(secret: u8, incarnation: u64, now: Instant, stored: &BTreeMap<String, Vec<u8>>, config: Config) -> Node {
    let boot = Boot { now, incarnation, seed: [secret ^ incarnation as u8; 32], stored: stored.clone() };
    Node::new(&boot, local(secret), config).unwrap()
}
