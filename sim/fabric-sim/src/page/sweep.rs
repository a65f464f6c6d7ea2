//! The page of a sweep.

use super::fill;
use crate::nemesis::Mode;
use crate::report;
use crate::sweep::{self, Distinct, Header, Line, Tally};
use crate::worlds::SuiteKind;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The page of the results in `file`, as `sweep --out` and `merge --out` write them. The error is for people.
pub(crate) fn of_sweep(file: &Path) -> Result<String, String> {
    let (header, lines) = sweep::read(file)?;
    let mut tally = Tally::default();
    for line in lines {
        tally.add(line);
    }
    let counts = tally.counts();
    let (lines, distinct) = (tally.lines(), tally.distinct());
    let verdict = match () {
        () if counts.nondeterministic > 0 => "nondeterministic",
        () if counts.failed > 0 => "fail",
        () if counts.passed > 0 => "pass",
        () => "nothing-ran",
    };
    let head = json!({
        "scenario": header.scenario,
        "seed": format!("{} runs", counts.runs),
        "build": header.build,
        "verdict": verdict,
        "suite": header.suite,
        "world": "sim",
        "virtual_ns": lines.iter().map(|line| line.virtual_ns).sum::<u64>(),
        "events": lines.iter().map(|line| line.events).sum::<u64>(),
    });
    let probes: Map<_, _> = tally.probes().into_iter().map(|(name, runs)| (name.to_owned(), runs.into())).collect();
    let distinct: Vec<_> = distinct.iter().map(|one| failure(one, &header)).collect();
    let sweep = json!({
        "scenario": header.scenario_hash,
        "lines": lines.iter().map(run).collect::<Vec<_>>(),
        "distinct": distinct,
        "probes": probes,
    });
    Ok(fill(&format!("{}, {} runs", header.scenario, counts.runs), &json!({ "head": head, "sweep": sweep })))
}

fn run(line: &Line) -> Value {
    let mut run = json!({
        "seed": line.seed,
        "mode": line.mode,
        "verdict": line.verdict,
        "events": line.events,
        "drawn": line.drawn,
    });
    if line.is_failure() {
        run["failures"] = json!(line.failures);
    }
    run
}

fn failure(one: &Distinct, header: &Header) -> Value {
    let suite = if header.suite == SuiteKind::Real.to_string() { SuiteKind::Real } else { SuiteKind::Model };
    let path = format!("scenarios/{}.toml", header.scenario);
    let again = report::command(&path, one.best.seed, Mode::named(&one.best.mode), suite, &[]);
    json!({
        "check": one.check,
        "place": one.place,
        "seeds": one.runs,
        "detail": one.best.failures.first().map_or("", |failure| failure.detail.as_str()),
        "commands": [again],
    })
}
