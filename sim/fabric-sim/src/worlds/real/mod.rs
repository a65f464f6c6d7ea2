//! The worlds in real time: each node lives outside this program, as a process or as a virtual machine, and something in the
//! middle does to every byte what the simulator's links would. The same actor plays, the same checks judge.
//!
//! ```text
//!   tcp       a process for each node, real TCP and UDP on loopback, a relay in the middle
//!   qemu      a virtual machine for each node, real Ethernet frames, a hub in the middle
//! ```
//! Faults are real: a node is killed, stopped, started again on what it has stored. Time is real too: a run ends as soon
//! as there is nothing left to wait for. What these worlds cannot do (torn storage, leaping clocks) is refused when a scenario
//! that is to run here is loaded. Nothing is left behind: see [`scratch`].

mod child;
mod faults;
mod medium;
mod qemu;
mod scratch;
mod site;
mod tcp;
mod wall;

use super::parts::{Keys, Parts};
use super::sim::{Onlooker, Run, config};
use super::{Given, SuiteKind, World};
use crate::oracles::{ATTACKS_FELT, DEATHS, LOOKED, NO_LIVELOCK, NO_PANIC, Seen, TAPPED};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::stack;
use crate::suites::Tap;
use ::sim::{Config, Time};
use fabric::probe::Probes;
use faults::Plan;
use machine::Duration;
use mio::{Events, Poll, Token};
use scenario_actor::Observation;
use site::{NODES_TOKENS, Site, Told};
use std::io::{self, ErrorKind};
use std::rc::Rc;
use wall::Wall;

pub(crate) use qemu::{VMS_MAX, missing};
pub(crate) use scratch::janitor;
pub(crate) use tcp::{NODES_MAX, node};

/// How long a run goes on after all is done: long enough to see that what was done stays so.
const GRACE: Duration = Duration::from_millis(300);
/// Edges taken from the kernel at a time.
const EVENTS_MAX: usize = 256;

/// Runs `scenario` in real time, until `stop_at`, or until all that must come about has, every timed fault is over and
/// `is_enough` of what was seen. An error says what the computer would not do.
pub(crate) fn run(
    world: World,
    scenario: &Rc<Scenario>,
    seed: u64,
    given: &Given,
    is_enough: impl Fn(&[Seen]) -> bool,
) -> Result<Run, String> {
    assert!(!world.is_simulated(), "what is simulated is driven elsewhere");
    let mut config = config(scenario, seed);
    if world == World::Qemu {
        stack::put_on_wire(&mut config);
        return Real::new(scenario, &config, |staged| qemu::Machines::new(staged, given))?.run(is_enough);
    }
    Real::new(scenario, &config, |staged| tcp::Processes::new(staged, given.suite))?.run(is_enough)
}

/// What a site is made from.
struct Staged<'a> {
    scenario: &'a Rc<Scenario>,
    config: &'a Config,
    parts: Parts,
    poll: &'a Poll,
}

struct Real<S> {
    scenario: Rc<Scenario>,
    site: S,
    stations: Vec<Station>,
    poll: Poll,
    plan: Plan,
    onlooker: Onlooker,
    wall: Wall,
    /// A promise is broken for good.
    is_broken: bool,
    /// A node's own fault.
    has_panicked: bool,
    /// What was waited for may have come about.
    is_news: bool,
}

/// One node, whether it runs or not.
#[derive(Default)]
struct Station {
    /// As the node says.
    incarnation: u64,
    /// Starts so far.
    starts: u64,
    is_paused: bool,
}

impl<S: Site> Real<S> {
    fn new(
        scenario: &Rc<Scenario>,
        config: &Config,
        site: impl FnOnce(Staged<'_>) -> Result<S, String>,
    ) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| format!("nothing can be waited for: {error}"))?;
        let keys = Keys::new(scenario, config.seed);
        let parts = Parts::new(Rc::clone(scenario), config.seed, &keys);
        Ok(Self {
            site: site(Staged { scenario, config, parts, poll: &poll })?,
            scenario: Rc::clone(scenario),
            stations: config.nodes.iter().map(|_| Station::default()).collect(),
            poll,
            plan: Plan::new(config),
            onlooker: Onlooker::new(scenario, Tap::default(), &[]),
            wall: Wall::start(),
            is_broken: false,
            has_panicked: false,
            is_news: false,
        })
    }

    fn run(mut self, is_enough: impl Fn(&[Seen]) -> bool) -> Result<Run, String> {
        let ended = self.play(is_enough)?;
        if !self.has_panicked && !self.onlooker.judge.is_content() {
            self.site.blame()?;
        }
        Ok(self.conclude(ended))
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
            self.site.advance(now);
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
            let next = [self.plan.next_due(), self.site.next_due(now), Some(ends_at)];
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
                Token(node) if node < NODES_TOKENS => self.hear(now, node as NodeId)?,
                _ => self.site.on_ready(now, event),
            }
        }
        Ok(())
    }

    fn boot(&mut self, now: Time, node: NodeId) -> Result<(), String> {
        self.site.boot(now, node).map_err(|error| self.failed(node, &error))?;
        let station = &mut self.stations[node as usize];
        station.starts += 1;
        station.is_paused = false;
        Ok(())
    }

    /// Kills the node; what it told before that still counts.
    fn kill(&mut self, now: Time, node: NodeId) -> Result<(), String> {
        let told = self.site.kill(node).map_err(|error| self.failed(node, &error))?;
        told.into_iter().try_for_each(|told| self.take_in(now, node, told))
    }

    fn stand_still(&self, node: NodeId, still: bool) -> Result<(), String> {
        self.site.stand_still(node, still).map_err(|error| self.failed(node, &error))
    }

    fn hear(&mut self, now: Time, node: NodeId) -> Result<(), String> {
        let told = self.site.listen(node).map_err(|error| self.failed(node, &error))?;
        told.into_iter().try_for_each(|told| self.take_in(now, node, told))
    }

    fn take_in(&mut self, now: Time, node: NodeId, told: Told) -> Result<(), String> {
        let station = &mut self.stations[node as usize];
        self.is_news = true;
        match told {
            Told::Booted(incarnation) => station.incarnation = incarnation,
            Told::Failed(_) if self.is_broken => {} // it broke a promise first
            Told::Failed(why) => return Err(self.failed(node, &why)),
            Told::Panicked(what) => {
                self.onlooker.judge.fail(NO_PANIC, what, Some(node));
                (self.is_broken, self.has_panicked) = (true, true);
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

    fn conclude(mut self, ended: Time) -> Run {
        let (mut judge, seen, totals) = self.onlooker.into_parts();
        judge.cannot(&TAPPED, "ciphers are watched in the simulator only");
        judge.cannot(&[DEATHS], "who is heard is known in the simulator only");
        judge.cannot(&LOOKED, "nodes are looked into in the simulator only");
        judge.cannot(&[NO_LIVELOCK], "an instant of real time cannot be counted out");
        if let Some(name) = self.site.idle() {
            judge.fail(ATTACKS_FELT, format!("{name} never got to do what it came for"), None);
        }
        let medium = self.site.medium();
        Run {
            ended,
            events: medium.packets,
            trace_hash: 0,
            faults: medium.counts.list(),
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

    fn failed(&self, node: NodeId, why: &dyn core::fmt::Display) -> String {
        format!("node {}: {why}", self.scenario.node_name(node))
    }
}

/// What a file or a socket would not do.
fn unable(what: &str) -> impl FnOnce(io::Error) -> String + use<'_> {
    move |error| format!("{what}: {error}")
}
