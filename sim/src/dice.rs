//! What a seed draws for itself, apart from what the world draws from it.

use crate::fate::Key;
use crate::{Chance, Delay};
use machine::Duration;

/// A sequence of draws for one purpose. Another purpose has a sequence of its own, and re-rolls nothing of this one.
#[derive(Clone, Debug)]
pub struct Dice {
    key: Key,
    drawn: u64,
}

impl Dice {
    /// The draws of `seed` for what `purpose` names.
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self { key: Key::root(seed).named(purpose), drawn: 0 }
    }

    /// Uniform in `min..=max`; `min` when `max` is smaller.
    pub fn within(&mut self, min: u64, max: u64) -> u64 {
        self.drawn += 1;
        self.key.number(self.drawn).within(0, min, max)
    }

    /// True once in `n` draws, on average.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.within(1, n) == 1
    }

    /// One of them; `None` when there are none.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let last = (all.len() as u64).checked_sub(1)?;
        all.get(self.within(0, last) as usize)
    }

    /// Whole milliseconds in `min..=max`.
    pub fn millis(&mut self, min: u64, max: u64) -> Duration {
        Duration::from_millis(self.within(min, max))
    }

    /// Never in two seeds of three; else up to so many percent.
    pub fn chance(&mut self, percent_max: u64) -> Chance {
        if self.one_in(3) { Chance::from_ppb(self.within(1, percent_max * 10_000_000)) } else { Chance::NEVER }
    }

    /// A distribution of delays whose middle is at most twice `millis_max` milliseconds.
    pub fn delay(&mut self, millis_max: u64) -> Delay {
        let (min, more) = (self.millis(0, millis_max), self.millis(1, millis_max));
        match self.within(0, 3) {
            0 => Delay::Fixed(min),
            1 => Delay::Uniform(min, min + more),
            2 => Delay::Exponential { min, mean: more },
            _ => Delay::LongTail { min: min.max(Duration::from_millis(1)), max: min + more.saturating_mul(20) },
        }
    }

    /// How fast or slow a clock runs: anything up to `most` parts per billion either way.
    pub fn parts_per_billion(&mut self, most: u32) -> i32 {
        let (drawn, most) = (self.within(0, 2 * u64::from(most)).cast_signed(), i64::from(most));
        // At most `most` either way, and clocks cut it to half a billion.
        (drawn - most) as i32
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
        let drawn: Vec<_> = (0..10_000).map(|_| dice.parts_per_billion(2)).collect();
        assert!(drawn.iter().all(|ppb| (-2..=2).contains(ppb)) && drawn.contains(&-2) && drawn.contains(&2));
        assert_eq!((dice.within(7, 3), dice.pick::<u8>(&[])), (7, None));
    }

    #[test]
    fn each_purpose_and_each_seed_has_draws_of_its_own() {
        let first = |seed, purpose| Dice::new(seed, purpose).within(0, u64::MAX);
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }
}
