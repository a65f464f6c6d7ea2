use super::*;
use crate::scenario;
use crate::worlds::{SuiteKind, play};
use std::collections::BTreeSet;
use std::path::Path;

fn contact() -> Loaded {
    scenario::open(Path::new("tests/scenarios/contact.toml"), &[]).unwrap()
}

fn drawn(loaded: &Loaded, nemesis: Option<Profile>, seed: u64) -> Drawn {
    draw(loaded, Mode { swarm: false, nemesis }, seed).unwrap()
}

#[test]
fn without_a_mode_a_scenario_is_what_is_written() {
    let loaded = contact();
    let plain = draw(&loaded, Mode::default(), 1).unwrap();
    assert_eq!(plain.scenario.hash(), loaded.scenario.hash());
    assert!(plain.told.is_empty());
}

#[test]
fn a_swarm_draws_each_key_within_its_range() {
    let loaded = contact();
    let mode = Mode { swarm: true, nemesis: None };
    let all: Vec<_> = (0..200).map(|seed| draw(&loaded, mode, seed).unwrap()).collect();
    let sizes: BTreeSet<_> = all.iter().map(|drawn| drawn.scenario.work[0].bytes.0).collect();
    assert_eq!(sizes, BTreeSet::from([1, 2_048, 8_192]));
    let losses: BTreeSet<_> = all.iter().map(|drawn| drawn.scenario.link.loss.0).collect();
    assert!(losses.len() > 190 && losses.iter().all(|loss| *loss <= 20_000_000));
    for drawn in &all {
        assert_eq!(drawn.told[0], ("links.default.loss".to_owned(), format!("\"{}\"", drawn.scenario.link.loss)));
    }
}

#[test]
fn no_fault_outlasts_the_first_phase_and_every_kind_is_drawn() {
    let loaded = contact();
    let mut kinds = BTreeSet::new();
    for seed in 0..300 {
        let drawn = drawn(&loaded, Some(Profile::Hostile), seed);
        let heals_at = heals_at(&loaded.scenario).0;
        for fault in &drawn.scenario.faults {
            assert!(end(fault) <= heals_at, "seed {seed}: {fault:?}");
        }
        kinds.extend(drawn.told.into_iter().map(|(key, _)| key));
        assert!(drawn.scenario.checks.eventually.iter().all(|(_, by)| *by == drawn.scenario.stop_at));
    }
    for (kind, _) in faults::KINDS {
        assert!(kinds.contains(&format!("faults.{kind}")), "{kind} is never drawn");
    }
    for key in ["pipes.buffer", "pipes.reset", "perturb.late_drain", "limits.streams_max", "limits.hub.stream_window"] {
        assert!(kinds.contains(key), "{key} is never drawn");
    }
}

/// What moves nothing still shakes hands.
#[test]
fn the_narrowest_pipe_lets_a_handshake_through_in_time() {
    let loaded = scenario::open(Path::new("../../scenarios/turned-away.toml"), &[]).unwrap();
    let buffers = (0..300).map(|seed| drawn(&loaded, Some(Profile::Rough), seed).scenario.pipes.buffer);
    let least = buffers.min().unwrap();
    assert!((64..128).contains(&least), "narrow pipes are drawn, and none below 64 bytes: {least}");
}

/// A call that is undone is not tried again: who knows whether it was heard.
#[test]
fn in_the_narrowest_pipes_of_calls_resets_are_rare() {
    let loaded = scenario::open(Path::new("../../scenarios/remote-calls.toml"), &[]).unwrap();
    let pipes = (0..300).map(|seed| drawn(&loaded, Some(Profile::Hostile), seed).scenario.pipes);
    // A handshake and its proofs, and a call: 1,000 bytes and more.
    let struck = pipes.map(|pipes| u64::from(pipes.reset.0) * 1_000 / u64::from(pipes.segment)).max().unwrap();
    assert!((1_000_000..=300_000_000).contains(&struck), "{struck} billionths of sessions are reset");
}

#[test]
fn streams_that_a_scenario_leaves_open_have_room() {
    let loaded = scenario::open(Path::new("../../scenarios/unread-streams.toml"), &[]).unwrap();
    let limits = |seed| drawn(&loaded, Some(Profile::Hostile), seed).limits.of("phone").mux.streams_max;
    let drawn: BTreeSet<_> = (0..100).map(limits).filter(|most| *most != 128).collect();
    assert!(
        drawn.first().is_some_and(|least| (101..106).contains(least)),
        "few are drawn, but one above 100: {drawn:?}"
    );
}

#[test]
fn a_seed_draws_the_same_twice_and_another_seed_does_not() {
    let loaded = contact();
    let told = |seed| drawn(&loaded, Some(Profile::Rough), seed).told;
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}

/// Drawn faults that never strike test nothing.
#[test]
fn what_is_drawn_strikes() {
    let loaded = contact();
    let struck: BTreeSet<_> = (0..60)
        .flat_map(|seed| play(&drawn(&loaded, Some(Profile::Hostile), seed), seed, SuiteKind::Model, None).faults)
        .map(|(name, _)| name)
        .collect();
    let expected = [
        "packets-lost",
        "packets-corrupted",
        "packets-partitioned",
        "pipes-refused",
        "pipes-reset",
        "segments-lost",
        "crashes",
        "restarts",
        "pauses",
        "partitions",
        "clock-changes",
        "link-changes",
    ];
    for name in expected {
        assert!(struck.contains(name), "{name} did not strike: {struck:?}");
    }
}
