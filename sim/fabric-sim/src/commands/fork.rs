//! `fork`: when a failure became inevitable.

use super::start::Start;
use super::sweep::{INTERRUPTED, jobs, listen, stop};
use crate::capsule::{Fingerprint, write_whole};
use crate::cli::{BUILD, Exit, ForkArgs, Format};
use crate::exhaust::points::Point as Fault;
use crate::fork::{self, Forks, Player, Point, Round};
use crate::nemesis::Limits;
use crate::oracles::count;
use crate::report::seconds;
use crate::scenario::Scenario;
use crate::sweep::{self, Bounds, Ended, Stopwatch};
use crate::terminal::{Paint, Terminal};
use crate::worlds::sim::{Extras, Run};
use crate::worlds::{SuiteKind, play_with};
use ::sim::ledger::{Decision, Entry};
use serde_json::{Value, json};
use std::rc::Rc;

/// The version of the JSON.
const SCHEMA: u32 = 1;
/// Between two lines of progress where lines stay, in milliseconds.
const PLAIN_EVERY: u64 = 5_000;
/// No more of what chance did is told.
const STRUCK_MAX: usize = 8;
/// Characters of a bar.
const BAR: u64 = 30;

pub(super) fn fork(args: &ForkArgs, terminal: &Terminal) -> Result<(), Exit> {
    let start = Start::new(&args.failing, SuiteKind::Model, terminal)?;
    let run = start.explained();
    let shown = start.fingerprint.clone().filter(|fingerprint| fingerprint.is_shown_by(&run));
    let first = Fingerprint::of_run(&run).map(|(fingerprint, _)| fingerprint);
    let Some(fingerprint) = (if start.fingerprint.is_some() { shown } else { first }) else {
        terminal.say("this run does not fail so: there is nothing to fork");
        return Err(Exit::Nothing);
    };
    let name = &start.candidate.scenario.name;
    let title = terminal.paint(Paint::Bold, "when");
    terminal.say(&format!("{title}  {name} seed {}: {fingerprint}", start.seed));
    listen(terminal)?;
    let suite = start.suite;
    let player = move |scenario: &Rc<Scenario>, limits: &Limits, seed: u64, extras: Extras| {
        play_with(scenario, limits, seed, suite, extras)
    };
    let (points, is_complete) = search(args, &start, &fingerprint, &run, &player, terminal)?;
    let result = json_of(args, &start, &fingerprint, &run, &points, is_complete);
    if let Some(file) = &args.out {
        write_whole(file, &format!("{result:#}\n")).map_err(|error| {
            terminal.say(&format!("error: `{}` cannot be written: {error}", file.display()));
            Exit::Internal
        })?;
    }
    match args.format {
        Format::Json => terminal.result(&format!("{result:#}\n"))?,
        Format::Human => terminal.result(&told(&start, &run, &points, terminal))?,
    }
    if is_complete { Err(Exit::Failed) } else { Err(Exit::Interrupted) }
}

/// The points that were asked for, in the order of time; fewer when it is interrupted.
fn search(
    args: &ForkArgs,
    start: &Start,
    fingerprint: &Fingerprint,
    run: &Run,
    player: &Player<'_>,
    terminal: &Terminal,
) -> Result<(Vec<Point>, bool), Exit> {
    let forks = Forks::new(&start.candidate, start.seed, fingerprint, run, player, args.forks);
    let bounds = Bounds { jobs: jobs(args.jobs), millis_max: None, failures_max: None, is_quiet: true };
    let watch = Stopwatch::start();
    let play = |round: &Round<'_>| {
        let finished = sweep::run(round, bounds, Vec::new(), None, &INTERRUPTED, terminal, &mut |_| {});
        let (tally, ended) = finished.map_err(|stopped| stop(stopped, terminal))?;
        Ok((ended == Ended::Complete).then(|| round.points(&tally)))
    };
    let (mut known, mut said_at): (Vec<Point>, u64) = (Vec::new(), 0);
    while (known.len() as u64) < args.points {
        let round = if known.is_empty() { Some(forks.first(args.points.div_ceil(2))) } else { forks.next(&known) };
        let Some(round) = round else { break };
        let Some(points) = play(&round)? else { return Ok((known, false)) };
        known.extend(points);
        known.sort_by_key(|point| point.at);
        let millis = watch.millis();
        if terminal.is_live() || millis >= said_at + PLAIN_EVERY {
            said_at = millis;
            let runs = count(known.len() as u64 * args.forks, "fork");
            terminal.overwrite(&format!("{} of {} points, {runs}", known.len(), args.points));
        }
    }
    terminal.clear_line();
    Ok((known, true))
}

