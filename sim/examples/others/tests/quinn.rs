//! The QUIC from outside: streams stay intact, and bugs of its adapter are found, made small and replayed.

mod common;

use common::{Program, folder};

const QUINN: Program = Program(env!("CARGO_BIN_EXE_quinn"));

#[test]
fn every_seed_keeps_every_promise() {
    QUINN.holds("0..200");
}

#[test]
fn two_runs_of_one_seed_are_the_same_to_the_last_event() {
    QUINN.is_deterministic(&["1", "2", "3"]);
}

#[test]
fn chunks_that_are_taken_for_being_in_order_are_seen() {
    QUINN.finds("unordered", "0..50", "streams-intact", &folder("unordered"));
}

#[test]
fn a_connection_that_only_the_idle_timeout_ends_is_seen() {
    let text = QUINN.finds("patient", "360..370", "work-done", &folder("patient"));
    assert!(text.contains("client-2 stands still"), "an answer was long under way: {text}");
}

#[test]
fn a_timer_that_is_not_told_is_seen() {
    QUINN.finds("deaf-to-timers", "0..50", "work-done", &folder("deaf"));
}

/// The crate's own randomness: no seed decides it, and the tool says where it shows.
#[test]
fn connection_ids_of_the_operating_system_are_seen() {
    let (code, _, err) = QUINN.run(&folder("os-random"), &["--plant", "os-random", "sweep", "--seeds", "0..2"]);
    assert!(code == 4 && err.contains("NOT DETERMINISTIC"), "{err}");
    let (code, out, _) = QUINN.run(&folder("os-random"), &["--plant", "os-random", "diff", "--seed", "0"]);
    assert!(code == 4 && out.contains("DatagramOut"), "{out}");
}
