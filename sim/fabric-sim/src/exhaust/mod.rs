//! Every single fault at every event of a run that passes, and a sample of pairs: small-scope model checking of one schedule.
//!
//! [`points`] lists what can go wrong, from what was decided and handled in the run; this module makes one run of each and
//! says how it came out. Threads, journals and results are those of [`sweep`](crate::sweep).
//!
//! A fault is fair: it strikes no later than the last promise of the scenario was due, heals after [`points::LASTS`] at
//! most, and all promises that must come true are then due as late as after a nemesis.

pub(crate) mod points;

use crate::capsule::Capsule;
use crate::nemesis::{self, Limits};
use crate::oracles::Outcome;
use crate::scenario::Scenario;
use crate::scenario::resolved::{Begin, Fault, What};
use crate::scenario::units::Nanos;
use crate::sweep::{Batch, Line};
use crate::worlds::SuiteKind;
use crate::worlds::sim::{Extras, Run};
use ::sim::fate::Key;
use ::sim::ledger::{Ledger, NamedEntry};
use points::{LASTS, Point};
use std::rc::Rc;

/// The mode of the line of a single fault, and of a pair.
const ONE: &str = "one-fault";
const TWO: &str = "two-faults";

/// Makes one run. Seed and machines are its own.
pub(crate) type Player<'a> = dyn Fn(&Rc<Scenario>, &Limits, Extras) -> Run + Sync + 'a;

/// What a run is made from, apart from its player.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) scenario: Scenario,
    pub(crate) limits: Limits,
    pub(crate) seed: u64,
}

/// Why there is nothing to add a fault to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// What is to be felt of an attack is told in its scenario; faults would make that untrue.
    Attacked,
    /// The run fails as it is: how.
    Fails(String),
    /// Nothing happens in it that a check could fail on.
    ShowsNothing,
}

/// All runs of one search.
pub(crate) struct Cases<'a> {
    base: Base,
    points: Vec<Point>,
    pairs: u64,
    player: &'a Player<'a>,
}

impl<'a> Cases<'a> {
    /// Runs `base` once as it is, and finds all that can go wrong with it.
    pub(crate) fn of(base: Base, pairs: u64, player: &'a Player<'a>) -> Result<Self, Unfit> {
        if base.scenario.is_attacked() {
            return Err(Unfit::Attacked);
        }
        let plain = player(&Rc::new(base.scenario.clone()), &base.limits, Extras::explaining(Ledger::default()));
        let failure = plain.verdicts.iter().find_map(|verdict| match &verdict.outcome {
            Outcome::Failed(how) => Some(format!("{}: {how}", verdict.name)),
            _ => None,
        });
        if let Some(how) = failure {
            return Err(Unfit::Fails(how));
        }
        let until = last_due(&base.scenario);
        let points = points::of(&plain, until);
        if plain.showed_nothing() || points.is_empty() {
            return Err(Unfit::ShowsNothing);
        }
        let mut base = base;
        nemesis::demand_liveness(&mut base.scenario, Nanos(until.0.saturating_add(LASTS.0)));
        // Two faults need two.
        let pairs = if points.len() > 1 { pairs } else { 0 };
        Ok(Self { base, points, pairs, player })
    }

    pub(crate) const fn singles(&self) -> u64 {
        self.points.len() as u64
    }

    pub(crate) const fn pairs(&self) -> u64 {
        self.pairs
    }

    /// What goes wrong in a run, in words.
    pub(crate) fn faults(&self, mode: &str, number: u64) -> Vec<String> {
        self.chosen(mode, number).iter().map(|point| point.told(&self.base.scenario)).collect()
    }

    /// The capsule of a run that failed; `None` if it holds now.
    pub(crate) fn capsule(&self, mode: &str, number: u64, suite: SuiteKind) -> Option<Capsule> {
        let (scenario, overrides) = self.candidate(&self.chosen(mode, number));
        let run = (self.player)(&scenario, &self.base.limits, ledger(&overrides, &scenario).recording().into());
        Capsule::of(&scenario, self.base.seed, suite, &self.base.limits, overrides, &run)
    }

    fn place(&self, index: u64) -> Option<(&'static str, u64)> {
        let singles = self.singles();
        match index.checked_sub(singles) {
            None => Some((ONE, index)),
            Some(pair) => (pair < self.pairs).then_some((TWO, pair)),
        }
    }

    fn chosen(&self, mode: &str, number: u64) -> Vec<&Point> {
        let places = if mode == ONE { vec![number] } else { pair(self.base.seed, number, self.singles()).into() };
        places.iter().filter_map(|place| self.points.get(usize::try_from(*place).ok()?)).collect()
    }

    /// The scenario with these faults, and what of them chance is overridden with.
    fn candidate(&self, points: &[&Point]) -> (Rc<Scenario>, Vec<NamedEntry>) {
        let mut scenario = self.base.scenario.clone();
        let mut overrides = Vec::new();
        for point in points {
            match point {
                Point::Fate(entry) => overrides.push(NamedEntry::of(entry, &scenario)),
                Point::Crash { node, after } => scenario.faults.push(Fault {
                    // Just after the event, which is handled by then.
                    begin: Begin::At(Nanos(after.as_nanos() + 1)),
                    lasts: Some(LASTS),
                    what: What::Crash(*node),
                }),
            }
        }
        (Rc::new(scenario), overrides)
    }
}

fn ledger(overrides: &[NamedEntry], scenario: &Scenario) -> Ledger {
    crate::capsule::overriding(overrides, scenario)
}

/// When the last promise of the scenario must have come true: until then faults are fair, given time to recover.
pub(crate) fn last_due(scenario: &Scenario) -> Nanos {
    scenario.checks.eventually.iter().map(|(_, by)| *by).max().unwrap_or(scenario.stop_at)
}

/// Two different numbers below `count`, the smaller one first. One pair may be drawn twice.
fn pair(seed: u64, number: u64, count: u64) -> [u64; 2] {
    let key = Key::root(seed).named("exhaust pairs").number(number);
    let one = key.within(0, 0, count - 1);
    let other = key.within(1, 0, count.saturating_sub(2));
    let other = other + u64::from(other >= one);
    [one.min(other), one.max(other)]
}

impl Batch for Cases<'_> {
    fn key(&self, index: u64) -> Option<(String, u64)> {
        self.place(index).map(|(mode, number)| (mode.to_owned(), number))
    }

    fn total(&self) -> Option<u64> {
        Some(self.singles() + self.pairs)
    }

    fn make(&self, index: u64) -> Result<Line, String> {
        let (mode, number) = self.place(index).ok_or("there is no such run")?;
        let points = self.chosen(mode, number);
        let (scenario, overrides) = self.candidate(&points);
        let play = || (self.player)(&scenario, &self.base.limits, ledger(&overrides, &scenario).into());
        let run = play();
        let told: Vec<_> =
            (1..).zip(self.faults(mode, number)).map(|(at, text)| (format!("fault-{at}"), text)).collect();
        let mut line = Line::of(mode.to_owned(), number, &run, &told);
        if line.is_failure() {
            line.compare(&run, &play());
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests;
