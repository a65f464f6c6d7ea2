//! A machine that does what it is told and tells what it sees, and a world of such machines.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use machine::{Addr, Boot, Destination, Duration, Input, Instant, Machine, Output, PipeEnd, PipeId};
use sim::{Begin, Config, Control, Counts, Fault, NodeConfig, NodeIndex, Planned, Stop, Time, Watch, World};

/// What a probe is told.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    Send(Addr, Vec<u8>),
    SendGroup(Vec<u8>),
    /// Opens the probe's pipe of this index.
    Open(u64, Addr),
    Write(PipeId, Vec<u8>),
    Finish(PipeId),
    Close(PipeId),
    Store(&'static str, Vec<u8>),
    WakeAt(Instant),
    /// Wants a timeout now, and now, and now.
    Spin,
    /// Aborts every pipe on which bytes come.
    CloseOnBytes,
    /// Only does what an event would show: nothing.
    Nothing,
}

/// What a probe saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    Boot { incarnation: u64, stored: BTreeMap<String, Vec<u8>> },
    Timeout(Instant),
    Command,
    Datagram(Addr, Vec<u8>),
    Opened(PipeId),
    Accepted(PipeId, Addr),
    Bytes(PipeId, Vec<u8>),
    Finished(PipeId),
    Closed(PipeId, PipeEnd),
    Stored(String, bool),
}

#[derive(Debug)]
enum Act {
    Datagram(Destination, Vec<u8>),
    Open(PipeId, Addr),
    Fill(PipeId),
    Finish(PipeId),
    Close(PipeId),
    Store(&'static str, Vec<u8>),
    Saw(Saw),
}

/// Does what it is told.
#[derive(Debug)]
pub(crate) struct Probe {
    acts: VecDeque<Act>,
    lent: Vec<u8>,
    unsent: BTreeMap<PipeId, VecDeque<u8>>,
    wake: Option<Instant>,
    spins: bool,
    closes_on_bytes: bool,
    /// The chance it was given.
    pub(crate) seed: [u8; 32],
}

impl Probe {
    fn new(boot: Boot) -> Self {
        let saw = Saw::Boot { incarnation: boot.incarnation, stored: boot.stored };
        Self {
            acts: VecDeque::from([Act::Saw(saw)]),
            lent: Vec::new(),
            unsent: BTreeMap::new(),
            wake: None,
            spins: false,
            closes_on_bytes: false,
            seed: boot.seed,
        }
    }

    fn obey(&mut self, command: Do) {
        let act = match command {
            Do::Send(to, bytes) => Act::Datagram(Destination::Addr(to), bytes),
            Do::SendGroup(bytes) => Act::Datagram(Destination::Group, bytes),
            Do::Open(index, to) => Act::Open(PipeId::opened(index), to),
            Do::Write(pipe, bytes) => {
                self.unsent.entry(pipe).or_default().extend(bytes);
                Act::Fill(pipe)
            }
            Do::Finish(pipe) => Act::Finish(pipe),
            Do::Close(pipe) => Act::Close(pipe),
            Do::Store(key, bytes) => Act::Store(key, bytes),
            Do::WakeAt(at) => return self.wake = Some(at),
            Do::Spin => return self.spins = true,
            Do::CloseOnBytes => return self.closes_on_bytes = true,
            Do::Nothing => return self.acts.push_back(Act::Saw(Saw::Command)),
        };
        self.acts.push_back(act);
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.wake.is_none_or(|wake| wake > now) {
            return;
        }
        self.wake = None;
        self.acts.push_back(Act::Saw(Saw::Timeout(now)));
    }
}

impl Machine for Probe {
    type Command = Do;
    type Event = Saw;

    fn handle(&mut self, now: Instant, input: Input<'_, Do>) {
        let saw = match input {
            Input::Timeout => return self.on_timeout(now),
            Input::Command(command) => return self.obey(command),
            Input::Datagram { from, bytes } => Saw::Datagram(from, bytes.to_vec()),
            Input::PipeOpened { pipe } => Saw::Opened(pipe),
            Input::PipeAccepted { pipe, from } => Saw::Accepted(pipe, from),
            Input::PipeBytes { pipe, bytes } => {
                if self.closes_on_bytes {
                    self.acts.push_back(Act::Close(pipe));
                }
                Saw::Bytes(pipe, bytes.to_vec())
            }
            Input::PipeFinished { pipe } => Saw::Finished(pipe),
            Input::PipeClosed { pipe, reason } => Saw::Closed(pipe, reason),
            Input::Stored { key, result } => Saw::Stored(key.to_owned(), result.is_ok()),
        };
        self.acts.push_back(Act::Saw(saw));
    }

