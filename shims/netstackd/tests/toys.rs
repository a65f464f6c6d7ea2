//! The toys over real TCP and UDP, in bad weather: their oracles hold, and everything gets done.
//!
//! `NETSTACKD_SEEDS=1000 cargo test --release -p dsoftbus-netstackd --test toys` tries 1,000 seeds of each.

mod common;

#[test]
fn stop_and_wait_keeps_its_promises() {
    common::sweep(common::stop_wait_world, common::seeds());
}

#[test]
fn echo_keeps_its_promises() {
    common::sweep(common::echo_world, common::seeds());
}

#[test]
fn awkward_habits_do_not_show() {
    for habits in toys::testing::Habits::ALL {
        common::sweep(|seed| common::awkward_echo_world(seed, habits), common::seeds() / 10);
    }
}

/// smoltcp's fast retransmission overran a window of 7 bytes, and the receiver took the FIN behind what it cut off.
#[test]
fn seed_2343_a_segment_longer_than_the_window_does_not_end_a_stream_early() {
    assert_eq!(common::echo_world(2_343), Ok(()));
}

/// An acknowledgement was held back as a repetition of one that smoltcp had found outside its window.
#[test]
fn seed_1607_an_acknowledgement_that_was_not_taken_is_heard_again() {
    assert_eq!(common::echo_world(1_607), Ok(()));
}
