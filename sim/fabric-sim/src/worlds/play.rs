//! Runs what a seed has drawn with the fabric's own nodes, whose ciphers are watched.

use super::sim::{Run, run};
use crate::attacker::Player;
use crate::nemesis::Drawn;
use crate::suites::{ModelSuite, Tap, start_label};
use ::sim::Sink;
use clap::ValueEnum;
use core::fmt;
use fabric::suite::{RealSuite, Suite};
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
pub(crate) fn play(drawn: &Drawn, seed: u64, suite: SuiteKind, sink: Option<Sink>) -> Run {
    let tap = Tap::default();
    let inner = suite.suite();
    let (watched, limits) = (tap.clone(), drawn.limits.clone());
    let scenario = Rc::clone(&drawn.scenario);
    run(&drawn.scenario, seed, sink, &tap, move |boot, part| {
        let watch = |part: &Part| -> Arc<dyn Suite> {
            let start = start_label(&part.name, boot.incarnation);
            Arc::new(watched.suite(Arc::clone(&inner), &start))
        };
        let config = limits.of(&part.name);
        Player::boot(&scenario, &boot, part, Arc::clone(&inner), watch, config)
    })
}