fn told(start: &Start, run: &Run, points: &[Point], terminal: &Terminal) -> String {
    let mut lines = vec!["    anew from  fail so".to_owned()];
    for point in points {
        let all = point.all().max(1);
        let (same, other) = (point.same * BAR / all, point.other * BAR / all);
        let bar = |length: u64, letter: &str| letter.repeat(length as usize);
        let (same, other) =
            (terminal.paint(Paint::Bad, &bar(same, "#")), terminal.paint(Paint::Warn, &bar(other, "+")));
        let others = if point.other > 0 { format!(", {} otherwise", point.other) } else { String::new() };
        let share = format!("{} of {all}{others}", point.same);
        lines.push(format!("  {:>11}  {share:<24}  {same}{other}", seconds(point.at.as_nanos())));
    }
    lines.push(String::new());
    lines.extend(conclusion(start, run, points, terminal));
    lines.join("\n") + "\n"
}

fn conclusion(start: &Start, run: &Run, points: &[Point], terminal: &Terminal) -> Vec<String> {
    let title = |text: &str| terminal.paint(Paint::Bold, text);
    let at = |point: &Point| seconds(point.at.as_nanos());
    let mut lines = Vec::new();
    if let Some([before, after]) = fork::turn(points) {
        let (few, many, all) = (before.failed(), after.failed(), after.all());
        let (turn, from, until) = (title("turned"), at(before), at(after));
        lines.push(format!("{turn}      most between {from} and {until}: from {few} to {many} of {all}"));
        lines.extend(struck(start, run, before, after));
    }
    let since = match fork::inevitable(points) {
        (None, _) => "from the start: it is not chance that brings it about".to_owned(),
        (Some(_), None) => "only when it happened".to_owned(),
        (Some(escapable), Some(inevitable)) => {
            format!("since some time between {} and {}", at(escapable), at(inevitable))
        }
    };
    lines.push(format!("{}  {since}", title("inevitable")));
    lines
}

/// What chance took from the run between two points.
fn struck(start: &Start, run: &Run, before: &Point, after: &Point) -> Vec<String> {
    let is_between = |entry: &&Entry| entry.at >= before.at && entry.at < after.at;
    let is_told = |entry: &&Entry| match entry.decision {
        Decision::Packet(fate) => fate.lost,
        decision => decision.is_misfortune(),
    };
    let all: Vec<_> = run.decisions.iter().filter(is_between).filter(is_told).collect();
    let scenario = &start.candidate.scenario;
    let told = |entry: &&Entry| format!("            {}", Fault::Fate(**entry).told(scenario));
    let mut lines: Vec<_> = all.iter().take(STRUCK_MAX).map(told).collect();
    if all.len() > STRUCK_MAX {
        lines.push(format!("            and {} more", all.len() - STRUCK_MAX));
    }
    lines
}

/// See `docs/failures.md`.
fn json_of(
    args: &ForkArgs,
    start: &Start,
    fingerprint: &Fingerprint,
    run: &Run,
    points: &[Point],
    is_complete: bool,
) -> Value {
    let (escapable, inevitable) = fork::inevitable(points);
    let at = |point: Option<&Point>| point.map(|point| point.at.as_nanos());
    let point = |point: &Point| json!({ "at_ns": point.at.as_nanos(), "same": point.same, "other": point.other, "held": point.held });
    json!({
        "schema": SCHEMA,
        "scenario": start.candidate.scenario.name,
        "seed": start.seed,
        "build": BUILD,
        "suite": start.suite.to_string(),
        "check": fingerprint.check,
        "place": fingerprint.place,
        "subject": fingerprint.subject,
        "complete": is_complete,
        "ended_ns": run.ended.as_nanos(),
        "forks": args.forks,
        "escapable_until_ns": at(escapable),
        "inevitable_from_ns": at(inevitable),
        "points": points.iter().map(point).collect::<Vec<_>>(),
    })
}
