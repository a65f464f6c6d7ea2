//! `sweep --guided`: runs that are made from those which reached something new.

use super::found::{self, Source, Teller};
use super::sweep::{INTERRUPTED, RESULTS, finish, how_to_go_on, prepare_journal, stop, usage, write};
use crate::cli::{Exit, SweepArgs, SweepFormat};
use crate::explore::{GENERATION, Guided, Memory};
use crate::nemesis::Limits;
use crate::oracles::{count, grouped};
use crate::report::sweep::{self as report, About};
use crate::scenario::Scenario;
use crate::sweep::{self, Bounds, Ended, Line, Plan, Stopwatch, Tally};
use crate::terminal::{Paint, Terminal};
use crate::worlds::play_with;
use crate::worlds::sim::Extras;
use serde_json::json;
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// Between two lines of progress where lines stay, and where they do not, in milliseconds.
const PLAIN_EVERY: u64 = 10_000;
const LIVE_EVERY: u64 = 200;

pub(super) fn guided(args: &SweepArgs, about: &About, plan: &Plan<'_>, terminal: &Terminal) -> Result<(), Exit> {
    refuse(args, plan, terminal)?;
    let suite = plan.suite;
    let player = move |scenario: &Rc<Scenario>, limits: &Limits, seed: u64, extras: Extras| {
        play_with(scenario, limits, seed, suite, extras)
    };
    let header = Memory::header(&about.header, plan.mode, plan.seeds.0);
    let mut memory = match &args.out {
        Some(dir) => prepare_journal(dir)
            .and_then(|program| Memory::open(dir, &header, &program))
            .map_err(|error| usage(terminal, &error))?,
        None => Memory::default(),
    };
    if memory.runs() > 0 {
        terminal.say(&format!("resumed   {} runs are there already", memory.runs()));
    }
    let mut guided = Guided::new(plan.loaded, plan.mode, &player);
    let watch = Stopwatch::start();
    let (tally, ended) = search(&mut guided, &mut memory, plan, &watch, terminal)?;
    terminal.clear_line();
    let source =
        Source { faults: &|line| guided.changes(line.seed), capsule: &|line| guided.capsule(line.seed, suite) };
    let found = found::keep(&tally, args.out.as_deref(), &source, terminal)?;
    let is_complete = ended == Ended::Complete;
    if let Some(dir) = args.out.as_deref().filter(|_| is_complete) {
        write(&dir.join(RESULTS), &header, &tally, terminal)?;
    }
    if args.format == SweepFormat::Json {
        let counts = tally.counts();
        let value = json!({
            "schema": 1,
            "scenario": about.header.scenario,
            "scenario_hash": about.header.scenario_hash,
            "build": about.header.build,
            "suite": about.header.suite,
            "complete": is_complete,
            "runs": counts.runs,
            "passed": counts.passed + counts.nothing,
            "failed": counts.failed,
            "nondeterministic": counts.nondeterministic,
            "reached": guided.reached(),
            "kept": guided.kept(),
            "failures": found::json(&found),
            "probes": report::probes(&tally),
            "unreached": tally.unreached(about.wanted()),
        });
        terminal.result(&format!("{value:#}\n"))?;
    }
    let name = format!("guided    {}", terminal.paint(Paint::Bold, &about.header.scenario));
    terminal.say(&found::summary(&name, &tally, &found, watch.millis(), terminal));
    let kept = count(guided.kept(), "run");
    let probes = report::probes_shown(about, &tally, terminal);
    terminal.say(&format!("reached   {}, by {kept} that are kept{probes}", count(guided.reached(), "combination")));
    if !is_complete {
        terminal.say(how_to_go_on(args.out.is_some()));
        return Err(Exit::Interrupted);
    }
    finish(tally.exit(about.wanted()))
}

fn refuse(args: &SweepArgs, plan: &Plan<'_>, terminal: &Terminal) -> Result<(), Exit> {
    if plan.loaded.scenario.is_attacked() {
        let why = "a scenario with attackers says what is felt of them: other fates would make that untrue";
        return Err(usage(terminal, why));
    }
    if matches!(args.format, SweepFormat::Junit | SweepFormat::Github) {
        return Err(usage(terminal, "--guided prints `human` or `json`"));
    }
    Ok(())
}

fn search(
    guided: &mut Guided<'_>,
    memory: &mut Memory,
    plan: &Plan<'_>,
    watch: &Stopwatch,
    terminal: &Terminal,
) -> Result<(Tally, Ended), Exit> {
    let (mut tally, mut teller, mut said_at) = (Tally::default(), Teller::default(), 0);
    let (mut at, until) = plan.seeds;
    while at < until {
        let failed = tally.counts().failed;
        let bounds = Bounds {
            millis_max: plan.bounds.millis_max.map(|most| most.saturating_sub(watch.millis())),
            failures_max: plan.bounds.failures_max.map(|most| most.saturating_sub(failed)),
            is_quiet: true,
            ..plan.bounds
        };
        if bounds.millis_max == Some(0) || bounds.failures_max == Some(0) {
            break;
        }
        let end = until.min(at.saturating_add(GENERATION));
        let generation = guided.generation(at..end);
        let mut told = |line: &Line| teller.tell(line, terminal);
        let (lesson, known) = memory.of(at, end).unzip();
        let (known, journal) = (known.unwrap_or_default(), memory.journal());
        let (some, ended) = sweep::run(&generation, bounds, known, journal, &INTERRUPTED, terminal, &mut told)
            .map_err(|stopped| stop(stopped, terminal))?;
        let lines = some.lines();
        if let Some(lesson) = lesson {
            let learned = generation.recall(&lesson, &lines);
            guided.learn(learned);
        } else {
            let learned = generation.finish();
            let is_whole = learned.is_whole();
            let news = guided.learn(learned);
            if is_whole {
                memory.keep(at, end, news).map_err(|error| {
                    terminal.say(&format!("error: what was learned cannot be kept: {error}"));
                    Exit::Internal
                })?;
            }
        }
        for line in lines {
            tally.add(line);
        }
        at = end;
        if ended == Ended::Interrupted || INTERRUPTED.load(Ordering::Relaxed) && at < until {
            return Ok((tally, Ended::Interrupted));
        }
        let every = if terminal.is_live() { LIVE_EVERY } else { PLAIN_EVERY };
        if watch.millis() >= said_at + every {
            said_at = watch.millis();
            terminal.overwrite(&progress(guided, &tally, plan, said_at));
        }
    }
    Ok((tally, Ended::Complete))
}

fn progress(guided: &Guided<'_>, tally: &Tally, plan: &Plan<'_>, millis: u64) -> String {
    let counts = tally.counts();
    let (from, until) = plan.seeds;
    let of = if until == u64::MAX { String::new() } else { format!(" of {}", grouped(until - from)) };
    let rate = counts.runs.saturating_mul(1_000) / millis.max(1);
    format!(
        "{}{of} runs, {}/s, {} failed, {} combinations reached, {} runs kept",
        grouped(counts.runs),
        grouped(rate),
        grouped(counts.failed),
        grouped(guided.reached()),
        grouped(guided.kept())
    )
}
