//! The world: nodes on a network, stepped event by event. One seed decides everything that happens in it.

mod config;
mod delivery;
mod faults;
mod fills;
mod hosts;
mod inputs;
mod net;
mod node;
mod pipe_events;
mod pipes;
mod stores;
#[cfg(test)]
mod tests;
mod view;

use crate::Time;
use crate::capture::Capture;
use crate::causes::Causes;
use crate::fault::Planned;
use crate::schedule::Queue;
use crate::tap::Tap;
use crate::trace::{Kind, Sink};
use crate::watch::{Control, Violation, Watch};
use core::fmt::Debug;
use machine::{Boot, Machine};
use net::{Event, Net, Parts};
use node::{Node, State, Waiting};
use slab::Slab;

pub use config::{Config, NodeConfig, NodeIndex, Perturb};

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
    /// Whether `perturb` can do anything.
    perturbs: bool,
    reseed: Option<u64>,
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
        let parts =
            Parts { seed: config.seed, link: config.link, links: &links, pipes: config.pipes, ledger: config.ledger };
        let mut net = Net::new(&nodes, parts);
        for (index, node) in (0..).zip(&nodes) {
            net.push(index, node.starts_at, Event::Boot(index));
        }
        for (index, planned) in (0..).zip(&config.plan) {
            if let crate::fault::Begin::At(at) = planned.begin {
                net.push_own(at, Event::FaultBegins(index));
            }
        }
        if let Some((at, _)) = config.reseed_at {
            net.push_own(at, Event::Reseed);
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
            perturbs: config.perturb != Perturb::default(),
            reseed: config.reseed_at.map(|(_, seed)| seed),
            events_at_now: 0,
            events_per_instant_max: config.events_per_instant_max,
        }
    }

    /// Writes every event to `sink`, as a JSON object a line. To be set before the first run.
    pub fn trace_to(&mut self, sink: Sink) {
        self.net.trace.write_to(sink);
    }

    /// Keeps what each event follows from. To be asked for before the first run, and given to each run as a watch.
    pub fn keep_causes(&mut self) -> Causes {
        let causes = Causes::default();
        self.net.trace.keep_causes(causes.clone());
        // A decision that is recorded takes the way on which fates are told.
        self.net.record_decisions();
        causes
    }

    /// Tells `capture` of all that is put on the wire. To be asked for before the first run.
    pub fn capture_to(&mut self, capture: Capture) {
        self.net.capture_to(capture);
    }

    /// Puts a tap on both directions between two nodes, in place of an earlier one.
    pub fn tap(&mut self, a: NodeIndex, b: NodeIndex, tap: Box<dyn Tap>) {
        self.net.tap(a, b, tap);
    }

    /// Hands `command` to `node` at `at`. A node that is down never gets it.
    pub fn command(&mut self, at: Time, node: NodeIndex, command: M::Command) {
        let place = self.commands.insert((node.0, command)) as u32;
        self.net.push_own(at.max(self.net.now), Event::Command(place));
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
            self.look_ahead();
            match event.what {
                Event::Timer(node) => self.timer(node, event.order, watch),
                Event::Deliver(delivery) => self.deliver(delivery, watch),
                rarer => self.step(rarer, watch),
            }
            if self.control.asked
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

    /// Reads early what the next event will ask for: with many nodes it is far from the processor, and on its way while
    /// this event is handled.
    #[inline]
    fn look_ahead(&self) {
        let node = match self.net.schedule.upcoming() {
            Some(Event::Timer(node)) => *node,
            Some(Event::Deliver(delivery)) => self.net.deliveries.get(*delivery).to,
            _ => return,
        };
        core::hint::black_box(self.nodes[node as usize].state);
    }

    #[cold]
    fn livelock(&self, last: Event) -> Violation {
        let detail = format!("more than {} events at {}, the last {last:?}", self.events_per_instant_max, self.net.now);
        Violation { check: "livelock".into(), detail }
    }

    /// Does what onlookers asked for.
    #[cold]
    fn obey(&mut self, watch: &mut impl Watch<M>) -> Option<Stop> {
        while self.control.asked {
            if let Some(violation) = self.control.violation.take() {
                return Some(Stop::Violated(violation));
            }
            if core::mem::take(&mut self.control.stop) {
                return Some(Stop::Asked);
            }
            self.control.asked = false;
            for trigger in core::mem::take(&mut self.control.fired) {
                self.fire(trigger, watch);
            }
            for (node, command) in core::mem::take(&mut self.control.commands) {
                self.hand(node.0, Waiting::Command(command), watch);
            }
        }
        None
    }

    /// All events but those of which there are many.
    fn step(&mut self, event: Event, watch: &mut impl Watch<M>) {
        match event {
            Event::Boot(node) => self.boot_node(node, watch),
            Event::Drain(node) => {
                self.nodes[node as usize].rest.drains_later = false;
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
}

#[expect(clippy::panic, reason = "a misspelt name in a config is the caller's bug")]
fn panic_no_node(name: &str) -> ! {
    panic!("a link names the node {name:?}, which is not there")
}
