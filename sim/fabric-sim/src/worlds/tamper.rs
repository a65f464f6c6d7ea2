//! A faulty node for tests of what finds failures: a fabric node that sometimes does not get an input.

use super::sim::{Extras, Run, run};
use crate::attacker::Inspect;
use crate::nemesis::Limits;
use crate::scenario::Scenario;
use crate::suites::{ModelSuite, Tap};
use machine::{Boot, Input, Instant, Machine, Output, PipeId};
use scenario_actor::{Actor, Observation};
use std::rc::Rc;
use std::sync::Arc;

/// An input of a node.
pub(crate) type Given<'a> = Input<'a, <Actor as Machine>::Command>;
/// What is planted: whether a node loses this input.
pub(crate) type Loses = fn(&mut Tampered, &Given<'_>) -> bool;

/// Once tablet-2 has restarted, it gets no bytes any more.
pub(crate) fn deaf_after_a_restart(state: &mut Tampered, input: &Given<'_>) -> bool {
    state.name == "tablet-2" && state.incarnation > 0 && matches!(input, Input::PipeBytes { .. })
}

/// Unless tablet-2 hears the signed announces of all five others in its first 600 ms, it gets nothing any more.
pub(crate) fn deaf_unless_all_are_heard(state: &mut Tampered, input: &Given<'_>) -> bool {
    let is_early = state.now.as_nanos() < 600_000_000;
    let is_signed = matches!(input, Input::Datagram { bytes, .. } if bytes.get(4) == Some(&2));
    state.heard += u64::from(is_early && is_signed);
    state.name == "tablet-2" && !is_early && state.heard < 5 && !matches!(input, Input::Timeout)
}

/// What a planted fault may look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tampered {
    pub(crate) name: String,
    pub(crate) incarnation: u64,
    pub(crate) now: Instant,
    /// How many datagrams were counted.
    pub(crate) heard: u64,
}

struct Faulty {
    actor: Actor,
    state: Tampered,
    loses: Loses,
}

impl Inspect for Faulty {}

impl Machine for Faulty {
    type Command = <Actor as Machine>::Command;
    type Event = Observation;

    fn handle(&mut self, now: Instant, input: Input<'_, Self::Command>) {
        self.state.now = now;
        if !(self.loses)(&mut self.state, &input) {
            self.actor.handle(now, input);
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        self.actor.poll()
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        self.actor.fill(pipe, room)
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.actor.next_timeout()
    }
}

/// One run by nodes with a planted fault.
pub(crate) fn play_tampered(
    scenario: &Rc<Scenario>,
    limits: &Limits,
    seed: u64,
    extras: impl Into<Extras>,
    loses: Loses,
) -> Run {
    let (tap, limits) = (Tap::default(), limits.clone());
    let watched = tap.clone();
    run(scenario, seed, extras, &tap, move |boot: Boot, part| {
        let name = part.name.clone();
        let suite = watched.suite(Arc::new(ModelSuite), &format!("{name} start {}", boot.incarnation));
        let state = Tampered { name: name.clone(), incarnation: boot.incarnation, ..Tampered::default() };
        let actor = Actor::new(&boot, part, Arc::new(suite), limits.of(&name));
        Faulty { actor, state, loses }
    })
}
