//! When a failure became inevitable: a run that fails is forked at many points of its time. A fork is the same run until then, and
//! chance is drawn anew from there on; what share of the forks fails, in the same way or otherwise, is told for each point.
//!
//! All points draw from the same seeds, so that two of them differ by what happened between them and not by their luck. Half of the points
//! are evenly apart; the others go, one after the other, to the middle of where the share changes most.

use crate::capsule::{Fingerprint, overriding};
use crate::nemesis::Limits;
use crate::scenario::Scenario;
use crate::shrink::Candidate;
use crate::sweep::{Batch, Line, Tally};
use crate::worlds::sim::{Extras, Run};
use ::sim::Time;
use ::sim::fate::Key;
use ::sim::ledger::{Address, Ledger, NamedEntry};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Points closer together than this tell nothing more.
const APART_MIN: u64 = 1_000_000;
/// When at least so many forks in a hundred fail, failing is inevitable: a few escape from anything.
const INEVITABLE_PERCENT: u64 = 95;
/// What a line says of a fork that fails as the run did.
const SAME: &str = "same";

/// Makes one run under a seed. Machines are its own.
pub(crate) type Player<'a> = dyn Fn(&Rc<Scenario>, &Limits, u64, Extras) -> Run + Sync + 'a;

/// What became of the forks of one point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Point {
    /// From when on chance is another.
    pub(crate) at: Time,
    /// They fail as the run did.
    pub(crate) same: u64,
    /// They fail otherwise.
    pub(crate) other: u64,
    /// They hold.
    pub(crate) held: u64,
}

impl Point {
    pub(crate) fn all(&self) -> u64 {
        self.same + self.other + self.held
    }

    pub(crate) fn failed(&self) -> u64 {
        self.same + self.other
    }

    fn is_inevitable(&self) -> bool {
        self.failed() * 100 >= self.all() * INEVITABLE_PERCENT
    }
}

/// A run that fails, and how it is forked.
pub(crate) struct Forks<'a> {
    scenario: Scenario,
    limits: &'a Limits,
    overrides: &'a [NamedEntry],
    seed: u64,
    fingerprint: &'a Fingerprint,
    player: &'a Player<'a>,
    /// When the run ended.
    ended: Time,
    /// When each decision that the run overrides was met.
    met: BTreeMap<Address, Time>,
    /// How many at each point.
    count: u64,
}

/// The forks of some points.
pub(crate) struct Round<'a> {
    forks: &'a Forks<'a>,
    points: Vec<Time>,
}

impl<'a> Forks<'a> {
    /// Forks of `run`, which is that of `candidate` under `seed`, recorded what chance decided and failed with `fingerprint`; so
    /// many at each point.
    pub(crate) fn new(
        candidate: &'a Candidate,
        seed: u64,
        fingerprint: &'a Fingerprint,
        run: &Run,
        player: &'a Player<'a>,
        count: u64,
    ) -> Self {
        let met = run.decisions.iter().map(|entry| (entry.address, entry.at)).collect();
        let Candidate { scenario, limits, overrides } = candidate;
        let (scenario, ended) = (Scenario::clone(scenario), run.ended);
        Self { scenario, limits, overrides, seed, fingerprint, player, ended, met, count }
    }

    /// The first points: evenly apart, from the start of the run to just before its end.
    pub(crate) fn first(&'a self, points: u64) -> Round<'a> {
        let last = self.ended.as_nanos().saturating_sub(1);
        let apart = points.saturating_sub(1).max(1);
        let at = |place: u64| (u128::from(last) * u128::from(place) / u128::from(apart)) as u64;
        let mut points: Vec<_> = (0..points).map(|place| Time::from_nanos(at(place))).collect();
        points.dedup();
        Round { forks: self, points }
    }

    /// One more point, where the share of forks that fail changes most; none where no two are far enough apart.
    pub(crate) fn next(&'a self, known: &[Point]) -> Option<Round<'a>> {
        let gap = |pair: &[Point]| pair[1].at.as_nanos() - pair[0].at.as_nanos();
        let wide = known.windows(2).filter(|pair| gap(pair) >= 2 * APART_MIN);
        // Of equal changes the one over the longest time.
        let most = wide.max_by_key(|pair| (pair[0].failed().abs_diff(pair[1].failed()), gap(pair)))?;
        let middle = Time::from_nanos(most[0].at.as_nanos() + gap(most) / 2);
        Some(Round { forks: self, points: vec![middle] })
    }

    /// The run, with chance from `at` on drawn from the seed of a fork.
    fn run(&self, at: Time, fork: u64) -> Run {
        let scenario = Rc::new(self.scenario.clone());
        let seed = Key::root(self.seed).named("fork").number(fork).draw(0);
        let until = |entry: &&NamedEntry| {
            let address = entry.entry(&*scenario).map(|entry| entry.address);
            address.and_then(|address| self.met.get(&address)).is_some_and(|met| *met < at)
        };
        let kept: Vec<_> = self.overrides.iter().filter(until).cloned().collect();
        let ledger: Ledger = overriding(&kept, &scenario);
        let extras = Extras { reseed_at: Some((at, seed)), ..ledger.into() };
        (self.player)(&scenario, self.limits, self.seed, extras)
    }
}

impl Round<'_> {
    /// What became of its forks, in the order of time.
    pub(crate) fn points(&self, tally: &Tally) -> Vec<Point> {
        let mut points: BTreeMap<String, Point> =
            self.points.iter().map(|at| (mode(*at), Point { at: *at, ..Point::default() })).collect();
        for line in tally.lines() {
            let Some(point) = points.get_mut(&line.mode) else { continue };
            match (line.drawn.contains_key(SAME), line.is_failure()) {
                (true, _) => point.same += 1,
                (false, true) => point.other += 1,
                (false, false) => point.held += 1,
            }
        }
        points.into_values().collect()
    }
}

/// What the lines of a point's forks are called; in the order of time.
fn mode(at: Time) -> String {
    format!("fork at {:020}", at.as_nanos())
}

impl Batch for Round<'_> {
    fn key(&self, index: u64) -> Option<(String, u64)> {
        let at = self.points.get((index / self.forks.count) as usize)?;
        Some((mode(*at), index % self.forks.count))
    }

    fn total(&self) -> Option<u64> {
        Some(self.points.len() as u64 * self.forks.count)
    }

    fn make(&self, index: u64) -> Result<Line, String> {
        let at = self.points.get((index / self.forks.count) as usize).ok_or("there is no such fork")?;
        let fork = index % self.forks.count;
        let run = self.forks.run(*at, fork);
        let same = self.forks.fingerprint.is_shown_by(&run).then(|| (SAME.to_owned(), String::new()));
        Ok(Line::of(mode(*at), fork, &run, same.as_slice()))
    }
}

/// The two neighbours between which the share of forks that fail rises most; none where it never does.
pub(crate) fn turn(points: &[Point]) -> Option<[&Point; 2]> {
    let rises = points.windows(2).filter(|pair| pair[1].failed() > pair[0].failed());
    rises.max_by_key(|pair| pair[1].failed() - pair[0].failed()).map(|pair| [&pair[0], &pair[1]])
}

/// The last point at which the failure could still be escaped, and the first one from which on it could not, in that order.
pub(crate) fn inevitable(points: &[Point]) -> (Option<&Point>, Option<&Point>) {
    let escapable = points.iter().rposition(|point| !point.is_inevitable());
    (escapable.and_then(|place| points.get(place)), points.get(escapable.map_or(0, |place| place + 1)))
}

#[cfg(test)]
mod tests;
