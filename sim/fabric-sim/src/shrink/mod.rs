//! Makes a failing run small enough to read: fewer faults, less work, fewer nodes, smaller sizes, shorter times, a better
//! network; and what chance did as single misfortunes, then as faults of the timeline.
//!
//! A candidate is a resolved scenario with overrides of what the seed decides. It is written and read back before it runs,
//! so that no candidate is a scenario that nobody could write. It is kept when it fails in the same way
//! ([`Fingerprint`]): same check, same place, same subject. No deadline and no work is ever moved to where it cannot be met:
//! the failure would be another one of the same name.

mod chance;
mod edit;
mod parts;

use crate::capsule::{Fingerprint, overriding};
use crate::nemesis::Limits;
use crate::replay::Player;
use crate::scenario::units::Nanos;
use crate::scenario::{self, Scenario};
use crate::worlds::sim::Run;
use ::sim::ledger::{Ledger, NamedEntry};
use std::collections::BTreeSet;
use std::rc::Rc;

/// A failing run.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) limits: Limits,
    pub(crate) overrides: Vec<NamedEntry>,
}

/// What is told of how far it is.
#[derive(Clone, Debug)]
pub(crate) struct Step<'a> {
    /// Runs made so far.
    pub(crate) runs: u64,
    /// What is being tried.
    pub(crate) pass: &'static str,
    pub(crate) best: &'a Candidate,
}

/// Told of every run; false ends the search.
pub(crate) type Goes<'a> = dyn FnMut(&Step<'_>) -> bool + 'a;

/// How a search ended.
#[derive(Clone, Debug)]
pub(crate) struct Shrunk {
    pub(crate) best: Candidate,
    pub(crate) runs: u64,
    /// Nothing more can go, as opposed to: it was told to stop.
    pub(crate) is_complete: bool,
}

impl Candidate {
    /// Runs it; `with` has the last word on its ledger.
    pub(crate) fn run(&self, play: &Player<'_>, with: impl FnOnce(Ledger) -> Ledger) -> Run {
        play(&self.scenario, &self.limits, with(overriding(&self.overrides, &self.scenario)))
    }
}

struct Search<'a> {
    play: &'a Player<'a>,
    goes: &'a mut Goes<'a>,
    fingerprint: &'a Fingerprint,
    best: Candidate,
    /// When the best run ended.
    ended: Nanos,
    /// Hashes of what was tried: nothing is tried twice, and so the search ends.
    tried: BTreeSet<u64>,
    runs: u64,
    pass: &'static str,
    stopped: bool,
}

/// The smallest run found that fails like `start`.
pub(crate) fn shrink<'a>(
    start: Candidate,
    fingerprint: &'a Fingerprint,
    play: &'a Player<'a>,
    goes: &'a mut Goes<'a>,
) -> Shrunk {
    let ended = start.scenario.stop_at;
    let mut search = Search {
        play,
        goes,
        fingerprint,
        best: start,
        ended,
        tried: BTreeSet::new(),
        runs: 0,
        pass: "",
        stopped: false,
    };
    search.until_nothing_goes();
    if search.chance() {
        search.until_nothing_goes();
    }
    Shrunk { best: search.best, runs: search.runs, is_complete: !search.stopped }
}

impl Search<'_> {
    fn until_nothing_goes(&mut self) {
        loop {
            let before = digest(&self.best);
            self.parts();
            if self.stopped || digest(&self.best) == before {
                return;
            }
        }
    }

    /// Tries the best scenario with a change. Whether it fails as it should, and so is the best one now.
    fn change(&mut self, change: impl FnOnce(&mut Scenario)) -> bool {
        let mut scenario = Scenario::clone(&self.best.scenario);
        change(&mut scenario);
        self.attempt(&scenario, self.best.limits.clone(), self.best.overrides.clone())
    }

    /// Tries the best scenario under other limits.
    fn relimit(&mut self, limits: Limits) -> bool {
        self.attempt(&self.best.scenario.clone(), limits, self.best.overrides.clone())
    }

    /// Tries a scenario, as it reads once it is written.
    fn attempt(&mut self, scenario: &Scenario, limits: Limits, overrides: Vec<NamedEntry>) -> bool {
        let Ok(scenario) = scenario::from_json(&scenario::to_json(scenario).to_string()) else { return false };
        let candidate = Candidate { scenario: Rc::new(scenario), limits, overrides };
        if self.stopped || digest(&candidate) == digest(&self.best) || !self.tried.insert(digest(&candidate)) {
            return false;
        }
        if !(self.goes)(&Step { runs: self.runs, pass: self.pass, best: &self.best }) {
            self.stopped = true;
            return false;
        }
        self.runs += 1;
        let run = candidate.run(self.play, |ledger| ledger);
        let fails = self.fingerprint.is_shown_by(&run);
        if fails {
            self.best = candidate;
            self.ended = Nanos(run.ended.as_nanos());
        }
        fails
    }
}

fn digest(candidate: &Candidate) -> u64 {
    let scenario = scenario::to_json(&candidate.scenario).to_string();
    let rest = serde_json::to_string(&(&candidate.limits, &candidate.overrides)).unwrap_or_default();
    ::sim::digest(format!("{scenario}\n{rest}").as_bytes())
}

#[cfg(test)]
mod tests;
