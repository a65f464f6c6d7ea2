//! The toys' promises as checks over events. Knows nodes by name and no driver: whoever sees the events feeds them, in the
//! order in which they happened.
//!
//! ```
//! use toys::oracle::StopWaitOracle;
//! use toys::stop_wait::{Event, Flow};
//!
//! let flow = Flow { id: 1, count: 2, bytes_max: 100 };
//! let mut oracle = StopWaitOracle::new([flow]);
//! oracle.observe("alice", 0, &Event::Started { flow: 1 })?;
//! let early = oracle.observe("alice", 0, &Event::Done { flow: 1, receiver: 0 });
//! assert!(early.is_err(), "nothing was delivered");
//! assert!(oracle.finish().is_err(), "and so it is not done");
//! # Ok::<(), toys::oracle::Violation>(())
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use machine::PipeEnd;

use crate::stop_wait::Flow;
use crate::{echo, stop_wait, wire};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise, in the design's words.
    pub promise: &'static str,
    /// Who broke it, by name or number.
    pub subject: String,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.promise, self.subject, self.seen)
    }
}

impl core::error::Error for Violation {}

fn ensure(holds: bool, promise: &'static str, subject: &str, seen: &dyn fmt::Debug) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { promise, subject: subject.to_string(), seen: format!("{seen:?}") }) }
}

/// Judges [`stop_wait`].
#[derive(Clone, Debug)]
pub struct StopWaitOracle {
    flows: BTreeMap<u32, (Flow, FlowState)>,
    /// How many messages were delivered, by flow, sender's incarnation and receiver's incarnation.
    delivered: BTreeMap<(u32, u64, u64), u32>,
}

#[derive(Clone, Copy, Debug)]
enum FlowState {
    NotStarted,
    Started,
    Done,
}

impl StopWaitOracle {
    /// Expects these flows, each from one node to one other.
    pub fn new(flows: impl IntoIterator<Item = Flow>) -> Self {
        let flows = flows.into_iter().map(|flow| (flow.id, (flow, FlowState::NotStarted))).collect();
        Self { flows, delivered: BTreeMap::new() }
    }

    /// Judges the next event of the world, of this start of the node `name`.
    pub fn observe(&mut self, name: &str, incarnation: u64, event: &stop_wait::Event) -> Result<(), Violation> {
        let (stop_wait::Event::Started { flow: id }
        | stop_wait::Event::Delivered { flow: id, .. }
        | stop_wait::Event::Done { flow: id, .. }) = *event;
        let known = self.flows.get_mut(&id);
        ensure(known.is_some(), "only what was sent is delivered", name, event)?;
        let Some((flow, state)) = known else { return Ok(()) };
        match *event {
            stop_wait::Event::Started { .. } => {
                *state = FlowState::Started;
                Ok(())
            }
            stop_wait::Event::Delivered { session, index, digest, .. } => {
                let next = self.delivered.entry((id, session, incarnation)).or_insert(0);
                ensure(index == *next && index < flow.count, "each message once and in order", name, event)?;
                *next += 1;
                let sent = wire::digest(&wire::message(id, index, flow.bytes_max));
                ensure(digest == sent, "messages arrive whole", name, event)
            }
            stop_wait::Event::Done { receiver, .. } => {
                let delivered = self.delivered.get(&(id, incarnation, receiver)).copied().unwrap_or(0);
                ensure(delivered == flow.count, "done means delivered", name, event)?;
                *state = FlowState::Done;
                Ok(())
            }
        }
    }

    /// Judges the end of a run: every flow's last sender has finished.
    pub fn finish(&self) -> Result<(), Violation> {
        for (flow, state) in self.flows.values() {
            let is_done = matches!(state, FlowState::Done);
            ensure(is_done, "every flow is finished", &format!("flow {}", flow.id), state)?;
        }
        Ok(())
    }
}