    fn poll(&mut self) -> Option<Output<'_, Saw>> {
        Some(match self.acts.pop_front()? {
            Act::Datagram(to, bytes) => {
                self.lent = bytes;
                Output::Datagram { to, bytes: &self.lent }
            }
            Act::Store(key, bytes) => {
                self.lent = bytes;
                Output::Store { key, bytes: &self.lent }
            }
            Act::Open(pipe, to) => Output::OpenPipe { pipe, to },
            Act::Fill(pipe) => Output::FillPipe { pipe },
            Act::Finish(pipe) => Output::FinishPipe { pipe },
            Act::Close(pipe) => Output::ClosePipe { pipe },
            Act::Saw(saw) => Output::Event(saw),
        })
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let Some(unsent) = self.unsent.get_mut(&pipe) else { return 0 };
        let length = unsent.len().min(room.len());
        for (to, byte) in room.iter_mut().zip(unsent.drain(..length)) {
            *to = byte;
        }
        length
    }

    fn next_timeout(&self) -> Option<Instant> {
        if self.spins { Some(Instant::ZERO) } else { self.wake }
    }
}

/// What all nodes saw, in order; and what is to be done when they see something.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) all: Vec<(Time, NodeIndex, Saw)>,
    /// Bytes filled by each node, as the watch is told.
    pub(crate) filled: BTreeMap<NodeIndex, usize>,
    /// Triggers to fire when an event of this node is seen.
    pub(crate) fire: Option<(NodeIndex, Saw, u32)>,
    /// Stops the run, or breaks a promise, when this is seen.
    pub(crate) stop_on: Option<Saw>,
    pub(crate) violate_on: Option<Saw>,
    /// Commands this node when this is seen.
    pub(crate) command_on: Option<(Saw, NodeIndex, Do)>,
}

impl Watch<Probe> for Log {
    fn event(&mut self, at: Time, node: NodeIndex, event: &Saw, control: &mut Control<Do>) {
        self.all.push((at, node, event.clone()));
        if let Some((whose, what, trigger)) = &self.fire
            && (*whose, what) == (node, event)
        {
            control.fire(*trigger);
        }
        if self.stop_on.as_ref() == Some(event) {
            control.stop();
        }
        if self.violate_on.as_ref() == Some(event) {
            control.violate("probe", "as asked");
        }
        if let Some((_, node, command)) = self.command_on.take_if(|(what, ..)| what == event) {
            control.command(node, command);
        }
    }

    fn filled(&mut self, _: Time, node: NodeIndex, _: NodeIndex, bytes: &[u8], _: &mut Control<Do>) {
        *self.filled.entry(node).or_default() += bytes.len();
    }
}

/// A world of probes.
pub(crate) struct Lab {
    pub(crate) world: World<Probe>,
    pub(crate) log: Log,
    trace: Rc<RefCell<Vec<String>>>,
}

impl Lab {
    /// Nodes of these names on a network with 10 ms of delay, changed by `change`.
    pub(crate) fn new(names: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(1, names.iter().map(|name| NodeConfig::new(*name)));
        config.link.delay = sim::Delay::Fixed(millis(10));
        change(&mut config);
        let mut lab = Self::quiet(config);
        let lines = lab.trace.clone();
        lab.world.trace_to(Box::new(move |line| lines.borrow_mut().push(line.to_owned())));
        lab
    }

    /// A world that writes no full trace.
    pub(crate) fn quiet(config: Config) -> Self {
        let world = World::new(config, |_, _, boot| Probe::new(boot));
        Self { world, log: Log::default(), trace: Rc::default() }
    }

    pub(crate) fn node(&self, name: &str) -> NodeIndex {
        self.world.node(name).unwrap()
    }

    pub(crate) fn addr(&self, name: &str) -> Addr {
        self.world.addr(self.node(name))
    }

