//! `exhaust`: every single fault at every event of a run, and pairs of them.

use super::sweep::{INTERRUPTED, RESULTS, jobs, listen, open_journal, stop, usage, write};
use crate::cli::{BUILD, ExhaustArgs, Exit, Format};
use crate::exhaust::{Base, Cases, Unfit};
use crate::nemesis::{self, Limits, Mode};
use crate::oracles::{count, grouped};
use crate::report::{hang, program, quoted};
use crate::scenario::{self, Scenario};
use crate::sweep::{self, Bounds, Distinct, Ended, Header, Line, Stopwatch, Tally};
use crate::terminal::{Paint, Terminal};
use crate::worlds::sim::Extras;
use crate::worlds::{World, play_with};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What is found, with the capsule of its shortest run.
struct Found {
    distinct: Distinct,
    faults: Vec<String>,
    capsule: Option<PathBuf>,
}

pub(super) fn exhaust(args: &ExhaustArgs, terminal: &Terminal) -> Result<(), Exit> {
    let (base, hash) = load(args, terminal)?;
    let name = base.scenario.name.clone();
    let (seed, suite) = (args.seed, args.suite);
    let player = move |scenario: &Rc<Scenario>, limits: &Limits, extras: Extras| {
        play_with(scenario, limits, seed, suite, extras)
    };
    let header = header(args, &name, &hash);
    let cases = Cases::of(base, args.pairs, &player).map_err(|unfit| unfit_for(&unfit, args, terminal))?;
    let (mut journal, known) = match &args.out {
        Some(dir) => open_journal(dir, &header).map_err(|error| usage(terminal, &error))?,
        None => (None, Vec::new()),
    };
    terminal.say(&head(&name, &hash, args, &cases, known.len()));
    listen(terminal)?;
    let watch = Stopwatch::start();
    let bounds = Bounds { jobs: jobs(args.jobs), millis_max: None, failures_max: None };
    let mut known_failures = BTreeSet::new();
    let mut told = |line: &Line| {
        let first = line.failures.first().map(|failure| (failure.check.clone(), failure.place.clone()));
        if known_failures.insert(first) {
            terminal.say(&failure(line, &cases, terminal));
        }
    };
    let (tally, ended) = sweep::run(&cases, bounds, known, journal.as_mut(), &INTERRUPTED, terminal, &mut told)
        .map_err(|stopped| stop(stopped, terminal))?;
    let is_complete = ended == Ended::Complete;
    let found = keep(&tally, &cases, args, terminal)?;
    if let Some(dir) = args.out.as_deref().filter(|_| is_complete) {
        write(&dir.join(RESULTS), &header, &tally, terminal)?;
    }
    if args.format == Format::Json {
        let value = result(&name, &hash, args, &cases, &tally, &found, is_complete);
        terminal.result(&format!("{value:#}\n"))?;
    }
    terminal.say(&summary(&name, &tally, &found, watch.millis(), terminal));
    if !is_complete {
        terminal.say("interrupted: with the same --out the same command goes on from here");
        return Err(Exit::Interrupted);
    }
    if tally.exit() == Exit::Held { Ok(()) } else { Err(tally.exit()) }
}

fn load(args: &ExhaustArgs, terminal: &Terminal) -> Result<(Base, String), Exit> {
    let drawn = scenario::open(&args.scenario, &args.overrides)
        .and_then(|loaded| nemesis::draw(&loaded, Mode::default(), args.seed))
        .map_err(|invalid| {
            terminal.say(invalid.render(terminal.style()).trim_end());
            Exit::Usage
        })?;
    let hash = drawn.scenario.hash();
    let scenario = Scenario { swarm: std::collections::BTreeMap::new(), ..Scenario::clone(&drawn.scenario) };
    Ok((Base { scenario, limits: drawn.limits, seed: args.seed }, hash))
}

/// Results of this search belong to nothing else, not even to a sweep of the same scenario.
fn header(args: &ExhaustArgs, name: &str, hash: &str) -> Header {
    Header {
        schema: 1,
        scenario: name.to_owned(),
        scenario_hash: format!("{hash} exhaust seed {}", args.seed),
        build: BUILD.to_owned(),
        suite: args.suite.to_string(),
        world: World::Sim.to_string(),
    }
}

