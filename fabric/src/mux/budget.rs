//! What a peer may cost before it must be called a flood (wire contract, 4). Counts frames, not bytes.

use machine::{Duration, Instant};

/// The most that a budget holds, and what it starts with.
pub(super) const BUDGET_MAX: u32 = 1024;
/// What each second gives back.
const PER_SECOND: u64 = 64;
const NANOS_PER_UNIT: u64 = 1_000_000_000 / PER_SECOND;
/// So many bytes of DATA give one back.
const BYTES_PER_UNIT: u32 = 1024;

/// A bucket of frames that cost the receiver work and the sender little.
#[derive(Debug)]
pub(super) struct Budget {
    left: u32,
    bytes: u32,
    refilled: Instant,
}

impl Budget {
    pub(super) const fn new(now: Instant) -> Self {
        Self { left: BUDGET_MAX, bytes: 0, refilled: now }
    }

    /// Takes one; false when nothing is left.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.charge()
    }

    /// As [`Budget::spend`], where no time is known.
    pub(super) fn charge(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// How much is left.
    pub(super) fn left(&mut self, now: Instant) -> u32 {
        self.refill(now);
        self.left
    }

    /// What was left when time was last known.
    pub(super) const fn left_at_least(&self) -> u32 {
        self.left
    }

    /// DATA of this cost was sent or read.
    pub(super) fn earn(&mut self, bytes: u32) {
        let bytes = u64::from(self.bytes) + u64::from(bytes);
        self.bytes = (bytes % u64::from(BYTES_PER_UNIT)) as u32;
        self.add(bytes / u64::from(BYTES_PER_UNIT));
    }

    fn refill(&mut self, now: Instant) {
        let units = now.saturating_since(self.refilled).as_nanos() / NANOS_PER_UNIT;
        self.refilled = self.refilled + Duration::from_nanos(units * NANOS_PER_UNIT);
        self.add(units);
    }

    fn add(&mut self, units: u64) {
        self.left = (u64::from(self.left).saturating_add(units)).min(u64::from(BUDGET_MAX)) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(now: Instant) -> Budget {
        let mut budget = Budget::new(now);
        for _ in 0..BUDGET_MAX {
            assert!(budget.spend(now));
        }
        assert!(!budget.spend(now));
        budget
    }

    #[test]
    fn a_second_gives_64_back_and_an_hour_no_more_than_all() {
        let mut budget = drained(Instant::ZERO);
        assert_eq!(budget.left(Instant::ZERO + Duration::from_secs(1)), 64);
        assert_eq!(budget.left(Instant::ZERO + Duration::from_secs(3600)), BUDGET_MAX);
    }

    #[test]
    fn time_in_slices_gives_as_much_as_time_at_once() {
        let mut budget = drained(Instant::ZERO);
        for millis in 0..=1000 {
            budget.left(Instant::ZERO + Duration::from_millis(millis));
        }
        assert_eq!(budget.left(Instant::ZERO + Duration::from_secs(1)), 64);
    }

    #[test]
    fn each_kib_of_data_gives_one_back_in_whatever_pieces() {
        let mut budget = drained(Instant::ZERO);
        for _ in 0..10 * 1024 / 16 {
            budget.earn(16);
        }
        assert_eq!(budget.left(Instant::ZERO), 10);
    }
}
