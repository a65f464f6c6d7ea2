//! The toys over real TCP and UDP, in bad weather: their oracles hold, and everything gets done.
//!
//! `NETSTACKD_SEEDS=1000 cargo test --release -p netstackd --test toys` tries 1,000 seeds of each.

mod common;

#[test]
fn stop_and_wait_keeps_its_promises() {
    common::sweep(common::stop_wait_world, common::seeds());
}

#[test]
fn echo_keeps_its_promises() {
    common::sweep(common::echo_world, common::seeds());
}