    /// Tells `name` to do something so many milliseconds after the start, by when it has booted.
    pub(crate) fn at(&mut self, millis: u64, name: &str, command: Do) {
        assert!(millis > 0, "nodes boot at 0, after the commands of that time");
        let node = self.node(name);
        self.world.command(Time::from_millis(millis), node, command);
    }

    pub(crate) fn send(&mut self, millis: u64, from: &str, to: &str, bytes: &[u8]) {
        let to = self.addr(to);
        self.at(millis, from, Do::Send(to, bytes.to_vec()));
    }

    /// Tells `from` to open its pipe number `index` to `to`.
    pub(crate) fn open(&mut self, millis: u64, from: &str, index: u64, to: &str) -> PipeId {
        let to = self.addr(to);
        self.at(millis, from, Do::Open(index, to));
        PipeId::opened(index)
    }

    pub(crate) fn write(&mut self, millis: u64, from: &str, pipe: PipeId, bytes: &[u8]) {
        self.at(millis, from, Do::Write(pipe, bytes.to_vec()));
    }

    pub(crate) fn run(&mut self, millis: u64) -> Stop {
        self.world.run(Time::from_millis(millis), &mut self.log)
    }

    /// All that `name` saw, boots apart.
    pub(crate) fn saw(&self, name: &str) -> Vec<Saw> {
        self.saw_at(name).into_iter().map(|(_, saw)| saw).collect()
    }

    /// What `name` saw, boots apart, with the world's time in milliseconds.
    pub(crate) fn saw_at(&self, name: &str) -> Vec<(u64, Saw)> {
        let node = self.node(name);
        let seen = self.log.all.iter().filter(|(_, who, saw)| *who == node && !matches!(saw, Saw::Boot { .. }));
        seen.map(|(at, _, saw)| (at.as_nanos() / 1_000_000, saw.clone())).collect()
    }

    /// The values stored at each boot of `name`.
    pub(crate) fn boots(&self, name: &str) -> Vec<BTreeMap<String, Vec<u8>>> {
        let node = self.node(name);
        let boots = self.log.all.iter().filter(|(_, who, _)| *who == node).filter_map(|(_, _, saw)| match saw {
            Saw::Boot { stored, .. } => Some(stored.clone()),
            _ => None,
        });
        boots.collect()
    }

    /// The datagrams that `name` got.
    pub(crate) fn got(&self, name: &str) -> Vec<Vec<u8>> {
        let datagram = |saw| if let Saw::Datagram(_, bytes) = saw { Some(bytes) } else { None };
        self.saw(name).into_iter().filter_map(datagram).collect()
    }

    /// All bytes that `name` read from `pipe`, and in how many pieces.
    pub(crate) fn read(&self, name: &str, pipe: PipeId) -> (Vec<u8>, usize) {
        let pieces: Vec<_> = self
            .saw(name)
            .into_iter()
            .filter_map(|saw| match saw {
                Saw::Bytes(which, bytes) if which == pipe => Some(bytes),
                _ => None,
            })
            .collect();
        (pieces.concat(), pieces.len())
    }

    /// How `name`'s pipes ended.
    pub(crate) fn ends(&self, name: &str) -> Vec<(PipeId, PipeEnd)> {
        let end = |saw| if let Saw::Closed(pipe, reason) = saw { Some((pipe, reason)) } else { None };
        self.saw(name).into_iter().filter_map(end).collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.world.counts()
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.trace.borrow().clone()
    }
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// `fault` from `begin` to `end`, in milliseconds.
pub(crate) fn during(begin: u64, end: u64, fault: Fault) -> Planned {
    Planned { begin: Begin::At(Time::from_millis(begin)), lasts: Some(millis(end - begin)), fault }
}

/// The first pipe that a node accepts.
pub(crate) const ACCEPTED: PipeId = PipeId::accepted(0);
/// The first pipe that a node opens.
pub(crate) const OPENED: PipeId = PipeId::opened(0);
/// The nodes "a", "b" and "c" in a world that has no others.
pub(crate) const A: NodeIndex = NodeIndex::new(0);
pub(crate) const B: NodeIndex = NodeIndex::new(1);
pub(crate) const C: NodeIndex = NodeIndex::new(2);
