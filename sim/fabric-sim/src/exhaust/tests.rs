use super::*;
use crate::scenario;
use crate::sweep::{self, Bounds, Ended, Tally};
use crate::terminal::Terminal;
use crate::worlds::tamper::{Given, Loses, Tampered, play_tampered};
use machine::Input;
use std::path::Path;
use std::sync::atomic::AtomicBool;

const SEED: u64 = 3;
const HELLO: &str = "tests/scenarios/hello.toml";

fn base(path: &str) -> Base {
    let scenario = scenario::load(Path::new(path), &["links.default.loss=0%".to_owned()]).unwrap();
    Base { scenario, limits: Limits::default(), seed: SEED }
}

/// Unless the phone hears the hub's first signed announce in time, it gets nothing any more.
fn deaf_unless_greeted(state: &mut Tampered, input: &Given<'_>) -> bool {
    let is_early = state.now.as_nanos() < 500_000_000;
    let is_signed = matches!(input, Input::Datagram { bytes, .. } if bytes.len() > 150);
    state.heard += u64::from(is_early && is_signed);
    state.name == "phone" && state.incarnation == 0 && !is_early && state.heard == 0 && !matches!(input, Input::Timeout)
}

/// All runs, `jobs` at a time.
fn search(pairs: u64, loses: Loses, jobs: usize, known: Vec<Line>) -> Tally {
    let player = move |scenario: &Rc<Scenario>, limits: &Limits, extras: Extras| {
        play_tampered(scenario, limits, SEED, extras, loses)
    };
    let cases = Cases::of(base(HELLO), pairs, &player).unwrap();
    let bounds = Bounds { jobs, millis_max: None, failures_max: None };
    let (terminal, never) = (Terminal::plain(100), AtomicBool::new(false));
    let (tally, ended) = sweep::run(&cases, bounds, known, None, &never, &terminal, &mut |_| {}).unwrap();
    assert_eq!((ended, tally.counts().runs), (Ended::Complete, cases.singles() + pairs));
    tally
}

#[test]
fn no_single_fault_stops_two_nodes_that_are_well() {
    let tally = search(20, |_, _| false, 2, Vec::new());
    let failures: Vec<_> = tally.distinct().into_iter().map(|one| (one.title(), one.best.drawn)).collect();
    assert!(failures.is_empty() && tally.counts().runs > 70, "{failures:#?}");
}

#[test]
fn a_fault_that_one_event_alone_shows_is_found_and_kept() {
    let tally = search(0, deaf_unless_greeted, 2, Vec::new());
    let failing: Vec<_> = tally.lines().into_iter().filter(Line::is_failure).collect();
    let faults: Vec<_> = failing.iter().map(|line| line.drawn["fault-1"].as_str()).collect();
    assert!(faults.len() >= 2 && faults.iter().any(|fault| fault.ends_with("is lost")), "{faults:#?}");
    // The hub signs its first announce once its epoch is written.
    let silences = ["the datagram of 220 bytes hub -> phone", "the write of 100 bytes by hub", "hub loses power"];
    let is_heard = |fault: &&&str| !silences.iter().any(|silence| fault.contains(silence));
    assert_eq!(faults.iter().filter(is_heard).collect::<Vec<_>>(), Vec::<&&str>::new());
    let player = |scenario: &Rc<Scenario>, limits: &Limits, extras: Extras| {
        play_tampered(scenario, limits, SEED, extras, deaf_unless_greeted)
    };
    let cases = Cases::of(base(HELLO), 0, &player).unwrap();
    let best = &tally.distinct()[0].best;
    let capsule = cases.capsule(&best.mode, best.seed, SuiteKind::Model).unwrap();
    assert_eq!(format!("{:016x}", capsule.trace_hash), best.trace_hash, "the capsule is the run that failed");
}

#[test]
fn jobs_and_interruptions_change_no_result() {
    let whole = search(30, deaf_unless_greeted, 1, Vec::new());
    let half = whole.lines().into_iter().step_by(2).collect();
    assert_eq!(search(30, deaf_unless_greeted, 2, half), whole);
}

#[test]
fn what_fails_already_and_what_shows_nothing_is_not_searched() {
    let player = |scenario: &Rc<Scenario>, limits: &Limits, extras: Extras| {
        play_tampered(scenario, limits, SEED, extras, |_, _| false)
    };
    let unfit = |path: &str| Cases::of(base(path), 0, &player).err();
    assert!(
        matches!(unfit("tests/scenarios/impossible.toml"), Some(Unfit::Fails(how)) if how.starts_with("work-done"))
    );
    assert_eq!(unfit("../../scenarios/impostor.toml"), Some(Unfit::Attacked));
}

#[test]
fn every_pair_is_of_two() {
    for count in [2, 3, 100] {
        assert!((0..200).map(|number| pair(1, number, count)).all(|[one, other]| one < other && other < count));
    }
}
