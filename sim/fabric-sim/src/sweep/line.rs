//! What a sweep keeps of one run: one line of JSON. It holds no time of day, path or host, so that equal runs give equal
//! lines.

use crate::oracles::Outcome;
use crate::worlds::sim::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const AGAIN: &str = "same-run-twice";

/// One run of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// What was drawn: `plain`, `swarm`, `rough`, `swarm+rough`...
    pub(crate) mode: String,
    pub(crate) seed: u64,
    pub(crate) verdict: Verdict,
    pub(crate) events: u64,
    pub(crate) virtual_ns: u64,
    /// 16 hex digits.
    pub(crate) trace_hash: String,
    /// The names of the probes that were reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) probes: Vec<String>,
    /// The failed checks; the first one is where the run ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<Failure>,
    /// The values that were drawn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) drawn: BTreeMap<String, String>,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Every check held.
    Pass,
    /// Nothing happened that a check could have failed on.
    NothingRan,
    /// A check failed.
    Fail,
    /// The same run came out differently.
    Nondeterministic,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    pub(crate) check: String,
    /// Where it was broken, without names and numbers: equal causes have equal places.
    pub(crate) place: String,
    pub(crate) detail: String,
}

impl Line {
    pub(crate) fn of(mode: String, seed: u64, run: &Run, told: &[(String, String)]) -> Self {
        let failures: Vec<_> = run.verdicts.iter().filter_map(failure).collect();
        let verdict = match () {
            () if !failures.is_empty() => Verdict::Fail,
            () if run.showed_nothing() => Verdict::NothingRan,
            () => Verdict::Pass,
        };
        Self {
            mode,
            seed,
            verdict,
            events: run.events,
            virtual_ns: run.ended.as_nanos(),
            trace_hash: format!("{:016x}", run.trace_hash),
            probes: run.probes.iter().map(|probe| probe.label().to_owned()).collect(),
            failures,
            drawn: told.iter().cloned().collect(),
        }
    }

    /// The same run came out differently: the worst that can be said of it, whatever else failed.
    pub(crate) fn diverged(&mut self, check: &str, place: impl Into<String>, detail: impl Into<String>) {
        self.verdict = Verdict::Nondeterministic;
        let failure = Failure { check: check.to_owned(), place: place.into(), detail: detail.into() };
        self.failures.insert(0, failure);
    }

    /// Says so when the same run came out differently the second time.
    pub(crate) fn compare(&mut self, run: &Run, again: &Run) {
        if !run.equals(again) {
            let hashes = format!("trace hash {:016x} and then {:016x}", run.trace_hash, again.trace_hash);
            self.diverged(AGAIN, "", hashes);
        }
    }

    /// Whether it is something to look into.
    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Fail | Verdict::Nondeterministic)
    }
}

fn failure(verdict: &crate::oracles::Verdict) -> Option<Failure> {
    let Outcome::Failed(detail) = &verdict.outcome else { return None };
    Some(Failure { check: verdict.name.clone(), place: verdict.place.clone(), detail: detail.clone() })
}
