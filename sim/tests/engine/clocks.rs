//! A node lives by its own clock, and wakes at the first moment at which that clock reaches its deadline.

use crate::lab::{A, Do, Lab, Saw, during, millis};
use machine::{Duration, Instant};
use sim::{Clock, Config, Fault, Time};

/// When "a" wakes, in the world's nanoseconds and in its own, if it asks at 1 ms to be woken at its own `deadline`.
fn woken(deadline: Instant, change: impl FnOnce(&mut Config)) -> (u64, u64) {
    let mut lab = Lab::new(&["a"], change);
    lab.at(1, "a", Do::WakeAt(deadline));
    lab.run(100_000);
    let [.., (at, _, Saw::Timeout(own))] = &lab.log.all[..] else { panic!("it never woke: {:?}", lab.log.all) };
    (at.as_nanos(), own.as_nanos())
}

const SECOND: u64 = 1_000_000_000;

fn own_seconds(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * SECOND)
}

#[test]
fn a_true_clock_wakes_to_the_nanosecond() {
    let deadline = Instant::from_nanos(SECOND + 1);
    assert_eq!(woken(deadline, |_| ()), (SECOND + 1, SECOND + 1));
}

#[test]
fn a_skewed_clock_wakes_by_its_own_time() {
    let ahead = |config: &mut Config| config.nodes[0].clock = Clock::new(Duration::from_secs(5), 0);
    assert_eq!(woken(own_seconds(6), ahead), (SECOND, 6 * SECOND));
}

#[test]
fn a_fast_and_a_slow_clock_wake_early_and_late() {
    let rate = |ppb| move |config: &mut Config| config.nodes[0].clock = Clock::new(Duration::ZERO, ppb);
    assert_eq!(woken(own_seconds(3), rate(500_000_000)), (2 * SECOND, 3 * SECOND));
    assert_eq!(woken(own_seconds(3), rate(-250_000_000)), (4 * SECOND, 3 * SECOND));
    // Thirds of a nanosecond: the first whole one at which the deadline is reached.
    let (at, own) = woken(Instant::from_nanos(SECOND), rate(200_000_000));
    assert_eq!((at, own), (833_333_334, 1_000_000_000));
}

#[test]
fn a_deadline_that_has_passed_is_met_at_once() {
    assert_eq!(woken(Instant::ZERO, |_| ()), (1_000_000, 1_000_000));
}

#[test]
fn a_change_of_rate_moves_the_wakening() {
    // Its clock shows 1 s at 1 s; then it runs at half the speed, and after 3 s at the old one again.
    let slowed = |config: &mut Config| config.plan = vec![during(1_000, 3_000, Fault::ClockRate(A, -500_000_000))];
    assert_eq!(woken(Instant::from_nanos(SECOND + SECOND / 2), slowed), (2 * SECOND, SECOND + SECOND / 2));
    assert_eq!(woken(own_seconds(4), slowed), (5 * SECOND, 4 * SECOND));
    let hurried = |config: &mut Config| config.plan = vec![during(1_000, 3_000, Fault::ClockRate(A, 500_000_000))];
    assert_eq!(woken(own_seconds(5), hurried), (4 * SECOND, 5 * SECOND));
}

#[test]
fn a_jump_over_the_deadline_wakes_at_once_and_a_jump_before_it_wakes_sooner() {
    let jump = |config: &mut Config| {
        config.plan = vec![during(1_000, 1_000, Fault::ClockJump(A, Duration::from_secs(10)))];
    };
    assert_eq!(woken(own_seconds(5), jump), (SECOND, 11 * SECOND));
    assert_eq!(woken(own_seconds(12), jump), (2 * SECOND, 12 * SECOND));
}

#[test]
fn a_paused_nodes_clock_goes_on() {
    let paused = |config: &mut Config| config.plan = vec![during(500, 2_500, Fault::Pause(A))];
    assert_eq!(woken(own_seconds(1), paused), (2 * SECOND + SECOND / 2, 2 * SECOND + SECOND / 2));
    assert_eq!(woken(own_seconds(3), paused), (3 * SECOND, 3 * SECOND));
}

#[test]
fn a_node_starts_when_it_is_told_to_and_hears_nothing_before() {
    let mut lab = Lab::new(&["a", "b"], |config| config.nodes[0].starts_at = Time::from_millis(500));
    lab.send(100, "b", "a", b"early");
    lab.send(600, "b", "a", b"in time");
    lab.run(1_000);
    assert_eq!(lab.got("a"), [b"in time"]);
    assert_eq!(lab.log.all.iter().find(|(_, node, _)| *node == A).unwrap().0, Time::from_millis(500));
    assert_eq!(lab.world.clock(A).saturating_since(Instant::ZERO), millis(1_000));
}
