use super::*;
use crate::scenario::load;
use crate::worlds::SuiteKind;
use crate::worlds::tamper::{Loses, deaf_after_a_restart, deaf_unless_all_are_heard, play_tampered};
use machine::Input;
use std::path::Path;

/// A capsule of the busy scenario under this seed, with this fault planted.
fn capsule(seed: u64, percent: &str, loses: Loses) -> Capsule {
    of(seed, percent, loses).expect("the planted fault is found")
}

fn of(seed: u64, percent: &str, loses: Loses) -> Option<Capsule> {
    let scenario = load(Path::new("tests/scenarios/busy.toml"), &[format!("links.default.loss={percent}")]).unwrap();
    let (scenario, limits) = (Rc::new(scenario), Limits::default());
    let run = play_tampered(&scenario, &limits, seed, Ledger::default().recording(), loses);
    Capsule::of(&scenario, seed, SuiteKind::Model, &limits, Vec::new(), &run)
}

fn replayed(capsule: &Capsule, seed: u64, loses: Loses) -> Replayed {
    replay(capsule, &|scenario, limits, ledger| play_tampered(scenario, limits, seed, ledger, loses))
}

#[test]
fn the_same_code_makes_the_same_run_and_mended_code_none_that_fails() {
    let capsule = capsule(3, "1%", deaf_after_a_restart);
    assert_eq!(replayed(&capsule, 3, deaf_after_a_restart), Replayed::Same { identical: true });
    assert_eq!(replayed(&capsule, 3, |_, _| false), Replayed::Gone);
}

#[test]
fn a_failure_at_another_place_has_moved() {
    let capsule = capsule(3, "1%", deaf_after_a_restart);
    let moved =
        replayed(&capsule, 3, |state, input| state.name == "phone-1" && matches!(input, Input::PipeBytes { .. }));
    let Replayed::Moved(fingerprint, _) = &moved else { panic!("{moved:?}") };
    assert!(fingerprint.subject.contains("phone-1"), "{fingerprint}");
}

/// Another seed changes every key and every byte on the wire, and what chance does: more than a change of code would.
#[test]
fn a_failure_that_chance_brought_about_is_found_again_when_everything_has_changed() {
    let fails = |capsule: &Capsule, seed: u64| {
        let run = play_tampered(&capsule.scenario, &capsule.limits, seed, Ledger::default(), deaf_unless_all_are_heard);
        capsule.fingerprint.is_shown_by(&run)
    };
    let unlucky = (1..40).find_map(|seed| of(seed, "5%", deaf_unless_all_are_heard)).unwrap();
    let lucky: Vec<u64> = (40..60).filter(|seed| !fails(&unlucky, *seed)).collect();
    assert!(lucky.len() > 5, "the failure takes bad luck");
    for seed in lucky {
        let replayed = |loses| replayed(&unlucky, seed, loses);
        let again = replayed(deaf_unless_all_are_heard);
        assert!(matches!(again, Replayed::Realigned { placed, .. } if placed > 5), "seed {seed}: {again:?}");
        assert_eq!(replayed(|_, _| false), Replayed::Gone, "seed {seed}");
    }
}

#[test]
fn where_nothing_happens_that_did_a_run_that_holds_says_nothing() {
    let mut capsule = capsule(3, "10%", deaf_after_a_restart);
    let scenario = Rc::make_mut(&mut capsule.scenario);
    (scenario.checks.always, scenario.checks.eventually) = (vec!["policy"], Vec::new());
    // Nodes that get nothing but their timeouts announce themselves, and no more.
    let silent = replayed(&capsule, 3, |_, input| !matches!(input, machine::Input::Timeout));
    assert!(matches!(&silent, Replayed::NotApplicable(why) if why.contains("found their place")), "{silent:?}");
}
