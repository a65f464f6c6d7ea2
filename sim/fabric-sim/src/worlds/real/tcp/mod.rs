//! The world `tcp`: each node is a process on loopback addresses of its own, with real TCP and UDP between them, and a relay
//! in the middle.

mod addresses;
mod conn;
mod node;
mod relay;

use super::child::Child;
use super::medium::Medium;
use super::scratch::Scratch;
use super::site::{Site, Told};
use super::{Staged, SuiteKind, unable};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::worlds::parts::Parts;
use ::sim::{Clock, Time};
use mio::event::Event;
use mio::{Registry, Token};
use node::Spec;
use relay::Relay;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

pub(crate) use addresses::NODES_MAX;
pub(crate) use node::node;

/// What no node writes.
const NOT_TOLD: &str = "it tells what no node does";

pub(super) struct Processes {
    scenario: Rc<Scenario>,
    parts: Parts,
    suite: SuiteKind,
    program: PathBuf,
    clocks: Vec<Clock>,
    patience_nanos: u64,
    registry: Registry,
    // Dropped in this order: what nodes write to goes after them.
    children: Vec<Option<Child>>,
    relay: Relay,
    scratch: Scratch,
}

impl Processes {
    pub(super) fn new(staged: Staged<'_>, suite: SuiteKind) -> Result<Self, String> {
        let made = Self::make(staged, suite);
        made.map_err(unable("the sockets and processes of a run cannot be made"))
    }

    fn make(staged: Staged<'_>, suite: SuiteKind) -> io::Result<Self> {
        let Staged { scenario, config, parts, poll } = staged;
        let program = std::env::current_exe()?;
        let registry = poll.registry().try_clone()?;
        Ok(Self {
            scenario: Rc::clone(scenario),
            parts,
            suite,
            clocks: config.nodes.iter().map(|node| node.clock).collect(),
            patience_nanos: config.pipes.patience.as_nanos(),
            children: config.nodes.iter().map(|_| None).collect(),
            relay: Relay::new(config, registry.try_clone()?)?,
            registry,
            scratch: Scratch::new(&program)?,
            program,
        })
    }

    fn start(&self, now: Time, node: NodeId) -> io::Result<Child> {
        let clock = &self.clocks[node as usize];
        let spec = Spec {
            parent: std::process::id(),
            part: self.parts.of(node),
            suite: self.suite,
            listen: self.relay.addresses.own(node).into(),
            group: self.relay.addresses.seen(node, node).into(),
            storage: self.scratch.of(self.scenario.node_name(node)),
            patience_nanos: self.patience_nanos,
            clock: (clock.read(now).as_nanos(), clock.rate()),
        };
        let mut input = serde_json::to_vec(&spec)?;
        input.push(b'\n');
        let mut command = Command::new(&self.program);
        Child::start(command.arg("node-process"), &input, &self.registry, Token(node as usize))
    }
}

/// What lines of a node say.
fn told(lines: io::Result<Vec<Vec<u8>>>) -> Result<Vec<Told>, String> {
    let lines = lines.map_err(|error| error.to_string())?;
    lines.iter().map(|line| serde_json::from_slice(line).map_err(|error| format!("{NOT_TOLD}: {error}"))).collect()
}

impl Site for Processes {
    fn boot(&mut self, now: Time, node: NodeId) -> Result<(), String> {
        self.relay.light(now, node);
        self.children[node as usize] = Some(self.start(now, node).map_err(|error| error.to_string())?);
        Ok(())
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.children[node as usize].is_some()
    }

    fn stand_still(&self, node: NodeId, still: bool) -> io::Result<()> {
        self.children[node as usize].as_ref().map_or(Ok(()), |child| child.stand_still(still))
    }

    fn listen(&mut self, node: NodeId) -> Result<Vec<Told>, String> {
        let Some(child) = &mut self.children[node as usize] else { return Ok(Vec::new()) };
        let mut told = told(child.listen())?;
        if child.is_over() {
            told.push(Told::Failed("its process has ended by itself".into()));
        }
        Ok(told)
    }

    fn kill(&mut self, node: NodeId) -> Result<Vec<Told>, String> {
        self.children[node as usize].take().map_or(Ok(Vec::new()), |child| told(child.kill()))
    }

    fn on_ready(&mut self, now: Time, event: &Event) {
        self.relay.on_ready(now, event);
    }

    fn advance(&mut self, now: Time) {
        self.relay.advance(now);
    }

    fn next_due(&self, _: Time) -> Option<Time> {
        self.relay.next_due()
    }

    fn medium(&mut self) -> &mut Medium {
        &mut self.relay.medium
    }

    fn darken(&mut self, node: NodeId) {
        self.relay.darken(node);
    }

    fn reset(&mut self, a: NodeId, b: NodeId) {
        self.relay.reset(a, b);
    }

    /// It has no attackers.
    fn idle(&self) -> Option<String> {
        None
    }

    fn blame(&self) -> Result<(), String> {
        Ok(())
    }
}
