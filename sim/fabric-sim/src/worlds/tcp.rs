//! The real world: each node is a process on loopback addresses of its own, real TCP and UDP between them, and a relay in
//! the middle that does to every byte what the simulator's links would. The same actor plays, the same checks judge.
//!
//! Faults are real: a process is killed, stopped, started again on the storage it left. Time is real too: a run ends as soon
//! as there is nothing left to wait for. What it cannot do (torn storage, leaping clocks) is refused when a scenario that is
//! to run here is loaded. Nothing is left behind: see [`scratch`] and [`mod@node`].

mod addresses;
mod child;
mod conn;
mod faults;
mod medium;
mod node;
mod relay;
mod scratch;
mod wall;

use super::SuiteKind;
use super::parts::{Keys, Parts};
use super::sim::{Onlooker, Run, config};
use crate::oracles::{DEATHS, LOOKED, NO_LIVELOCK, NO_PANIC, Seen, TAPPED};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::suites::Tap;
use ::sim::{Config, Time};
use child::Child;
use fabric::probe::Probes;
use faults::Plan;
use machine::Duration;
use mio::{Events, Poll, Token};
use node::{Spec, Told};
use relay::Relay;
use scenario_actor::Observation;
use scratch::Scratch;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::rc::Rc;
use wall::Wall;

pub(crate) use addresses::NODES_MAX;
pub(crate) use node::node;
pub(crate) use scratch::janitor;

/// How long a run goes on after all is done: long enough to see that what was done stays so.
const GRACE: Duration = Duration::from_millis(300);
/// Edges taken from the kernel at a time.
const EVENTS_MAX: usize = 256;

/// Runs `scenario` over real sockets, until `stop_at`, or until all that must come about has, every timed fault is over and
/// `is_enough` of what was seen. An error says what the computer would not do.
pub(crate) fn run(
    scenario: &Rc<Scenario>,
    seed: u64,
    suite: SuiteKind,
    is_enough: impl Fn(&[Seen]) -> bool,
) -> Result<Run, String> {
    let world = World::new(scenario, seed, suite);
    let mut world = world.map_err(|error| format!("the sockets and processes of a run cannot be made: {error}"))?;
    let ended = world.play(is_enough)?;
    Ok(world.conclude(ended))
}

struct World {
    scenario: Rc<Scenario>,
    config: Config,
    parts: Parts,
    suite: SuiteKind,
    program: PathBuf,
    // Dropped in this order: what nodes write to goes after them.
    stations: Vec<Station>,
    relay: Relay,
    scratch: Scratch,
    poll: Poll,
    plan: Plan,
    onlooker: Onlooker,
    wall: Wall,
    /// A promise is broken for good.
    is_broken: bool,
    /// What was waited for may have come about.
    is_news: bool,
}

/// Where a node's process runs, or does not.
#[derive(Default)]
struct Station {
    child: Option<Child>,
    /// As the process says.
    incarnation: u64,
    /// Processes so far.
    starts: u64,
    is_paused: bool,
}

impl World {
    fn new(scenario: &Rc<Scenario>, seed: u64, suite: SuiteKind) -> io::Result<Self> {
        let (program, poll) = (std::env::current_exe()?, Poll::new()?);
        let config = config(scenario, seed);
        let relay = Relay::new(&config, poll.registry().try_clone()?)?;
        Ok(Self {
            scenario: Rc::clone(scenario),
            parts: Parts::new(Rc::clone(scenario), seed, &Keys::new(scenario, seed)),
            suite,
            stations: config.nodes.iter().map(|_| Station::default()).collect(),
            relay,
            scratch: Scratch::new(&program)?,
            program,
            poll,
            plan: Plan::new(&config),
            config,
            onlooker: Onlooker::new(scenario, Tap::default(), &[]),
            wall: Wall::start(),
            is_broken: false,
            is_news: false,
        })
    }

