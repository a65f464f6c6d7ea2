//! A toy's nodes in a world, with the toy's oracle looking on.

use core::convert::Infallible;
use core::fmt::Debug;
use std::cell::Cell;
use std::rc::Rc;

use machine::{Addr, Boot, Instant, Machine};
use sim::{Config, Control, Counts, NodeConfig, NodeIndex, Stop, Time, Violation, Watch, World};
use toys::oracle::{self, EchoOracle, StopWaitOracle};
use toys::{echo, stop_wait};

/// The two oracles under one name.
pub(crate) trait Oracle<E> {
    fn observe(&mut self, name: &str, incarnation: u64, event: &E) -> Result<(), oracle::Violation>;
    fn finish(&self) -> Result<(), oracle::Violation>;
}

impl Oracle<stop_wait::Event> for StopWaitOracle {
    fn observe(&mut self, name: &str, incarnation: u64, event: &stop_wait::Event) -> Result<(), oracle::Violation> {
        self.observe(name, incarnation, event)
    }
    fn finish(&self) -> Result<(), oracle::Violation> {
        self.finish()
    }
}

impl Oracle<echo::Event> for EchoOracle {
    fn observe(&mut self, name: &str, incarnation: u64, event: &echo::Event) -> Result<(), oracle::Violation> {
        self.observe(name, incarnation, event)
    }
    fn finish(&self) -> Result<(), oracle::Violation> {
        self.finish()
    }
}

/// A toy and how much its nodes have to do.
pub(crate) trait Toy: Clone + 'static {
    type Event: Clone + Debug + PartialEq;
    type Node: Machine<Command = Infallible, Event = Self::Event>;
    /// The name of the node that all others talk to.
    const HUB: &'static str;

    fn guests(&self) -> usize;
    fn boot(&self, node: &str, hub: Addr, boot: &Boot) -> Self::Node;
    fn oracle(&self) -> impl Oracle<Self::Event>;

    /// Whether a faultless network's delays cannot change it.
    fn is_stable(event: &Self::Event) -> bool;

    fn names(&self) -> Vec<String> {
        (0..self.guests()).map(|guest| format!("guest-{guest}")).chain([Self::HUB.to_owned()]).collect()
    }

    /// A perfect network with 10 ms of delay.
    fn calm(&self, seed: u64) -> Config {
        let mut config = Config::new(seed, self.names().into_iter().map(NodeConfig::new));
        config.link.delay = sim::Delay::Fixed(machine::Duration::from_millis(10));
        config
    }
}

fn guest_of(node: &str) -> Option<usize> {
    node.strip_prefix("guest-")?.parse().ok()
}

/// Senders of one flow each, and a receiver.
#[derive(Clone)]
pub(crate) struct StopWaitToy(pub(crate) Vec<stop_wait::Flow>);

impl Toy for StopWaitToy {
    type Event = stop_wait::Event;
    type Node = stop_wait::StopWait;
    const HUB: &'static str = "receiver";

    fn guests(&self) -> usize {
        self.0.len()
    }

    fn boot(&self, node: &str, hub: Addr, boot: &Boot) -> stop_wait::StopWait {
        match guest_of(node) {
            Some(guest) => stop_wait::StopWait::sender(boot, hub, self.0[guest]),
            None => stop_wait::StopWait::receiver(boot),
        }
    }

    fn oracle(&self) -> impl Oracle<stop_wait::Event> {
        StopWaitOracle::new(self.0.clone())
    }

    fn is_stable(_: &stop_wait::Event) -> bool {
        true
    }
}

/// Clients, and a server; the address in the configs is filled in at boot.
#[derive(Clone)]
pub(crate) struct EchoToy(pub(crate) Vec<echo::Config>);

impl Toy for EchoToy {
    type Event = echo::Event;
    type Node = echo::Echo;
    const HUB: &'static str = "server";

    fn guests(&self) -> usize {
        self.0.len()
    }

    fn boot(&self, node: &str, hub: Addr, boot: &Boot) -> echo::Echo {
        match guest_of(node) {
            Some(guest) => echo::Echo::client(boot, echo::Config { server: hub, ..self.0[guest] }),
            None => echo::Echo::server(boot),
        }
    }

    fn oracle(&self) -> impl Oracle<echo::Event> {
        EchoOracle::new(self.0.clone())
    }

    fn is_stable(event: &echo::Event) -> bool {
        event.is_stable()
    }
}

/// What came of a run.
pub(crate) struct Outcome<E> {
    pub(crate) verdict: Result<(), Violation>,
    /// Who said what, in order.
    pub(crate) heard: Vec<(String, E)>,
    pub(crate) counts: Counts,
    pub(crate) trace_hash: u64,
}

struct Judge<O, E> {
    oracle: O,
    names: Vec<String>,
    incarnations: Vec<u64>,
    heard: Vec<(String, E)>,
}

impl<M: Machine, O: Oracle<M::Event>> Watch<M> for Judge<O, M::Event>
where
    M::Event: Clone,
{
    fn booted(&mut self, _: Time, node: NodeIndex, incarnation: u64, _: &mut Control<M::Command>) {
        self.incarnations[node.as_usize()] = incarnation;
    }

    fn event(&mut self, _: Time, node: NodeIndex, event: &M::Event, control: &mut Control<M::Command>) {
        let name = &self.names[node.as_usize()];
        if let Err(broken) = self.oracle.observe(name, self.incarnations[node.as_usize()], event) {
            control.violate(broken.promise, broken.to_string());
        }
        self.heard.push((name.clone(), event.clone()));
    }
}

/// Runs `toy` in `config` until `deadline`, by when all work must be done. Each machine goes through `wrap` with its node's
/// name and its time of boot.
pub(crate) fn run<T: Toy, M>(
    toy: &T,
    config: Config,
    deadline: Time,
    wrap: impl Fn(&str, Instant, T::Node) -> M + 'static,
) -> Outcome<T::Event>
where
    M: Machine<Command = Infallible, Event = T::Event>,
{
    let hub = Rc::new(Cell::new(None));
    let (hub_at_boot, booted) = (hub.clone(), toy.clone());
    let mut world = World::new(config, move |_, name, boot| {
        wrap(name, boot.now, booted.boot(name, hub_at_boot.get().expect("set before the run"), &boot))
    });
    hub.set(world.node(T::HUB).map(|node| world.addr(node)));
    let names = world.names().to_vec();
    let mut judge = Judge { oracle: toy.oracle(), incarnations: vec![0; names.len()], names, heard: Vec::new() };
    let verdict = match world.run(deadline, &mut judge) {
        Stop::Violated(violation) => Err(violation),
        Stop::Reached | Stop::Idle | Stop::Asked => {
            judge.oracle.finish().map_err(|stuck| Violation { check: stuck.promise.into(), detail: stuck.to_string() })
        }
    };
    Outcome { verdict, heard: judge.heard, counts: world.counts(), trace_hash: world.trace_hash() }
}
