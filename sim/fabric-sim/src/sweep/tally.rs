//! Brings the lines of a sweep into one order, whatever order they came in, and tells failures apart.

use super::line::{Line, Verdict};
use crate::cli::Exit;
use fabric::probe::Probe;
use std::collections::{BTreeMap, BTreeSet};

/// Two different results under one key.
const ONE_RESULT: &str = "one-result";

/// All lines of a sweep. Equal sets of lines make equal tallies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    lines: BTreeMap<(String, u64), BTreeSet<Line>>,
}

/// All failures with one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Distinct {
    pub(crate) check: String,
    pub(crate) place: String,
    /// How many runs failed so.
    pub(crate) runs: u64,
    /// The one with the fewest events, of those the one with the smallest seed: the least to look through.
    pub(crate) best: Line,
}

impl Distinct {
    /// `work-done (started)`.
    pub(crate) fn title(&self) -> String {
        if self.place.is_empty() { self.check.clone() } else { format!("{} ({})", self.check, self.place) }
    }
}

/// How many runs came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) runs: u64,
    pub(crate) passed: u64,
    pub(crate) nothing: u64,
    pub(crate) failed: u64,
    pub(crate) nondeterministic: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, line: Line) {
        self.lines.entry((line.mode.clone(), line.seed)).or_default().insert(line);
    }

    /// One line for each run, in order. Where results differ, the line says so.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.values().filter_map(resolve).collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lines().iter().fold(Counts::default(), |mut counts, line| {
            counts.runs += 1;
            match line.verdict {
                Verdict::Pass => counts.passed += 1,
                Verdict::NothingRan => counts.nothing += 1,
                Verdict::Fail => counts.failed += 1,
                Verdict::Nondeterministic => counts.nondeterministic += 1,
            }
            counts
        })
    }

    /// Failures by fingerprint, in the order of checks and places.
    pub(crate) fn distinct(&self) -> Vec<Distinct> {
        let mut all: BTreeMap<(String, String), Distinct> = BTreeMap::new();
        for line in self.lines() {
            let Some(first) = line.failures.first().filter(|_| line.is_failure()) else { continue };
            let (check, place) = (first.check.clone(), first.place.clone());
            match all.get_mut(&(check.clone(), place.clone())) {
                None => {
                    all.insert((check.clone(), place.clone()), Distinct { check, place, runs: 1, best: line });
                }
                Some(known) => {
                    known.runs += 1;
                    let rank = |line: &Line| (line.events, line.seed);
                    if rank(&line) < rank(&known.best) {
                        known.best = line;
                    }
                }
            }
        }
        all.into_values().collect()
    }

    /// In how many runs each probe was reached, in the order of probes.
    pub(crate) fn probes(&self) -> Vec<(&'static str, u64)> {
        let mut reached: BTreeMap<String, u64> = BTreeMap::new();
        for probe in self.lines().into_iter().flat_map(|line| line.probes) {
            *reached.entry(probe).or_default() += 1;
        }
        let count = |probe: &Probe| (probe.label(), reached.get(probe.label()).copied().unwrap_or_default());
        Probe::ALL.iter().map(count).collect()
    }

    /// Those of the probes `wanted` that no run reached.
    pub(crate) fn unreached<'a>(&self, wanted: &'a [String]) -> Vec<&'a str> {
        let reached: BTreeSet<_> = self.lines.values().flatten().flat_map(|line| &line.probes).collect();
        wanted.iter().filter(|name| !reached.contains(name)).map(String::as_str).collect()
    }

    /// How the program ends. `wanted` are the probes that some run must have reached.
    pub(crate) fn exit(&self, wanted: &[String]) -> Exit {
        match self.counts() {
            Counts { nondeterministic: 1.., .. } => Exit::Nondeterminism,
            Counts { failed: 1.., .. } => Exit::Failed,
            Counts { passed: 0, .. } => Exit::Nothing,
            _ if !self.unreached(wanted).is_empty() => Exit::Failed,
            _ => Exit::Held,
        }
    }
}

