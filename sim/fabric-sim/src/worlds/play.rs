//! Runs what a seed has drawn with the fabric's own nodes, whose ciphers are watched.

use super::World;
use super::parts::Keys;
use super::sim::{Extras, Onlooker, Run, prepare, run};
use crate::attacker::Player;
use crate::nemesis::{Drawn, Limits};
use crate::scenario::Scenario;
use crate::stack;
use crate::suites::{ModelSuite, Remembering, Tap, start_label};
use ::sim::Contender;
use clap::ValueEnum;
use core::fmt;
use fabric::identity::DeviceKey;
use fabric::suite::{RealSuite, Suite};
use machine::Boot;
use scenario_actor::Part;
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use std::sync::Arc;

/// Which cryptography nodes are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SuiteKind {
    /// X25519, ChaCha20-Poly1305, BLAKE2s and Ed25519
    Real,
    /// Toy arithmetic of the same lengths that refuses the same, many times as fast
    Model,
}

impl fmt::Display for SuiteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "real",
            Self::Model => "model",
        })
    }
}

impl SuiteKind {
    /// The suite itself.
    pub(crate) fn suite(self) -> Arc<dyn Suite> {
        match self {
            Self::Real => Arc::new(RealSuite),
            Self::Model => Arc::new(ModelSuite),
        }
    }
}

/// One run. Every event goes to `sink`, if there is one.
#[cfg(test)]
pub(crate) fn play(drawn: &Drawn, seed: u64, suite: SuiteKind, sink: Option<::sim::Sink>) -> Run {
    play_with(&drawn.scenario, &drawn.limits, seed, suite, sink)
}

/// One run in a world that is simulated.
pub(crate) fn simulate(world: World, drawn: &Drawn, seed: u64, suite: SuiteKind, extras: impl Into<Extras>) -> Run {
    assert!(world.is_simulated(), "what runs in real time is driven elsewhere");
    match world {
        World::Stack => stack::play(drawn, seed, suite, extras),
        _ => play_with(&drawn.scenario, &drawn.limits, seed, suite, extras),
    }
}

/// One run with a ledger, a sink or both.
pub(crate) fn play_with(
    scenario: &Rc<Scenario>,
    limits: &Limits,
    seed: u64,
    suite: SuiteKind,
    extras: impl Into<Extras>,
) -> Run {
    let tap = Tap::default();
    let keys = Keys::new(scenario, seed);
    let extras = Extras { keys: Some(keys.clone()), ..extras.into() };
    run(scenario, seed, extras, &tap, nodes(scenario, limits, suite, &tap, Some(keys)))
}

/// One run that has not begun, and who looks on at it.
pub(crate) fn contender(drawn: &Drawn, seed: u64, suite: SuiteKind) -> Contender<Player, Onlooker> {
    let tap = Tap::default();
    let (world, watch, _) =
        prepare(&drawn.scenario, seed, None, &tap, nodes(&drawn.scenario, &drawn.limits, suite, &tap, None));
    Contender { world, watch }
}

/// Starts the fabric's own nodes; `keys` where they are made already.
pub(crate) fn nodes(
    scenario: &Rc<Scenario>,
    limits: &Limits,
    suite: SuiteKind,
    tap: &Tap,
    keys: Option<Keys>,
) -> impl Fn(Boot, Part) -> Player + 'static {
    let inner = match suite {
        SuiteKind::Real => Arc::new(Remembering::new(suite.suite(), scenario.nodes.len())),
        SuiteKind::Model => suite.suite(),
    };
    let (watched, limits, scenario) = (tap.clone(), limits.clone(), Rc::clone(scenario));
    move |boot, part| {
        let watch = |part: &Part| -> Arc<dyn Suite> {
            let start = start_label(&part.name, boot.incarnation);
            Arc::new(watched.suite(Arc::clone(&inner), &start))
        };
        let config = limits.of(&part.name);
        let device = keys.as_ref().and_then(|keys| keys.of(&part.name)).map(DeviceKey::duplicate);
        Player::boot(&scenario, &boot, part, Arc::clone(&inner), watch, config, device)
    }
}
