use super::*;
use crate::scenario::load;
use crate::worlds::SuiteKind;
use crate::worlds::tamper::{Loses, Tampered, play_tampered};
use machine::Input;
use std::path::Path;

type Given<'a> = Input<'a, <scenario_actor::Actor as machine::Machine>::Command>;

/// A capsule of the busy scenario under this seed, with this fault planted.
fn capsule(seed: u64, percent: &str, loses: Loses) -> Capsule {
    let scenario = load(Path::new("tests/scenarios/busy.toml"), &[format!("links.default.loss={percent}")]).unwrap();
    let (scenario, limits) = (Rc::new(scenario), Limits::default());
    let run = play_tampered(&scenario, &limits, seed, Ledger::default().recording(), loses);
    Capsule::of(&scenario, seed, SuiteKind::Model, &limits, Vec::new(), &run).expect("the planted fault is found")
}

fn replayed(capsule: &Capsule, seed: u64, loses: Loses) -> Replayed {
    replay(capsule, &|scenario, limits, ledger| play_tampered(scenario, limits, seed, ledger, loses))
}

fn deaf_after_a_restart(state: &mut Tampered, input: &Given<'_>) -> bool {
    state.name == "tablet-2" && state.incarnation > 0 && matches!(input, Input::PipeBytes { .. })
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
