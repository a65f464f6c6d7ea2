//! What a run has reached: probes of the core, what applications saw and how often, and which of it in one run. A sweep that is guided looks
//! for runs that reach more.

use crate::oracles;
use crate::worlds::sim::Run;
use scenario_actor::{Observation, WorkSeen};
use std::collections::{BTreeMap, BTreeSet};

/// More names than this are not paired: pairs grow with their square.
const NAMES_MAX: usize = 128;

/// Digests of all that the run has reached: each name with the order of magnitude of its count, and each two names.
pub(super) fn of(run: &Run) -> BTreeSet<u64> {
    let mut counts: BTreeMap<String, u64> = run.probes.iter().map(|probe| (probe.label().to_owned(), 1)).collect();
    for seen in &run.seen {
        *counts.entry(name(&seen.what)).or_default() += 1;
    }
    let names: Vec<&String> = counts.keys().take(NAMES_MAX).collect();
    let pairs = (0..names.len()).flat_map(|one| (one + 1..names.len()).map(move |other| (one, other)));
    let pairs = pairs.map(|(one, other)| format!("{} and {}", names[one], names[other]));
    let singles = counts.iter().map(|(name, count)| format!("{name} 2^{}", count.ilog2()));
    singles.chain(pairs).map(|text| ::sim::digest(text.as_bytes())).collect()
}

/// What was seen, without by whom and of whom.
fn name(what: &Observation) -> String {
    match what {
        Observation::Discovered { .. } => "discovered".into(),
        Observation::SessionUp { .. } => "session up".into(),
        Observation::SessionDown { reason, .. } => format!("session down: {reason}"),
        Observation::SessionFailed { reason, .. } => format!("no session: {reason}"),
        Observation::Refused { reason } => format!("refused: {reason}"),
        Observation::Received { .. } => "received".into(),
        Observation::Work { seen, .. } => match seen {
            WorkSeen::Started { .. } => "started".into(),
            WorkSeen::Done { as_expected, .. } => format!("done: {as_expected:?}"),
            WorkSeen::Failed { reason, .. } => format!("failed: {reason}"),
            WorkSeen::Unexpected { .. } => "unexpected".into(),
        },
        other => oracles::kind(other).into(),
    }
}
