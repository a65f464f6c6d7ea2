//! Draws from one named stream: integers only, so that a seed means the same on every machine.

use crate::scenario::units::{Nanos, Percent};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

const MILLI: u64 = 1_000_000;
/// One percent, in the parts per billion that percentages are held in.
const PERCENT: u64 = 10_000_000;

/// A sequence of draws for one purpose. Another purpose has a stream of its own, and re-rolls nothing of this one.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        Self(::sim::fate::stream(seed, purpose))
    }

    /// Uniform in `min..=max`; `min` when `max` is smaller.
    pub(crate) fn within(&mut self, min: u64, max: u64) -> u64 {
        let span = u128::from(max.saturating_sub(min)) + 1;
        min + ((u128::from(self.0.next_u64()) * span) >> 64) as u64
    }

    /// As many small values as large ones, by their order of magnitude: for sizes and windows.
    pub(crate) fn magnitude(&mut self, min: u64, max: u64) -> u64 {
        let (low, high) = (min.max(1), max.max(min).max(1));
        let bits = self.within(u64::from(low.ilog2()), u64::from(high.ilog2()));
        self.within((1 << bits).max(low), (2_u64 << bits).saturating_sub(1).min(high))
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.within(1, n) == 1
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.within(0, all.len() as u64 - 1) as usize]
    }

    pub(crate) fn millis(&mut self, min: u64, max: u64) -> Nanos {
        Nanos(self.within(min, max) * MILLI)
    }

    /// Up to `percent_max` percent, in steps of a thousandth of one: a person can read it.
    pub(crate) fn percent(&mut self, percent_max: u64) -> Percent {
        Percent((self.within(1, percent_max * 1_000) * (PERCENT / 1_000)) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut dice = Dice::new(1, "test");
        let drawn: Vec<_> = (0..1_000).map(|_| dice.within(3, 5)).collect();
        assert!(drawn.iter().all(|value| (3..=5).contains(value)) && [3, 4, 5].iter().all(|end| drawn.contains(end)));
        let drawn: Vec<_> = (0..10_000).map(|_| dice.magnitude(5, 9_000)).collect();
        assert!(drawn.iter().all(|value| (5..=9_000).contains(value)));
        assert!(drawn.iter().any(|value| *value < 10) && drawn.iter().any(|value| *value > 5_000));
        assert_eq!((dice.within(7, 3), dice.magnitude(0, 0), dice.within(0, 0)), (7, 1, 0));
        dice.within(0, u64::MAX);
    }

    #[test]
    fn streams_are_named() {
        let first = |seed, purpose| Dice::new(seed, purpose).within(0, u64::MAX);
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }
}
