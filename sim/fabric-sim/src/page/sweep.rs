//! The page of a sweep.

use super::fill;
use crate::report::sweep::{self as report, About};
use crate::sweep::{self, Distinct, Line, Tally};
use serde_json::{Value, json};
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
    let runs = format!("{} runs", counts.runs);
    let head = json!({
        "scenario": header.scenario,
        "seed": header.shards.missing().map_or(runs.clone(), |missing| format!("{runs}, without shards {missing}")),
        "build": header.build,
        "verdict": verdict,
        "suite": header.suite,
        "world": header.world,
        "virtual_ns": lines.iter().map(|line| line.virtual_ns).sum::<u64>(),
        "events": lines.iter().map(|line| line.events).sum::<u64>(),
    });
    let about = About { header, missing: None };
    let distinct: Vec<_> = distinct.iter().map(|one| failure(one, &about)).collect();
    let header = &about.header;
    let sweep = json!({
        "scenario": header.scenario_hash,
        "lines": lines.iter().map(run).collect::<Vec<_>>(),
        "distinct": distinct,
        "probes": report::probes(&tally),
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

fn failure(one: &Distinct, about: &About) -> Value {
    json!({
        "check": one.check,
        "place": one.place,
        "seeds": one.runs,
        "detail": one.best.failures.first().map_or("", |failure| failure.detail.as_str()),
        "commands": [about.reproduce(&one.best)],
    })
}
