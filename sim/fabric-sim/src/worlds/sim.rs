//! The simulated world: a resolved scenario and a seed make a [`World`]; a run of it makes a [`Run`].

mod config;
mod inside;
mod story;
mod watch;

use super::panics;
use super::parts::{Keys, Parts};
use crate::attacker::{self, Inspect, Wiretaps};
use crate::capture::KeyLog;
use crate::oracles::{ATTACKS_FAIL, ATTACKS_FELT, NO_LIVELOCK, NO_PANIC, Outcome, Seen, Verdict};
use crate::scenario::Scenario;
use crate::scenario::units::Nanos;
use crate::suites::{Broken, Tap};
use ::sim::capture::Capture;
use ::sim::ledger::{Entry, Ledger};
use ::sim::{Config, NodeIndex, Record, Sink, Stop, Time, World};
use core::fmt::Debug;
use fabric::probe::Probes;
use machine::{Boot, Machine};
use scenario_actor::{Observation, Part};
use std::rc::Rc;

pub(super) use config::config;
pub(crate) use story::Story;
use story::Tracer;
pub(crate) use watch::{Onlooker, Totals};

/// All that there is to say about one run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// How far world time got.
    pub(crate) ended: Time,
    pub(crate) events: u64,
    pub(crate) trace_hash: u64,
    /// What went wrong on purpose, by kind.
    pub(crate) faults: Vec<(&'static str, u64)>,
    pub(crate) verdicts: Vec<Verdict>,
    /// What applications saw, apart from single messages and starts of tries.
    pub(crate) seen: Vec<Seen>,
    pub(crate) totals: Totals,
    /// Which rare states the nodes reached, those of all their starts together.
    pub(crate) probes: Probes,
    /// The last events, the oldest first.
    pub(crate) tail: Vec<Record>,
    /// What chance decided, if that was to be recorded.
    pub(crate) decisions: Vec<Entry>,
    /// How many entries of a realigned ledger found their place.
    pub(crate) placed: usize,
    /// What each event followed from, if that was to be kept.
    pub(crate) story: Option<Story>,
}

/// What a run may be given besides scenario and seed.
#[derive(Default)]
pub(crate) struct Extras {
    /// Every event goes there.
    pub(crate) sink: Option<Sink>,
    /// What chance is overridden by, and whether it is recorded.
    pub(crate) ledger: Ledger,
    /// Whether to keep what each event follows from.
    pub(crate) story: bool,
    /// Datagrams are Ethernet frames: see [`crate::stack`].
    pub(crate) on_wire: bool,
    /// From which time on chance is drawn from which seed.
    pub(crate) reseed_at: Option<(Time, u64)>,
    /// All that is put on the wire goes there.
    pub(crate) capture: Option<Capture>,
    /// And the keys that it is sealed under go there.
    pub(crate) keylog: Option<KeyLog>,
    /// The nodes' device keys, where they are made already.
    pub(crate) keys: Option<Keys>,
}

impl Extras {
    /// What a run is given that failed before and is to be explained.
    pub(crate) fn explaining(ledger: Ledger) -> Self {
        Self { ledger: ledger.recording(), story: true, ..Self::default() }
    }
}

impl From<Option<Sink>> for Extras {
    fn from(sink: Option<Sink>) -> Self {
        Self { sink, ..Self::default() }
    }
}

impl From<Ledger> for Extras {
    fn from(ledger: Ledger) -> Self {
        Self { ledger, ..Self::default() }
    }
}

impl Run {
    pub(crate) fn failed(&self) -> bool {
        self.verdicts.iter().any(|verdict| matches!(verdict.outcome, Outcome::Failed(_)))
    }

    /// Whether anything happened that a check could have failed on.
    pub(crate) fn showed_nothing(&self) -> bool {
        self.totals.observations == 0
    }

    /// Whether `other` is the same run to the last event.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        (self.trace_hash, self.events, self.ended, &self.verdicts)
            == (other.trace_hash, other.events, other.ended, &other.verdicts)
    }
}