fn resolve(lines: &BTreeSet<Line>) -> Option<Line> {
    let mut line = lines.first()?.clone();
    if lines.len() > 1 {
        let hashes: Vec<_> = lines.iter().map(|line| format!("{} ({} events)", line.trace_hash, line.events)).collect();
        line.diverged(ONE_RESULT, "", format!("the same run has {} results: {}", lines.len(), hashes.join(", ")));
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::super::line::Failure;
    use super::*;
    use proptest::prelude::*;

    fn line(seed: u64, events: u64, failure: Option<(&str, &str)>) -> Line {
        let failures = failure.map(|(check, place)| Failure {
            check: check.into(),
            place: place.into(),
            detail: format!("seed {seed}"),
        });
        Line {
            mode: "plain".into(),
            seed,
            verdict: if failures.is_some() { Verdict::Fail } else { Verdict::Pass },
            events,
            virtual_ns: 0,
            trace_hash: format!("{:016x}", seed * 100 + events),
            probes: Vec::new(),
            failures: failures.into_iter().collect(),
            drawn: BTreeMap::new(),
        }
    }

    fn tally(lines: impl IntoIterator<Item = Line>) -> Tally {
        lines.into_iter().fold(Tally::default(), |mut tally, line| {
            tally.add(line);
            tally
        })
    }

    #[test]
    fn failures_are_told_apart_by_check_and_place_and_keep_their_shortest_run() {
        let all = tally([
            line(1, 90, Some(("work-done", "started"))),
            line(2, 50, Some(("work-done", "started"))),
            line(3, 50, Some(("work-done", "started"))),
            line(4, 10, Some(("work-done", "never-started"))),
            line(5, 5, None),
        ]);
        let distinct = all.distinct();
        let seen: Vec<_> = distinct.iter().map(|one| (one.title(), one.runs, one.best.seed)).collect();
        let expected = [("work-done (never-started)".to_owned(), 1, 4), ("work-done (started)".to_owned(), 3, 2)];
        assert_eq!(seen, expected);
        assert_eq!((all.counts().runs, all.counts().failed, all.exit(&[])), (5, 4, Exit::Failed));
    }

    #[test]
    fn one_key_with_two_hashes_is_nondeterminism_and_the_same_line_twice_is_not() {
        let twice = tally([line(1, 5, None), line(1, 5, None)]);
        assert_eq!((twice.counts().runs, twice.exit(&[])), (1, Exit::Held));
        let differs = tally([line(1, 5, None), line(1, 6, None)]);
        assert_eq!((differs.counts().runs, differs.exit(&[])), (1, Exit::Nondeterminism));
        assert!(differs.lines()[0].failures[0].detail.contains("2 results"));
    }

    #[test]
    fn a_probe_that_some_run_must_reach_and_none_does_fails_the_sweep() {
        let reaching = |seed, probes: &[&str]| {
            let probes = probes.iter().map(ToString::to_string).collect();
            Line { probes, ..line(seed, 5, None) }
        };
        let all = tally([reaching(1, &["kept-alive", "late-data"]), reaching(2, &["kept-alive"]), reaching(3, &[])]);
        let reached: Vec<_> = all.probes().into_iter().filter(|(_, runs)| *runs > 0).collect();
        assert_eq!(reached, [("late-data", 1), ("kept-alive", 2)]);
        let wanted = ["late-data", "window-grown"].map(String::from);
        assert_eq!(all.unreached(&wanted), ["window-grown"]);
        assert_eq!((all.exit(&wanted[..1]), all.exit(&wanted)), (Exit::Held, Exit::Failed));
    }

    #[test]
    fn a_sweep_in_which_nothing_ran_says_so() {
        assert_eq!(Tally::default().exit(&[]), Exit::Nothing);
        let mut silent = line(1, 5, None);
        silent.verdict = Verdict::NothingRan;
        assert_eq!(tally([silent]).exit(&[]), Exit::Nothing);
    }

    proptest! {
        #[test]
        fn the_order_of_lines_does_not_count(
            lines in proptest::collection::vec((0_u64..6, 1_u64..3, proptest::option::of(0_usize..3)), 0..20).prop_shuffle(),
            turn in 0_usize..20,
        ) {
            let checks = [("work-done", "started"), ("work-done", "failed"), ("policy", "")];
            let lines: Vec<_> = lines.into_iter().map(|(seed, events, check)| line(seed, events, check.map(|at| checks[at]))).collect();
            let mut turned = lines.clone();
            turned.rotate_left(turn.min(lines.len()));
            turned.reverse();
            let (one, other) = (tally(lines), tally(turned));
            prop_assert_eq!(one.lines(), other.lines());
            prop_assert_eq!(one.distinct(), other.distinct());
            prop_assert_eq!(one.exit(&[]), other.exit(&[]));
        }
    }
}
