use super::*;
use crate::nemesis::{self, Mode};
use crate::scenario;
use crate::sweep::{self, Bounds};
use crate::terminal::Terminal;
use crate::worlds::tamper::{Given, Loses, Tampered, play_tampered};
use machine::Input;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// From 3 s on, once the phone has lost a connection, it gets nothing any more.
fn deaf_after_a_loss(state: &mut Tampered, input: &Given<'_>) -> bool {
    let is_late = state.now.as_nanos() >= 3_000_000_000;
    state.heard += u64::from(is_late && matches!(input, Input::PipeClosed { .. }));
    state.name == "phone" && state.heard >= 1 && !matches!(input, Input::Timeout)
}

/// The phone gets nothing at all, whatever happens.
fn deaf(state: &mut Tampered, input: &Given<'_>) -> bool {
    state.name == "phone" && !matches!(input, Input::Timeout)
}

/// The points of the first seed that fails with this fault planted, and when its run ended.
fn forked(overrides: &[&str], loses: Loses, jobs: usize) -> (Vec<Point>, Time, Run) {
    let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
    let loaded = scenario::open(Path::new("tests/scenarios/hello.toml"), &overrides).unwrap();
    let player = move |scenario: &Rc<Scenario>, limits: &Limits, seed: u64, extras: Extras| {
        play_tampered(scenario, limits, seed, extras, loses)
    };
    let failing = (1..2_000).find_map(|seed| {
        let drawn = nemesis::draw(&loaded, Mode::default(), seed).unwrap();
        let run = player(&drawn.scenario, &drawn.limits, seed, Ledger::default().recording().into());
        let (fingerprint, _) = Fingerprint::of_run(&run)?;
        let candidate = Candidate { scenario: drawn.scenario, limits: drawn.limits, overrides: Vec::new() };
        Some((candidate, seed, fingerprint, run))
    });
    let (candidate, seed, fingerprint, run) = failing.unwrap();
    let forks = Forks::new(&candidate, seed, &fingerprint, &run, &player, 20);
    let (terminal, never) = (Terminal::plain(100), AtomicBool::new(false));
    let bounds = Bounds { jobs, millis_max: None, failures_max: None, is_quiet: true };
    let play = |round: &Round<'_>| {
        let (tally, _) = sweep::run(round, bounds, Vec::new(), None, &never, &terminal, &mut |_| {}).unwrap();
        round.points(&tally)
    };
    let mut points = play(&forks.first(8));
    for _ in 0..8 {
        let Some(round) = forks.next(&points) else { break };
        points.extend(play(&round));
        points.sort_by_key(|point| point.at);
    }
    (points, run.ended, run)
}

#[test]
fn what_nobody_can_escape_is_inevitable_from_the_start() {
    let (points, ended, _) = forked(&[], deaf, 2);
    assert!(points.iter().all(|point| point.same == 20 && point.at < ended), "{points:?}");
    let (escapable, inevitable) = inevitable(&points);
    assert_eq!((escapable, inevitable, turn(&points)), (None, points.first(), None));
}

#[test]
fn a_failure_of_chance_becomes_inevitable_when_it_strikes() {
    let resets = ["pipes.reset=0.2%"];
    let (points, ended, run) = forked(&resets, deaf_after_a_loss, 2);
    let (escapable, inevitable) = inevitable(&points);
    let (escapable, inevitable) = (escapable.unwrap(), inevitable.unwrap());
    // The decision that broke the phone's connection is the last reset of the run.
    let struck = run.decisions.iter().filter(|entry| matches!(entry.address, Address::Reset { .. }));
    let struck = struck.filter(|entry| entry.decision.is_misfortune()).map(|entry| entry.at).max().unwrap();
    assert!(escapable.at <= struck && struck <= inevitable.at, "{escapable:?} {struck} {inevitable:?}");
    let [before, after] = turn(&points).unwrap();
    assert!(before.at <= struck && struck < after.at, "{before:?} {struck} {after:?}");
    assert!(points[0].held > 10, "most seeds hold: {:?}", points[0]);
    assert!(inevitable.at < ended && inevitable.at.since(escapable.at).as_nanos() < ended.as_nanos() / 50);
    assert!(points.iter().all(|point| point.all() == 20));
}

#[test]
fn the_result_does_not_depend_on_jobs() {
    let resets = ["pipes.reset=0.2%"];
    assert_eq!(forked(&resets, deaf_after_a_loss, 1).0, forked(&resets, deaf_after_a_loss, 2).0);
}
