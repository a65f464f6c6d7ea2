//! The Raft from outside: it keeps its promises, and bugs of its adapter are found, made small and replayed.

mod common;

use common::{Program, folder};

const RAFT: Program = Program(env!("CARGO_BIN_EXE_raft"));

#[test]
fn every_seed_keeps_every_promise() {
    RAFT.holds("0..300");
}

#[test]
fn two_runs_of_one_seed_are_the_same_to_the_last_event() {
    RAFT.is_deterministic(&["1", "2", "3"]);
}

#[test]
fn a_forgotten_vote_elects_two_leaders() {
    let text = RAFT.finds("forgets-vote", "0..400", "election-safety", &folder("forgets-vote"));
    assert!(text.contains("crashes (Power)"), "what is forgotten was lost in a crash: {text}");
}

#[test]
fn what_is_sent_before_the_disk_has_it_is_taken_back() {
    RAFT.finds("sends-early", "0..100", "no-panic", &folder("sends-early"));
}

/// The crate's own randomness: no seed decides it, and the tool says where it shows. That is another place every time.
#[test]
fn election_timeouts_of_the_operating_system_are_seen() {
    let (code, _, err) = RAFT.run(&folder("os-random"), &["--plant", "os-random", "sweep", "--seeds", "0..20"]);
    assert!(code == 4 && err.contains("NOT DETERMINISTIC"), "{err}");
    let (code, out, _) = RAFT.run(&folder("os-random"), &["--plant", "os-random", "diff", "--seed", "0"]);
    assert!(code == 4 && out.contains("two runs differ from event"), "{out}");
}