    fn play(&mut self, is_enough: impl Fn(&[Seen]) -> bool) -> Result<Time, String> {
        let mut deadlines = self.onlooker.judge.deadlines();
        deadlines.reverse();
        let stop_at = Time::from_nanos(self.scenario.stop_at.0);
        let mut content_since = None;
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let now = self.wall.now();
            self.act(now)?;
            self.relay.advance(now);
            while let Some(by) = deadlines.pop_if(|by| by.0 <= now.as_nanos()) {
                self.is_broken |= !self.onlooker.judge.due(by);
            }
            if core::mem::take(&mut self.is_news) {
                let is_content = self.plan.is_quiet() && self.onlooker.judge.is_content();
                content_since = (is_content && is_enough(self.onlooker.seen())).then_some(now);
            }
            let ends_at = content_since.map_or(stop_at, |since| (since + GRACE).min(stop_at));
            if self.is_broken || now >= ends_at {
                for by in deadlines.into_iter().rev().filter(|_| !self.is_broken) {
                    self.onlooker.judge.due(by);
                }
                return Ok(now);
            }
            let next = [self.plan.next_due(), self.relay.next_due(), Some(ends_at)];
            let deadline = deadlines.last().map(|by| Time::from_nanos(by.0));
            let wakes_at = next.into_iter().flatten().chain(deadline).min().unwrap_or(ends_at);
            self.wait(wakes_at.since(self.wall.now()), &mut events)?;
        }
    }

    /// Waits for something to happen, and takes it in.
    fn wait(&mut self, at_most: Duration, events: &mut Events) -> Result<(), String> {
        let at_most = std::time::Duration::from_nanos(at_most.as_nanos());
        match self.poll.poll(events, Some(at_most)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(format!("sockets cannot be waited for: {error}")),
            Ok(()) => {}
        }
        let now = self.wall.now();
        for event in &*events {
            match event.token() {
                Token(node) if node < relay::TOKENS_FROM => self.hear(now, node as NodeId)?,
                _ => self.relay.on_ready(now, event),
            }
        }
        Ok(())
    }

    fn boot(&mut self, now: Time, node: NodeId) -> Result<(), String> {
        self.relay.light(now, node);
        let clock = self.config.nodes[node as usize].clock;
        let spec = Spec {
            parent: std::process::id(),
            part: self.parts.of(node),
            suite: self.suite,
            listen: self.relay.addresses.own(node).into(),
            group: self.relay.addresses.seen(node, node).into(),
            storage: self.scratch.of(self.scenario.node_name(node)),
            patience_nanos: self.config.pipes.patience.as_nanos(),
            clock: (clock.read(now).as_nanos(), clock.rate()),
        };
        let child = Child::start(&self.program, &spec, self.poll.registry(), Token(node as usize));
        let station = &mut self.stations[node as usize];
        station.child = Some(child.map_err(|error| failed(self.scenario.node_name(node), &error))?);
        station.starts += 1;
        station.is_paused = false;
        Ok(())
    }

    /// Kills the node's process; what it told before that still counts.
    fn kill(&mut self, now: Time, node: NodeId) -> Result<(), String> {
        let Some(child) = self.stations[node as usize].child.take() else { return Ok(()) };
        let told = child.kill().map_err(|error| failed(self.scenario.node_name(node), &error))?;
        told.into_iter().try_for_each(|told| self.take_in(now, node, told))
    }

    fn hear(&mut self, now: Time, node: NodeId) -> Result<(), String> {
        let Some(child) = &mut self.stations[node as usize].child else { return Ok(()) };
        let told = child.listen().map_err(|error| failed(self.scenario.node_name(node), &error))?;
        let is_over = child.is_over();
        told.into_iter().try_for_each(|told| self.take_in(now, node, told))?;
        if is_over && !self.is_broken {
            return Err(failed(self.scenario.node_name(node), &"its process has ended by itself"));
        }
        Ok(())
    }

    fn take_in(&mut self, now: Time, node: NodeId, told: Told) -> Result<(), String> {
        let station = &mut self.stations[node as usize];
        self.is_news = true;
        match told {
            Told::Booted(incarnation) => station.incarnation = incarnation,
            Told::Failed(why) => return Err(failed(self.scenario.node_name(node), &why)),
            Told::Panicked(what) => {
                self.onlooker.judge.fail(NO_PANIC, what, Some(node));
                self.is_broken = true;
            }
            Told::Saw(what) => {
                if let Observation::Marked { id } = what {
                    self.plan.fire(now, id);
                }
                let seen = Seen { at: now, node, incarnation: station.incarnation, what };
                self.is_broken |= self.onlooker.see(seen).is_some();
            }
        }
        Ok(())
    }

    fn conclude(self, ended: Time) -> Run {
        let (mut judge, seen, totals) = self.onlooker.into_parts();
        judge.cannot(&TAPPED, "ciphers are watched in the simulator only");
        judge.cannot(&[DEATHS], "who is heard is known in the simulator only");
        judge.cannot(&LOOKED, "nodes are looked into in the simulator only");
        judge.cannot(&[NO_LIVELOCK], "an instant of real time cannot be counted out");
        Run {
            ended,
            events: self.relay.medium.packets,
            trace_hash: 0,
            faults: self.relay.medium.counts.list(),
            verdicts: judge.verdicts(ended, None),
            seen,
            totals,
            probes: Probes::default(),
            tail: Vec::new(),
            decisions: Vec::new(),
            placed: 0,
            story: None,
        }
    }
}

fn failed(node: &str, why: &dyn core::fmt::Display) -> String {
    format!("node {node}: {why}")
}
