//! `exhaust`: every single fault at every event of a run, and pairs of them.

use super::found::{self, Found, Source, Teller};
use super::sweep::{INTERRUPTED, RESULTS, jobs, listen, open_journal, stop, usage, write};
use crate::cli::{BUILD, ExhaustArgs, Exit, Format};
use crate::exhaust::{Base, Cases, Unfit};
use crate::nemesis::{self, Limits, Mode};
use crate::oracles::count;
use crate::report::{program, quoted};
use crate::scenario::{self, Scenario};
use crate::sweep::{self, Bounds, Ended, Header, Line, Shard, Shards, Stopwatch, Tally};
use crate::terminal::{Paint, Terminal};
use crate::worlds::sim::Extras;
use crate::worlds::{World, play_with};
use serde_json::{Value, json};
use std::rc::Rc;

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
    let bounds = Bounds { jobs: jobs(args.jobs), millis_max: None, failures_max: None, is_quiet: false };
    let mut teller = Teller::default();
    let mut told = |line: &Line| teller.tell(line, terminal);
    let (tally, ended) = sweep::run(&cases, bounds, known, journal.as_mut(), &INTERRUPTED, terminal, &mut told)
        .map_err(|stopped| stop(stopped, terminal))?;
    let is_complete = ended == Ended::Complete;
    let source = Source {
        faults: &|line| cases.faults(&line.mode, line.seed),
        capsule: &|line| cases.capsule(&line.mode, line.seed, suite),
    };
    let found = found::keep(&tally, args.out.as_deref(), &source, terminal)?;
    if let Some(dir) = args.out.as_deref().filter(|_| is_complete) {
        write(&dir.join(RESULTS), &header, &tally, terminal)?;
    }
    if args.format == Format::Json {
        let value = result(&name, &hash, args, &cases, &tally, &found, is_complete);
        terminal.result(&format!("{value:#}\n"))?;
    }
    let title = format!("exhaust   {}", terminal.paint(Paint::Bold, &name));
    terminal.say(&found::summary(&title, &tally, &found, watch.millis(), terminal));
    if !is_complete {
        terminal.say("interrupted: with the same --out the same command goes on from here");
        return Err(Exit::Interrupted);
    }
    match tally.exit(&[]) {
        Exit::Held => Ok(()),
        exit => Err(exit),
    }
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
        path: args.scenario.display().to_string(),
        overrides: args.overrides.clone(),
        build: BUILD.to_owned(),
        suite: args.suite.to_string(),
        world: World::Sim.to_string(),
        sometimes: Vec::new(),
        shards: Shards::one(Shard::WHOLE),
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
        "failures": found::json(found),
    })
}
