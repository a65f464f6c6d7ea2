use super::*;
use crate::nemesis::Limits;
use crate::scenario::resolved::What;
use crate::worlds::tamper::{Loses, deaf_after_a_restart, deaf_unless_all_are_heard, play_tampered};
use std::path::Path;

const SEED: u64 = 3;

fn player(loses: Loses) -> impl Fn(&Rc<Scenario>, &Limits, Ledger) -> Run {
    move |scenario, limits, ledger| play_tampered(scenario, limits, SEED, ledger, loses)
}

fn start(overrides: &[&str]) -> Candidate {
    let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let scenario = scenario::load(Path::new("tests/scenarios/busy.toml"), &overrides).unwrap();
    Candidate { scenario: Rc::new(scenario), limits: Limits::default(), overrides: Vec::new() }
}

/// The failure of `start` with this fault, and what it shrinks to.
fn shrunk(start: &Candidate, loses: Loses) -> (Fingerprint, Shrunk) {
    let play = player(loses);
    let (fingerprint, _) = Fingerprint::of_run(&start.run(&play, |ledger| ledger)).expect("the planted fault is found");
    let shrunk = shrink(start.clone(), &fingerprint, &play, &mut |_| true);
    let again = shrunk.best.run(&play, |ledger| ledger);
    assert!(shrunk.is_complete && fingerprint.is_shown_by(&again), "the smallest run fails as the first one did");
    (fingerprint, shrunk)
}

#[test]
fn what_has_nothing_to_do_with_the_failure_goes() {
    let (fingerprint, shrunk) = shrunk(&start(&[]), deaf_after_a_restart);
    assert_eq!((fingerprint.check.as_str(), fingerprint.subject.as_str()), ("work-done", "tablet-2 -> hub/echo"));
    let scenario = &shrunk.best.scenario;
    let names: Vec<_> = scenario.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["hub", "tablet-2"]);
    assert_eq!(scenario.work.len(), 1);
    assert!(
        matches!(scenario.faults.as_slice(), [fault] if matches!(fault.what, What::Restart(1))),
        "{:?}",
        scenario.faults
    );
    assert!(shrunk.best.overrides.is_empty() && scenario.links.is_empty());
    assert_eq!(scenario.checks.always, Vec::<&str>::new());
    insta::assert_snapshot!(scenario::to_toml(scenario));
}

#[test]
fn lost_packets_become_faults_of_the_timeline() {
    let start = start(&["links.default.loss=30%"]);
    let (fingerprint, shrunk) = shrunk(&start, deaf_unless_all_are_heard);
    assert!(fingerprint.subject.contains("tablet-2"), "{fingerprint}");
    let best = &shrunk.best;
    assert!(best.overrides.is_empty(), "{:?}", best.overrides);
    assert_eq!(best.scenario.link.loss.0, 0, "{}", scenario::to_toml(&best.scenario));
    let is_cut = |fault: &crate::scenario::resolved::Fault| matches!(fault.what, What::Partition { one_way: true, .. });
    assert!(best.scenario.faults.iter().all(is_cut), "{:?}", best.scenario.faults);
}

#[test]
fn shrinking_is_deterministic_and_stops_when_told() {
    let first = shrunk(&start(&[]), deaf_after_a_restart).1;
    let second = shrunk(&start(&[]), deaf_after_a_restart).1;
    assert_eq!((digest(&first.best), first.runs), (digest(&second.best), second.runs));
    let (start, play) = (start(&[]), player(deaf_after_a_restart));
    let (fingerprint, _) = Fingerprint::of_run(&start.run(&play, |ledger| ledger)).unwrap();
    for runs in [0, 1, 5] {
        let stopped = shrink(start.clone(), &fingerprint, &play, &mut |step| step.runs < runs);
        assert!(!stopped.is_complete && stopped.runs == runs);
        assert!(fingerprint.is_shown_by(&stopped.best.run(&play, |ledger| ledger)), "the best so far still fails");
    }
}

#[test]
fn a_run_is_the_same_when_chance_is_spelled_out() {
    let start = start(&["links.default.loss=5%", "links.default.corrupt=1%", "links.default.duplicate=2%"]);
    let play = player(|_, _| false);
    let run = start.run(&play, Ledger::recording);
    let befell = crate::capsule::misfortunes(&run, &start.scenario);
    let scenario = Rc::new(crate::capsule::calm(&start.scenario));
    let spelled = Candidate { scenario, overrides: befell.clone(), ..start };
    assert!(befell.len() > 20 && spelled.run(&play, |ledger| ledger).trace_hash == run.trace_hash, "{}", befell.len());
}
