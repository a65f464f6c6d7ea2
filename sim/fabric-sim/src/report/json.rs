//! The result as one JSON object. Its keys and their order are an interface: see `docs/scenario.md`.
//!
//! Holds no wall time, host or path: equal builds, scenarios and seeds give equal bytes.

use super::Head;
use crate::cli::Exit;
use crate::oracles::{Outcome, Seen, Verdict};
use crate::scenario::Scenario;
use crate::worlds::sim::Run;
use fabric::probe::Probe;
use scenario_actor::Observation;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The version of this format.
const SCHEMA: u32 = 1;

/// The whole object, its keys in the order in which they are written.
#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    scenario: &'a str,
    scenario_hash: &'a str,
    seed: u64,
    build: &'a str,
    mode: String,
    suite: String,
    world: String,
    drawn: Value,
    verdict: &'static str,
    virtual_ns: u64,
    events: u64,
    trace_hash: Option<String>,
    faults: Value,
    checks: Vec<Value>,
    probes: Vec<&'static str>,
    totals: Totals,
    observations: Observations<'a>,
    observations_omitted: u64,
}

#[derive(Serialize)]
struct Totals {
    nodes: usize,
    sessions_up: u64,
    sessions_down: u64,
    streams: u64,
    streams_failed: u64,
    messages: u64,
    message_bytes: u64,
    observations: u64,
}

/// Each is made as it is written: of a large run there are a hundred thousand.
struct Observations<'a> {
    seen: &'a [Seen],
    scenario: &'a Scenario,
}

#[derive(Serialize)]
struct One<'a> {
    at_ns: u64,
    node: &'a str,
    incarnation: u64,
    stable: bool,
    what: &'a Observation,
}

impl Serialize for Observations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.seen.iter().map(|seen| One {
            at_ns: seen.at.as_nanos(),
            node: self.scenario.node_name(seen.node),
            incarnation: seen.incarnation,
            stable: seen.what.is_stable(),
            what: &seen.what,
        }))
    }
}

/// Writes the result of a run. All of it is never in memory at once.
pub(crate) fn write(head: &Head, run: &Run, exit: Exit, mut out: impl Write) -> io::Result<()> {
    let report = Report {
        schema: SCHEMA,
        scenario: &head.scenario.name,
        scenario_hash: &head.hash,
        seed: head.seed,
        build: head.build,
        mode: head.mode.to_string(),
        suite: head.suite.to_string(),
        world: head.world.to_string(),
        drawn: drawn(head),
        verdict: verdict(exit),
        virtual_ns: run.ended.as_nanos(),
        events: run.events,
        trace_hash: trace_hash(head, run),
        faults: faults(run),
        checks: run.verdicts.iter().map(check).collect(),
        probes: run.probes.iter().map(Probe::label).collect(),
        totals: Totals {
            nodes: head.scenario.nodes.len(),
            sessions_up: run.totals.sessions_up,
            sessions_down: run.totals.sessions_down,
            streams: run.totals.tries,
            streams_failed: run.totals.tries_failed,
            messages: run.totals.messages,
            message_bytes: run.totals.bytes,
            observations: run.totals.observations,
        },
        observations: Observations { seen: &run.seen, scenario: &head.scenario },
        observations_omitted: run.totals.omitted,
    };
    serde_json::to_writer_pretty(&mut out, &report)?;
    out.write_all(b"\n")
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
