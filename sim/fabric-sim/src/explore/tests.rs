use super::*;
use crate::scenario;
use crate::sweep::{self, Bounds, Tally};
use crate::terminal::Terminal;
use crate::worlds::tamper::{Given, Loses, Tampered, play_tampered};
use machine::Input;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// So many generations with this fault planted; what was reached, what failed, and how many runs were kept.
fn explore(loses: Loses, generations: u64, jobs: usize, is_guided: bool) -> (u64, Tally, u64) {
    let loaded = scenario::open(Path::new("tests/scenarios/hello.toml"), &[]).unwrap();
    let player = move |scenario: &Rc<Scenario>, limits: &Limits, seed: u64, extras: Extras| {
        play_tampered(scenario, limits, seed, extras, loses)
    };
    let mut guided = Guided::new(&loaded, Mode::default(), &player);
    let (terminal, never, mut all) = (Terminal::plain(100), AtomicBool::new(false), Tally::default());
    let bounds = Bounds { jobs, millis_max: None, failures_max: None };
    for at in 0..generations {
        let generation = guided.generation(at * GENERATION..(at + 1) * GENERATION);
        let (tally, _) = sweep::run(&generation, bounds, Vec::new(), None, &never, &terminal, &mut |_| {}).unwrap();
        tally.lines().into_iter().for_each(|line| all.add(line));
        let learned = generation.finish();
        guided.learn(learned);
        if !is_guided {
            guided.kept.clear();
        }
    }
    for line in all.lines().iter().filter(|line| line.is_failure()) {
        let capsule = guided.capsule(line.seed, SuiteKind::Model).unwrap();
        assert_eq!(format!("{:016x}", capsule.trace_hash), line.trace_hash, "the capsule is the run that failed");
        assert!(guided.changes(line.seed)[0].starts_with("seed "));
    }
    (guided.reached(), all, guided.kept())
}

/// Once the phone has lost two connections, it gets nothing any more.
fn deaf_after_two_losses(state: &mut Tampered, input: &Given<'_>) -> bool {
    state.heard += u64::from(matches!(input, Input::PipeClosed { .. }));
    state.name == "phone" && state.heard >= 2 && !matches!(input, Input::Timeout)
}

#[test]
fn the_result_does_not_depend_on_jobs() {
    let one = explore(deaf_after_two_losses, 3, 1, true);
    assert!(one == explore(deaf_after_two_losses, 3, 2, true) && one.2 > 3, "{} kept", one.2);
}

#[test]
fn what_is_guided_reaches_more_and_finds_what_chance_does_not() {
    let (by_chance, nothing, _) = explore(deaf_after_two_losses, 6, 2, false);
    let (reached, tally, _) = explore(deaf_after_two_losses, 6, 2, true);
    assert!(reached > 2 * by_chance, "{reached} and {by_chance}");
    assert_eq!(nothing.counts().failed, 0);
    assert!(tally.counts().failed > 0 && tally.distinct().iter().any(|one| one.check == "work-done"));
}
