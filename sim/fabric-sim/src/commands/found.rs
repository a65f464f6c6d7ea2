//! Failures that no seed alone brings about: each is kept in a capsule, and told with what brings it about.

use crate::capsule::Capsule;
use crate::cli::Exit;
use crate::oracles::{count, grouped};
use crate::report::{hang, program, quoted};
use crate::sweep::{Distinct, Line, Tally};
use crate::terminal::{Paint, Terminal};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is found, with the capsule of its shortest run.
pub(super) struct Found {
    distinct: Distinct,
    /// What brings it about, in words.
    faults: Vec<String>,
    capsule: Option<PathBuf>,
}

/// What is known of a run that failed.
pub(super) struct Source<'a> {
    /// What brings it about, in words.
    pub(super) faults: &'a dyn Fn(&Line) -> Vec<String>,
    pub(super) capsule: &'a dyn Fn(&Line) -> Option<Capsule>,
}

/// Tells of failures as they come, of equal ones once.
#[derive(Default)]
pub(super) struct Teller(BTreeSet<Option<(String, String)>>);

impl Teller {
    pub(super) fn tell(&mut self, line: &Line, terminal: &Terminal) {
        let first = line.failures.first();
        if self.0.insert(first.map(|failure| (failure.check.clone(), failure.place.clone()))) {
            let title = first.map(|failure| format!("{}: {}", failure.check, failure.detail)).unwrap_or_default();
            terminal.say(&format!("{}  {title}", terminal.paint(Paint::Bad, "FAILED")));
        }
    }
}

/// Finds the distinct failures, and writes a capsule for each to `dir`.
pub(super) fn keep(
    tally: &Tally,
    dir: Option<&Path>,
    source: &Source<'_>,
    terminal: &Terminal,
) -> Result<Vec<Found>, Exit> {
    let keep = |(number, distinct): (usize, Distinct)| {
        let faults = (source.faults)(&distinct.best);
        let path = |dir: &Path| dir.join(format!("failure-{number}-{}.capsule.json", distinct.check));
        let made = dir.map(path).and_then(|path| Some((path, (source.capsule)(&distinct.best)?)));
        let written = made.map(|(path, capsule)| capsule.write(&path).map(|()| path)).transpose();
        let capsule = written.map_err(|error| {
            terminal.say(&format!("error: a capsule cannot be written: {error}"));
            Exit::Internal
        })?;
        Ok(Found { distinct, faults, capsule })
    };
    (1..).zip(tally.distinct()).map(keep).collect()
}

/// The summary for people; `what` says in a word what was done, and `millis` how long it took.
pub(super) fn summary(what: &str, tally: &Tally, found: &[Found], millis: u64, terminal: &Terminal) -> String {
    let counts = tally.counts();
    let others = [(counts.failed, "failed"), (counts.nondeterministic, "not deterministic")];
    let shown = others.iter().filter(|(number, _)| *number > 0);
    let others: Vec<_> = shown.map(|(number, what)| format!(", {} {what}", grouped(*number))).collect();
    let mut lines = vec![format!(
        "{what}  {} in {}.{}s: {} passed{}",
        count(counts.runs, "run"),
        millis / 1_000,
        millis % 1_000 / 100,
        grouped(counts.passed + counts.nothing),
        others.concat()
    )];
    if !found.is_empty() {
        lines.push(format!("\n{}", count(found.len() as u64, "distinct failure")));
    }
    lines.extend(found.iter().map(|found| shown_for_people(found, terminal)));
    lines.join("\n")
}

fn shown_for_people(found: &Found, terminal: &Terminal) -> String {
    let Found { distinct, faults, capsule } = found;
    let detail = distinct.best.failures.first().map(|failure| failure.detail.as_str()).unwrap_or_default();
    let title = terminal.paint(Paint::Bad, &distinct.title());
    let next = match capsule {
        Some(path) => {
            let words = format!("{} slice {}", program(), quoted(&path.display().to_string()));
            format!("{}  {words}", terminal.paint(Paint::Bold, "why:"))
        }
        None => "with --out DIR it is kept in a capsule".to_owned(),
    };
    format!(
        "  {title}  {}, the shortest: {}\n{}\n{}\n    {next}",
        count(distinct.runs, "run"),
        count(distinct.best.events, "event"),
        hang("    ", 4, &faults.join("; "), terminal.width()),
        hang("    ", 4, detail, terminal.width()),
    )
}

/// Each failure as JSON: see `docs/sweep.md`.
pub(super) fn json(found: &[Found]) -> Vec<Value> {
    let failure = |found: &Found| {
        json!({
            "check": found.distinct.check,
            "place": found.distinct.place,
            "runs": found.distinct.runs,
            "faults": found.faults,
            "events": found.distinct.best.events,
            "trace_hash": found.distinct.best.trace_hash,
            "detail": found.distinct.best.failures.first().map(|failure| failure.detail.as_str()),
            "capsule": found.capsule.as_ref().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
        })
    };
    found.iter().map(failure).collect()
}