/// A run of `scenario` under `seed` that has not begun, by the machines that `make` starts, and who looks on at it.
pub(crate) fn prepare<M>(
    scenario: &Rc<Scenario>,
    seed: u64,
    extras: impl Into<Extras>,
    tap: &Tap,
    make: impl Fn(Boot, Part) -> M + 'static,
) -> (World<M>, Onlooker, Wiretaps)
where
    M: Machine<Event = Observation> + Inspect,
    M::Command: Debug,
{
    let Extras { sink, ledger, story, on_wire, reseed_at, capture, keylog, keys } = extras.into();
    let parts = Parts::new(Rc::clone(scenario), seed, &keys.unwrap_or_else(|| Keys::new(scenario, seed)));
    let devices = parts.device_ids();
    let mut config = Config { ledger, reseed_at, ..config(scenario, seed) };
    if on_wire {
        crate::stack::put_on_wire(&mut config);
    }
    let mut world = World::new(config, move |node, _, boot| make(boot, parts.of(node.as_usize() as u32)));
    if let Some(sink) = sink {
        world.trace_to(sink);
    }
    if let Some(capture) = capture {
        world.capture_to(capture);
    }
    if let Some(keylog) = keylog {
        tap.log_keys(keylog);
    }
    let tracer = story.then(|| Tracer::new(world.keep_causes()));
    let wiretaps = attacker::install(scenario, &devices, &mut world);
    (world, Onlooker::new(scenario, tap.clone(), &devices).followed_by(tracer), wiretaps)
}

/// Runs `scenario` under `seed` with the machines that `make` starts, whose ciphers `tap` watches.
pub(crate) fn run<M>(
    scenario: &Rc<Scenario>,
    seed: u64,
    extras: impl Into<Extras>,
    tap: &Tap,
    make: impl Fn(Boot, Part) -> M + 'static,
) -> Run
where
    M: Machine<Event = Observation> + Inspect,
    M::Command: Debug,
{
    let (mut world, mut onlooker, wiretaps) = prepare(scenario, seed, extras, tap, make);
    let stopped = panics::catch(|| advance(&mut world, &mut onlooker, scenario.stop_at));
    onlooker.conclude(world.now());
    let story = onlooker.take_story();
    let probes = reached(&world, &onlooker);
    let (mut judge, kept, totals) = onlooker.into_parts();
    let last = world.last_events().last().map(|record| record.node.as_usize() as u32);
    if let Some((check, how)) = broken_by_engine(stopped) {
        judge.fail(check, how, last);
    }
    if let Some(how) = wiretaps.complaint() {
        judge.fail(ATTACKS_FAIL, how, None);
    }
    if let Some(name) = wiretaps.idle() {
        judge.fail(ATTACKS_FELT, format!("{name} never got to do what it came for"), None);
    }
    Run {
        ended: world.now(),
        events: world.events(),
        trace_hash: world.trace_hash(),
        faults: world.counts().list(),
        verdicts: judge.verdicts(world.now(), Some(probes)),
        seen: kept,
        totals,
        probes,
        tail: world.last_events(),
        decisions: world.ledger().recorded().to_vec(),
        placed: world.ledger().placed(),
        story,
    }
}

/// What the nodes that are up and all that crashed have reached.
fn reached<M>(world: &World<M>, onlooker: &Onlooker) -> Probes
where
    M: Machine<Event = Observation> + Inspect,
{
    let up = (0..world.names().len() as u32).filter_map(|node| world.machine(NodeIndex::new(node)));
    up.fold(onlooker.reached_before(), |mut probes, machine| {
        probes.add(watch::reached(machine));
        probes
    })
}

/// What the engine saw of a run: a panic, or time that did not go on.
fn broken_by_engine(stopped: Result<Stop, String>) -> Option<Broken> {
    match stopped {
        Err(panic) => Some((NO_PANIC, panic)),
        Ok(Stop::Violated(violation)) if violation.check == "livelock" => Some((NO_LIVELOCK, violation.detail)),
        Ok(_) => None,
    }
}

/// Runs from deadline to deadline, and stops where a promise is broken: later events would bury the cause.
fn advance<M>(world: &mut World<M>, onlooker: &mut Onlooker, stop_at: Nanos) -> Stop
where
    M: Machine<Event = Observation> + Inspect,
    M::Command: Debug,
{
    for by in onlooker.judge.deadlines() {
        let stop = world.run(Time::from_nanos(by.0), onlooker);
        if stop != Stop::Reached || !onlooker.judge.due(by) {
            return stop;
        }
    }
    world.run(Time::from_nanos(stop_at.0), onlooker)
}

#[cfg(test)]
mod plants;
#[cfg(test)]
pub(crate) mod script;
#[cfg(test)]
mod tests;