/// Judges [`echo`]: one server and its clients.
#[derive(Clone, Debug)]
pub struct EchoOracle {
    clients: BTreeMap<u32, echo::Config>,
    /// The client that each node is in its current start.
    running: BTreeMap<String, Running>,
    /// Every counter value that some echo carried.
    seen: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
struct Running {
    client: u32,
    incarnation: u64,
    echoed: u32,
    /// The highest value that the client's own echoes carried.
    counter: u64,
    /// The highest value that any client had seen when each unanswered ping left.
    floors: BTreeMap<u32, u64>,
    done: bool,
}

impl EchoOracle {
    /// Expects these clients.
    pub fn new(clients: impl IntoIterator<Item = echo::Config>) -> Self {
        let clients = clients.into_iter().map(|config| (config.client, config)).collect();
        Self { clients, running: BTreeMap::new(), seen: BTreeSet::new() }
    }

    /// Judges the next event of the world, of this start of the node `name`.
    pub fn observe(&mut self, name: &str, incarnation: u64, event: &echo::Event) -> Result<(), Violation> {
        let newest = self.seen.last().copied().unwrap_or(0);
        if let echo::Event::Serving { counter } = *event {
            return ensure(counter >= newest, "the counter never falls below what a client saw", name, event);
        }
        if let echo::Event::Started { client } = *event {
            ensure(self.clients.contains_key(&client), "only known clients run", name, event)?;
            let running = Running { client, incarnation, echoed: 0, counter: 0, floors: BTreeMap::new(), done: false };
            self.running.insert(name.to_string(), running);
            return Ok(());
        }
        let running = self.running.get_mut(name).filter(|running| running.incarnation == incarnation);
        ensure(running.is_some(), "only what has started speaks", name, event)?;
        let Some(running) = running else { return Ok(()) };
        match *event {
            echo::Event::Echoed { counter, .. } => {
                ensure(self.seen.insert(counter), "no two echoes carry one counter value", name, event)?;
                running.on_echo(&self.clients[&running.client], name, event)
            }
            echo::Event::Pinged { number } => {
                running.floors.insert(number, newest);
                Ok(())
            }
            echo::Event::Ponged { number, counter } => {
                let floor = running.floors.remove(&number);
                running.floors.retain(|earlier, _| *earlier > number);
                let holds = floor.is_some_and(|floor| floor <= counter);
                ensure(holds, "a pong is at least what was seen before its ping", name, event)
            }
            echo::Event::Closed { reason, missing } => {
                let holds = reason != PipeEnd::Finished || missing == 0;
                ensure(holds, "what was written before a finished end arrives", name, event)
            }
            echo::Event::Done { .. } => {
                let requests = self.clients[&running.client].requests;
                ensure(running.echoed == requests, "done means echoed", name, event)?;
                running.done = true;
                Ok(())
            }
            echo::Event::Serving { .. } | echo::Event::Started { .. } => Ok(()), // judged above
        }
    }

    /// Judges the end of a run: every client has finished in its last start.
    pub fn finish(&self) -> Result<(), Violation> {
        for id in self.clients.keys() {
            let running = self.running.values().find(|running| running.client == *id);
            let is_done = running.is_some_and(|running| running.done);
            ensure(is_done, "every client is finished", &format!("client {id}"), &running)?;
        }
        Ok(())
    }
}

impl Running {
    fn on_echo(&mut self, config: &echo::Config, name: &str, event: &echo::Event) -> Result<(), Violation> {
        let echo::Event::Echoed { index, digest, counter } = *event else { return Ok(()) };
        ensure(index == self.echoed && index < config.requests, "each echo once and in order", name, event)?;
        let sent = wire::digest(&wire::message(config.client, index, config.bytes_max));
        ensure(digest == sent, "echoes come back whole", name, event)?;
        ensure(counter > self.counter, "a client sees the counter rise", name, event)?;
        (self.echoed, self.counter) = (index + 1, counter);
        Ok(())
    }
}
