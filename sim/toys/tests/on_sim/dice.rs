//! What a seed of the swarm draws for itself, apart from what the world draws from it.

use machine::Duration;
use sim::fate::Key;
use sim::{Chance, Delay};

/// A sequence of draws for one purpose.
pub(crate) struct Dice {
    key: Key,
    drawn: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        Self { key: Key::root(seed).named(purpose), drawn: 0 }
    }

    /// Uniform in `min..=max`.
    pub(crate) fn within(&mut self, min: u64, max: u64) -> u64 {
        self.drawn += 1;
        self.key.number(self.drawn).within(0, min, max)
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.within(1, n) == 1
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.within(0, all.len() as u64 - 1) as usize]
    }

    pub(crate) fn millis(&mut self, min: u64, max: u64) -> Duration {
        Duration::from_millis(self.within(min, max))
    }

    /// Off in two seeds of three; else up to so many percent.
    pub(crate) fn chance(&mut self, percent_max: u64) -> Chance {
        if self.one_in(3) { Chance::from_ppb(self.within(1, percent_max * 10_000_000)) } else { Chance::NEVER }
    }

    pub(crate) fn delay(&mut self, millis_max: u64) -> Delay {
        let (min, more) = (self.millis(0, millis_max), self.millis(1, millis_max));
        match self.within(0, 3) {
            0 => Delay::Fixed(min),
            1 => Delay::Uniform(min, min + more),
            2 => Delay::Exponential { min, mean: more },
            _ => Delay::LongTail { min: min.max(Duration::from_millis(1)), max: min + more.saturating_mul(20) },
        }
    }

    pub(crate) fn parts_per_billion(&mut self, most: u64) -> i32 {
        let drawn = self.within(0, 2 * most);
        i32::try_from(drawn).unwrap() - i32::try_from(most).unwrap()
    }
}
