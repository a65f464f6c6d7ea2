//! The result as one JSON object. Its keys and their order are an interface: see `docs/scenario.md`.
//!
//! Holds no wall time, host or path: equal builds, scenarios and seeds give equal bytes.

use super::Head;
use crate::cli::Exit;
use crate::oracles::{Outcome, Seen, Verdict};
use crate::scenario::Scenario;
use crate::worlds::sim::Run;
use fabric::probe::Probe;
use serde_json::{Map, Value, json};

/// The version of this format.
const SCHEMA: u32 = 1;

pub(crate) fn result(head: &Head, run: &Run, exit: Exit) -> Value {
    json!({
        "schema": SCHEMA,
        "scenario": head.scenario.name,
        "scenario_hash": head.hash,
        "seed": head.seed,
        "build": head.build,
        "mode": head.mode.to_string(),
        "suite": head.suite.to_string(),
        "world": head.world.to_string(),
        "drawn": drawn(head),
        "verdict": verdict(exit),
        "virtual_ns": run.ended.as_nanos(),
        "events": run.events,
        "trace_hash": trace_hash(head, run),
        "faults": faults(run),
        "checks": run.verdicts.iter().map(check).collect::<Vec<_>>(),
        "probes": run.probes.iter().map(Probe::label).collect::<Vec<_>>(),
        "totals": {
            "nodes": head.scenario.nodes.len(),
            "sessions_up": run.totals.sessions_up,
            "sessions_down": run.totals.sessions_down,
            "streams": run.totals.tries,
            "streams_failed": run.totals.tries_failed,
            "messages": run.totals.messages,
            "message_bytes": run.totals.bytes,
            "observations": run.totals.observations,
        },
        "observations": run.seen.iter().map(|seen| observation(seen, &head.scenario)).collect::<Vec<_>>(),
        "observations_omitted": run.totals.omitted,
    })
}

/// Nothing of the real world has a trace.
fn trace_hash(head: &Head, run: &Run) -> Option<String> {
    head.world.is_simulated().then(|| format!("{:016x}", run.trace_hash))
}

const fn verdict(exit: Exit) -> &'static str {
    match exit {
        Exit::Held => "pass",
        Exit::Nothing => "nothing-ran",
        Exit::Nondeterminism => "nondeterministic",
        Exit::Failed | Exit::Usage | Exit::Internal | Exit::Interrupted => "fail",
    }
}

fn drawn(head: &Head) -> Value {
    Value::Object(head.told.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect::<Map<_, _>>())
}

fn faults(run: &Run) -> Value {
    Value::Object(run.faults.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect::<Map<_, _>>())
}

fn check(verdict: &Verdict) -> Value {
    let (outcome, detail) = match &verdict.outcome {
        Outcome::Held(detail) => ("held", detail),
        Outcome::Failed(detail) => ("failed", detail),
        Outcome::NotJudged(detail) => ("not-judged", detail),
    };
    let mut check = Map::new();
    check.insert("name".into(), verdict.name.as_str().into());
    check.insert("kind".into(), json!(verdict.kind));
    if let Some(by) = verdict.by {
        check.insert("by_ns".into(), by.0.into());
    }
    check.insert("verdict".into(), outcome.into());
    if !verdict.place.is_empty() {
        check.insert("place".into(), verdict.place.as_str().into());
    }
    check.insert("detail".into(), detail.as_str().into());
    Value::Object(check)
}

fn observation(seen: &Seen, scenario: &Scenario) -> Value {
    json!({
        "at_ns": seen.at.as_nanos(),
        "node": scenario.node_name(seen.node),
        "incarnation": seen.incarnation,
        "stable": seen.what.is_stable(),
        "what": seen.what,
    })
}
