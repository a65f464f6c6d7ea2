//! A faulty node for tests of what finds failures: a fabric node that sometimes does not get an input.

use super::sim::{Extras, Run, run};
use crate::nemesis::Limits;
use crate::scenario::Scenario;
use crate::suites::{ModelSuite, Tap};
use ::sim::ledger::Ledger;
use machine::{Boot, Input, Instant, Machine, Output, PipeId};
use scenario_actor::{Actor, Observation};
use std::rc::Rc;
use std::sync::Arc;

/// What is planted: whether the node of this name, in this incarnation, loses this input.
pub(crate) type Loses = fn(&mut Tampered, &Input<'_, <Actor as Machine>::Command>) -> bool;

/// What a planted fault may look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tampered {
    pub(crate) name: String,
    pub(crate) incarnation: u64,
    /// How many inputs there were.
    pub(crate) inputs: u64,
    /// When the last datagram came.
    pub(crate) heard: Option<Instant>,
    pub(crate) now: Instant,
    /// Whether the fault has struck for good.
    pub(crate) is_deaf: bool,
}

struct Faulty {
    actor: Actor,
    state: Tampered,
    loses: Loses,
}

impl Machine for Faulty {
    type Command = <Actor as Machine>::Command;
    type Event = Observation;

    fn handle(&mut self, now: Instant, input: Input<'_, Self::Command>) {
        self.state.inputs += 1;
        self.state.now = now;
        let loses = (self.loses)(&mut self.state, &input);
        if matches!(input, Input::Datagram { .. }) {
            self.state.heard = Some(now);
        }
        if !loses {
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
pub(crate) fn play_tampered(scenario: &Rc<Scenario>, limits: &Limits, seed: u64, ledger: Ledger, loses: Loses) -> Run {
    let (tap, limits) = (Tap::default(), limits.clone());
    let watched = tap.clone();
    run(scenario, seed, Extras::from(ledger), &tap, move |boot: Boot, part| {
        let name = part.name.clone();
        let suite = watched.suite(Arc::new(ModelSuite), &format!("{name} start {}", boot.incarnation));
        let state = Tampered { name: name.clone(), incarnation: boot.incarnation, ..Tampered::default() };
        let actor = Actor::new(&boot, part, Arc::new(suite), limits.of(&name));
        Faulty { actor, state, loses }
    })
}