fn unfit_for(unfit: &Unfit, args: &ExhaustArgs, terminal: &Terminal) -> Exit {
    match unfit {
        Unfit::Attacked => {
            usage(terminal, "a scenario with attackers says what is felt of them: more faults would make that untrue")
        }
        Unfit::Fails(how) => {
            let again =
                format!("{} run {} --seed {}", program(), quoted(&args.scenario.display().to_string()), args.seed);
            terminal.say(&format!("this run fails as it is, without any fault more: {how}\nreproduce:  {again}"));
            Exit::Failed
        }
        Unfit::ShowsNothing => {
            terminal.say("no node reported anything in this run, so nothing could fail");
            Exit::Nothing
        }
    }
}

fn head(name: &str, hash: &str, args: &ExhaustArgs, cases: &Cases<'_>, known: usize) -> String {
    let resumed = if known > 0 { format!("\nresumed   {known} runs are there already") } else { String::new() };
    format!(
        "scenario  {name}  {hash}\nseed      {}, {} suite\nbuild     {BUILD}\nplan      {}, {}{resumed}",
        args.seed,
        args.suite,
        count(cases.singles(), "single fault"),
        count(cases.pairs(), "pair"),
    )
}

fn failure(line: &Line, cases: &Cases<'_>, terminal: &Terminal) -> String {
    let check = line.failures.first().map(|failure| failure.check.as_str()).unwrap_or_default();
    let faults = cases.faults(&line.mode, line.seed).join("; ");
    format!("{}  {check}: {faults}", terminal.paint(Paint::Bad, "FAILED"))
}

/// Writes a capsule for each distinct failure.
fn keep(tally: &Tally, cases: &Cases<'_>, args: &ExhaustArgs, terminal: &Terminal) -> Result<Vec<Found>, Exit> {
    let keep = |(number, distinct): (usize, Distinct)| {
        let best = &distinct.best;
        let faults = cases.faults(&best.mode, best.seed);
        let capsule = args.out.as_deref().map(|dir| capsule(dir, number + 1, &distinct, cases, args));
        let capsule = capsule.transpose().map_err(|error| {
            terminal.say(&format!("error: a capsule cannot be written: {error}"));
            Exit::Internal
        })?;
        Ok(Found { faults, capsule: capsule.flatten(), distinct })
    };
    tally.distinct().into_iter().enumerate().map(keep).collect()
}

fn capsule(
    dir: &Path,
    number: usize,
    distinct: &Distinct,
    cases: &Cases<'_>,
    args: &ExhaustArgs,
) -> std::io::Result<Option<PathBuf>> {
    let Some(capsule) = cases.capsule(&distinct.best.mode, distinct.best.seed, args.suite) else { return Ok(None) };
    let path = dir.join(format!("failure-{number}-{}.capsule.json", distinct.check));
    capsule.write(&path)?;
    Ok(Some(path))
}

fn summary(name: &str, tally: &Tally, found: &[Found], millis: u64, terminal: &Terminal) -> String {
    let counts = tally.counts();
    let others = [(counts.failed, "failed"), (counts.nondeterministic, "not deterministic")];
    let others =
        others.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!(", {} {what}", grouped(*number)));
    let mut lines = vec![format!(
        "exhaust   {}  {} in {}.{}s: {} passed{}",
        terminal.paint(Paint::Bold, name),
        count(counts.runs, "run"),
        millis / 1_000,
        millis % 1_000 / 100,
        grouped(counts.passed + counts.nothing),
        others.collect::<String>()
    )];
    if !found.is_empty() {
        lines.push(format!("\n{}", count(found.len() as u64, "distinct failure")));
    }
    lines.extend(found.iter().map(|found| shown(found, terminal)));
    lines.join("\n")
}

fn shown(found: &Found, terminal: &Terminal) -> String {
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

/// See `docs/sweep.md`.
fn result(
    name: &str,
    hash: &str,
    args: &ExhaustArgs,
    cases: &Cases<'_>,
    tally: &Tally,
    found: &[Found],
    is_complete: bool,
) -> Value {
    let counts = tally.counts();
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
    json!({
        "schema": 1,
        "scenario": name,
        "scenario_hash": hash,
        "seed": args.seed,
        "build": BUILD,
        "suite": args.suite.to_string(),
        "complete": is_complete,
        "single_faults": cases.singles(),
        "pairs": cases.pairs(),
        "runs": counts.runs,
        "passed": counts.passed + counts.nothing,
        "failed": counts.failed,
        "nondeterministic": counts.nondeterministic,
        "failures": found.iter().map(failure).collect::<Vec<_>>(),
    })
}
